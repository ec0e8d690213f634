package metrics

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// A Reading is metrics whose values somebody else keeps. One function tells those of all of them, so that what
// they have in common is looked up once each time that metrics are read, and belongs to one moment.
type Reading struct {
	Metrics []Metric
	// Read yields each value by the name of its metric, with the values of the labels in the order of
	// [Metric.Labels]. It is called once each time that metrics are read, must be quick and safe for concurrent
	// use, and yields nothing after it has returned. One that panics yields no more. Of each metric, further
	// values of a combination of labels are left out, as are combinations beyond Options.MaxSeries. What has no
	// metric of that name, or other labels than that, is left out too, and the Logger of the registry hears of it.
	Read func(yield func(name string, value float64, labels ...string))
}

// A Metric describes one metric of a [Reading].
type Metric struct {
	Name, Help string
	Labels     []string // their names
	// Counter says that values only go up. Without it they are those of a gauge.
	Counter bool
}

// Read adds the metrics of a reading: all of them, or with an error none.
func (m *Registry) Read(r Reading) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &reading{read: r.Read, limit: m.o.MaxSeries, series: make(map[string]described, len(r.Metrics))}
	for _, d := range r.Metrics {
		if err := checkName(d.Name, d.Labels); err != nil {
			return err
		}
		if _, twice := c.series[d.Name]; twice || m.own[d.Name] != nil {
			return fmt.Errorf("metric %s: there is one of that name already", d.Name)
		}
		c.series[d.Name] = describe(d)
	}
	if err := m.prom.Register(c); err != nil {
		return fmt.Errorf("metrics that are read together: %w", err)
	}
	for name := range c.series {
		m.own[name] = c
	}
	return nil
}

// reading is the collector of a [Reading].
type reading struct {
	read   func(yield func(name string, value float64, labels ...string))
	limit  int
	series map[string]described // by name
}

type described struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func describe(m Metric) described {
	d := described{prometheus.NewDesc(m.Name, m.Help, m.Labels, nil), prometheus.GaugeValue}
	if m.Counter {
		d.kind = prometheus.CounterValue
	}
	return d
}

// Describe implements [prometheus.Collector].
func (r *reading) Describe(to chan<- *prometheus.Desc) {
	for _, d := range r.series {
		to <- d.desc
	}
}

// Collect implements [prometheus.Collector].
func (r *reading) Collect(to chan<- prometheus.Metric) {
	defer func() { _ = recover() }() // as with Registry.Func: others are still of use
	seen := make(map[string]map[string]bool, len(r.series))
	r.read(func(name string, value float64, labels ...string) {
		d, ok := r.series[name]
		if !ok {
			to <- unfit(fmt.Errorf("metric %s: the reading has none of that name", name))
			return
		}
		if seen[name] == nil {
			seen[name] = map[string]bool{}
		}
		if r.admit(seen[name], labels) {
			to <- d.metric(name, value, labels)
		}
	})
}

// admit notes a combination of labels, and reports whether it is new and not one too many.
func (r *reading) admit(seen map[string]bool, labels []string) bool {
	key := strings.Join(labels, "\xff")
	if seen[key] || len(seen) >= r.limit {
		return false
	}
	seen[key] = true
	return true
}

func (d described) metric(name string, value float64, labels []string) prometheus.Metric {
	m, err := prometheus.NewConstMetric(d.desc, d.kind, value, labels...)
	if err != nil {
		return unfit(fmt.Errorf("metric %s: %w", name, err))
	}
	return m
}

// unfit is in place of what cannot be told: the registry reports its error, and the others are told.
func unfit(err error) prometheus.Metric {
	return prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
}
