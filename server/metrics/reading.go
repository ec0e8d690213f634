package metrics

import (
	"errors"
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// A Reading is a metric with labels whose values somebody else keeps: they are asked for when metrics are read.
type Reading struct {
	Name, Help string
	Labels     []string
	// Counter says that values only go up. Without it they are those of a gauge.
	Counter bool
	// Read yields each value with those of the labels, every combination once: further ones of the same, and
	// those beyond Options.MaxSeries, are left out. It must be quick and safe for concurrent use; one that
	// panics yields no more.
	Read func(yield func(value float64, labels ...string))
}

// Read adds metrics that are asked for when metrics are read.
func (m *Registry) Read(all ...Reading) error {
	var faults []error
	for _, r := range all {
		faults = append(faults, m.read(r))
	}
	return errors.Join(faults...)
}

func (m *Registry) read(r Reading) error {
	if err := checkName(r.Name, r.Labels); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.own[r.Name] != nil {
		return fmt.Errorf("metric %s: there is one of that name already", r.Name)
	}
	kind := prometheus.GaugeValue
	if r.Counter {
		kind = prometheus.CounterValue
	}
	c := &reading{r, prometheus.NewDesc(r.Name, r.Help, r.Labels, nil), kind, m.o.MaxSeries}
	if err := m.prom.Register(c); err != nil {
		return fmt.Errorf("metric %s: %w", r.Name, err)
	}
	m.own[r.Name] = c
	return nil
}

type reading struct {
	Reading
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	limit int
}

// Describe implements [prometheus.Collector].
func (r *reading) Describe(to chan<- *prometheus.Desc) { to <- r.desc }

// Collect implements [prometheus.Collector].
func (r *reading) Collect(to chan<- prometheus.Metric) {
	defer func() { _ = recover() }() // as with Registry.Func: others are still of use
	seen := map[string]bool{}
	r.Read(func(value float64, labels ...string) {
		key := strings.Join(labels, "\xff")
		if seen[key] || len(seen) >= r.limit {
			return
		}
		seen[key] = true
		if metric, err := prometheus.NewConstMetric(r.desc, r.kind, value, labels...); err == nil {
			to <- metric
		}
	})
}
