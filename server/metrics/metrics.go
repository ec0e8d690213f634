// Package metrics counts what happens and tells Prometheus, in its text format and OpenMetrics.
//
// It stands on client_golang rather than on code of our own: the formats, histograms and the gauges
// of the process and the Go runtime are its trade. What a request costs is kept small here: the
// series of a route is found without a lock or an allocation, see [Registry.Request].
package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options of a [Registry]. The zero value is a good default.
type Options struct {
	// Buckets are the upper bounds of durations, in seconds, ascending; default 5 ms to 10 s.
	Buckets []float64
	// MaxSeries is how many combinations of labels each metric of [Registry.Counter] and its
	// siblings may have; default 1000. Somebody who puts user ids into labels must not use up the
	// memory of two machines.
	MaxSeries int
	Logger    *slog.Logger // hears of what cannot be collected; default slog.Default()
}

// Registry holds metrics. Safe for concurrent use; made by [New].
type Registry struct {
	o        Options
	prom     *prometheus.Registry
	requests requests

	mu  sync.Mutex
	own map[string]any // by name: *Counter, *Gauge, *Histogram
}

// New makes a registry with the gauges of the process (process_…, where the system tells) and the Go
// runtime (go_…), and the metrics of requests:
//
//	http_requests_total{route, method, status}          status is "2xx", …
//	http_request_duration_seconds{route, method}        a histogram
//	http_requests_in_flight
func New(o Options) (*Registry, error) {
	if o.Buckets == nil {
		o.Buckets = prometheus.DefBuckets
	}
	if !ascending(o.Buckets) {
		return nil, fmt.Errorf("metrics: buckets %v: want ascending bounds", o.Buckets)
	}
	if o.MaxSeries < 0 {
		return nil, fmt.Errorf("metrics: max series %d: must not be negative", o.MaxSeries)
	}
	if o.MaxSeries == 0 {
		o.MaxSeries = 1000
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	m := &Registry{o: o, prom: prometheus.NewRegistry(), own: map[string]any{}}
	m.prom.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.requests.register(m.prom, o.Buckets)
	return m, nil
}

// Handler answers with all metrics. Who may ask is for what stands before it. At most two are
// answered at once, others 503.
func (m *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(m.prom, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.o.Logger.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: 2, EnableOpenMetrics: true, DisableCompression: true, // compression is middleware's
	})
}

// Func adds a gauge that is asked when metrics are read: the size of a queue, the memory of a VM. It
// must be quick and safe for concurrent use. One that panics is left out.
func (m *Registry) Func(name, help string, value func() float64) error {
	if err := checkName(name, nil); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.own[name] != nil {
		return fmt.Errorf("metric %s: there is one of that name already", name)
	}
	err := m.prom.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	if err != nil {
		return fmt.Errorf("metric %s: %w", name, err)
	}
	m.own[name] = value
	return nil
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	reserved   = regexp.MustCompile(`^(go_|process_|promhttp_|http_request|__)`)
)

func checkName(name string, labels []string) error {
	if !metricName.MatchString(name) {
		return fmt.Errorf("metric %q: want letters, digits and _, not beginning with a digit", name)
	}
	if reserved.MatchString(name) {
		return fmt.Errorf("metric %q: names that begin like that are the server's own", name)
	}
	for i, l := range labels {
		if !metricName.MatchString(l) || reserved.MatchString(l) || l == "le" || l == "quantile" || slices.Contains(labels[:i], l) {
			return fmt.Errorf("metric %s: label %q: want letters, digits and _, each once, and neither le nor quantile", name, l)
		}
	}
	return nil
}

// requests are the metrics of requests. Series are found in a map that is copied when one is added:
// there are as many as routes have methods and classes of status, and then no more.
type requests struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge

	mu     sync.Mutex
	series atomic.Pointer[map[seriesKey]series]
}

type seriesKey struct {
	route, method string
	class         int
}

type series struct {
	total    prometheus.Counter
	duration prometheus.Observer
}

func (q *requests) register(reg *prometheus.Registry, buckets []float64) {
	q.total = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "http_requests_total",
		Help: "Requests answered, by the pattern of the route."}, []string{"route", "method", "status"})
	q.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_request_duration_seconds", Buckets: buckets,
		Help: "Time from the arrival of a request to the end of its answer, by the pattern of the route."}, []string{"route", "method"})
	q.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_requests_in_flight", Help: "Requests being answered."})
	reg.MustRegister(q.total, q.duration, q.inFlight)
	q.series.Store(&map[seriesKey]series{})
}

// Begin counts a request in; the result counts it out.
func (m *Registry) Begin() (end func()) {
	m.requests.inFlight.Inc()
	return m.requests.inFlight.Dec
}

// methods that have a label of their own; a client must not make up others.
var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY", "CONNECT", "TRACE"}

// Request counts an answer. route is a pattern and never a path, "" for requests without a route.
func (m *Registry) Request(route, method string, status int, took time.Duration) {
	if !slices.Contains(methods, method) {
		method = "other"
	}
	if status < 100 || status > 599 {
		status = 0
	}
	s := m.requests.find(seriesKey{route, method, status / 100})
	s.total.Inc()
	s.duration.Observe(took.Seconds())
}

var classes = [...]string{"other", "1xx", "2xx", "3xx", "4xx", "5xx"}

func (q *requests) find(key seriesKey) series {
	if s, ok := (*q.series.Load())[key]; ok {
		return s
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	old := *q.series.Load()
	next := make(map[seriesKey]series, len(old)+1)
	for k, s := range old {
		next[k] = s
	}
	s := series{q.total.WithLabelValues(key.route, key.method, classes[key.class]), q.duration.WithLabelValues(key.route, key.method)}
	next[key] = s
	q.series.Store(&next)
	return s
}
