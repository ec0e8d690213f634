package metrics

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// vec is what the metrics of an app have in common: labels, and a bound on their values.
type vec struct {
	name   string
	labels []string
	limit  int

	mu    sync.Mutex
	known map[string]struct{} // the combinations so far
}

// SeriesError says that a metric has as many combinations of labels as it may have. What was to be
// counted is not.
type SeriesError struct {
	Name  string
	Limit int
}

// Error says what labels are for.
func (e *SeriesError) Error() string {
	return fmt.Sprintf("metric %s: more than %d combinations of labels: a label must not name single users, requests or the like", e.Name, e.Limit)
}

// admit reports an error when the values do not fit, or are one combination too many.
func (v *vec) admit(values []string) error {
	if len(values) != len(v.labels) {
		return fmt.Errorf("metric %s: it has the labels %q, but %d value(s) are given", v.name, v.labels, len(values))
	}
	if len(values) == 0 {
		return nil
	}
	var space [128]byte
	key := space[:0]
	for _, value := range values {
		key = append(append(key, value...), 0xff) // which UTF-8 never has
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.known[string(key)]; ok {
		return nil
	}
	if len(v.known) >= v.limit {
		return &SeriesError{v.name, v.limit}
	}
	v.known[string(key)] = struct{}{}
	return nil
}

// Counter only goes up. Made by [Registry.Counter].
type Counter struct {
	*vec
	prom *prometheus.CounterVec
}

// Add adds n, which must not be negative, to the series with these values of the labels.
func (c *Counter) Add(n float64, values ...string) error {
	if !(n >= 0) || math.IsInf(n, 1) {
		return fmt.Errorf("metric %s: a counter only goes up, not by %v; use a gauge", c.name, n)
	}
	if err := c.admit(values); err != nil {
		return err
	}
	s, err := c.prom.GetMetricWithLabelValues(values...)
	if err != nil {
		return fmt.Errorf("metric %s: %w", c.name, err)
	}
	s.Add(n)
	return nil
}

// Gauge goes up and down. Made by [Registry.Gauge].
type Gauge struct {
	*vec
	prom *prometheus.GaugeVec
}

func (g *Gauge) with(values []string) (prometheus.Gauge, error) {
	if err := g.admit(values); err != nil {
		return nil, err
	}
	s, err := g.prom.GetMetricWithLabelValues(values...)
	if err != nil {
		return nil, fmt.Errorf("metric %s: %w", g.name, err)
	}
	return s, nil
}

// Set sets the series with these values of the labels.
func (g *Gauge) Set(to float64, values ...string) error {
	s, err := g.with(values)
	if err == nil {
		s.Set(to)
	}
	return err
}

// Add adds n, which may be negative.
func (g *Gauge) Add(n float64, values ...string) error {
	s, err := g.with(values)
	if err == nil {
		s.Add(n)
	}
	return err
}

// Histogram counts how often a value was below bounds. Made by [Registry.Histogram].
type Histogram struct {
	*vec
	prom *prometheus.HistogramVec
}

// Observe counts a value, in seconds if it is a time.
func (h *Histogram) Observe(value float64, values ...string) error {
	if math.IsNaN(value) {
		return fmt.Errorf("metric %s: the value is no number", h.name)
	}
	if err := h.admit(values); err != nil {
		return err
	}
	s, err := h.prom.GetMetricWithLabelValues(values...)
	if err != nil {
		return fmt.Errorf("metric %s: %w", h.name, err)
	}
	s.Observe(value)
	return nil
}

// Counter is the counter of this name; it is made on the first call, and has to have the same labels
// on every other.
func (m *Registry) Counter(name, help string, labels ...string) (*Counter, error) {
	return declare(m, name, labels, func(v *vec) (*Counter, prometheus.Collector) {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		return &Counter{vec: v, prom: c}, c
	})
}

// Gauge is as [Registry.Counter].
func (m *Registry) Gauge(name, help string, labels ...string) (*Gauge, error) {
	return declare(m, name, labels, func(v *vec) (*Gauge, prometheus.Collector) {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		return &Gauge{vec: v, prom: g}, g
	})
}

// Histogram is as [Registry.Counter]; no buckets means those of the registry, which suit seconds.
func (m *Registry) Histogram(name, help string, buckets []float64, labels ...string) (*Histogram, error) {
	if buckets == nil {
		buckets = m.o.Buckets
	}
	if len(buckets) == 0 {
		return nil, fmt.Errorf("metric %s: the list of buckets is empty; leave it out for those that suit seconds", name)
	}
	if !ascending(buckets) {
		return nil, fmt.Errorf("metric %s: buckets %v: want ascending bounds", name, buckets)
	}
	return declare(m, name, labels, func(v *vec) (*Histogram, prometheus.Collector) {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		return &Histogram{vec: v, prom: h}, h
	})
}

// ascending reports whether each bound is above the one before, and none is NaN.
func ascending(bounds []float64) bool {
	for i, b := range bounds {
		if math.IsNaN(b) || i > 0 && b <= bounds[i-1] {
			return false
		}
	}
	return true
}

// declared is one of the three.
type declared interface{ labelNames() []string }

func (v *vec) labelNames() []string { return v.labels }

func declare[T declared](m *Registry, name string, labels []string, make func(*vec) (T, prometheus.Collector)) (T, error) {
	var none T
	if err := checkName(name, labels); err != nil {
		return none, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.own[name]; old != nil {
		same, ok := old.(T)
		if !ok || !slices.Equal(same.labelNames(), labels) {
			return none, fmt.Errorf("metric %s: there is one of that name already, of another kind or with other labels", name)
		}
		return same, nil
	}
	if err := m.clashes(name, isHistogram[T]()); err != nil {
		return none, err
	}
	made, collector := make(&vec{name: name, labels: slices.Clone(labels), limit: m.o.MaxSeries, known: map[string]struct{}{}})
	if err := m.prom.Register(collector); err != nil {
		return none, fmt.Errorf("metric %s: %w", name, err)
	}
	m.own[name] = made
	return made, nil
}

// parts are what the lines of a histogram are called beside its name: no other metric may be called
// like that, or there would be nothing to read of either.
var parts = []string{"_bucket", "_count", "_sum"}

func isHistogram[T declared]() bool {
	var none T
	_, ok := any(none).(*Histogram)
	return ok
}

// clashes reports a metric whose lines would have the names of those of another one.
func (m *Registry) clashes(name string, histogram bool) error {
	for _, part := range parts {
		if base, ok := strings.CutSuffix(name, part); ok {
			if _, ok := m.own[base].(*Histogram); ok {
				return fmt.Errorf("metric %s: the histogram %s has lines of that name: choose another one", name, base)
			}
		}
		if m.own[name+part] != nil && histogram {
			return fmt.Errorf("metric %s: a histogram has lines called %s, and there is such a metric: choose another name", name, name+part)
		}
	}
	return nil
}
