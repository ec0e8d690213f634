package metrics_test

import (
	"fmt"
	"log/slog"
	"math"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/metrics"
)

func registry(t testing.TB, o metrics.Options) *metrics.Registry {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	m, err := metrics.New(o)
	require.NoError(t, err)
	return m
}

// scrape reads the metrics as Prometheus does.
func scrape(t *testing.T, m *metrics.Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, w.Code)
	assert.Contains(t, w.Header().Get("Content-Type"), "text/plain; version=0.0.4")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	_, err := parser.TextToMetricFamilies(strings.NewReader(w.Body.String()))
	require.NoError(t, err)
	return w.Body.String()
}

func TestRequestsAreCountedByPattern(t *testing.T) {
	m := registry(t, metrics.Options{Buckets: []float64{0.01, 0.1}})
	end := m.Begin()
	m.Request("/notes/:id", "GET", 200, 20*time.Millisecond)
	m.Request("/notes/:id", "GET", 204, time.Millisecond)
	m.Request("/notes/:id", "GET", 503, time.Second)
	m.Request("", "GET", 404, 0)
	for i := range 50 {
		m.Request("/x", fmt.Sprintf("M%d", i), 1000+i, 0)
	}
	text := scrape(t, m)
	for _, line := range []string{
		`http_requests_total{method="GET",route="/notes/:id",status="2xx"} 2`,
		`http_requests_total{method="GET",route="/notes/:id",status="5xx"} 1`,
		`http_requests_total{method="GET",route="",status="4xx"} 1`,
		`http_requests_total{method="other",route="/x",status="other"} 50`,
		`http_request_duration_seconds_bucket{method="GET",route="/notes/:id",le="0.01"} 1`,
		`http_request_duration_seconds_bucket{method="GET",route="/notes/:id",le="0.1"} 2`,
		`http_request_duration_seconds_count{method="GET",route="/notes/:id"} 3`,
		"http_requests_in_flight 1",
	} {
		assert.Contains(t, text, line+"\n")
	}
	assert.Contains(t, text, "go_goroutines ")
	end()
	assert.Contains(t, scrape(t, m), "http_requests_in_flight 0\n")
}

func TestMetricsOfAnApp(t *testing.T) {
	m := registry(t, metrics.Options{MaxSeries: 2})
	c, err := m.Counter("orders_total", "Orders.", "kind")
	require.NoError(t, err)
	again, err := m.Counter("orders_total", "Orders.", "kind")
	require.NoError(t, err)
	assert.Same(t, c, again, "a reload declares it again")
	require.NoError(t, c.Add(2, "book\n\"x\""))
	require.NoError(t, again.Add(1.5, "cd"))
	require.NoError(t, c.Add(1, "cd"))
	assert.ErrorContains(t, c.Add(1, "dvd"), "more than 2 combinations")
	assert.ErrorContains(t, c.Add(-1, "cd"), "only goes up")
	assert.ErrorContains(t, c.Add(1), "labels")
	assert.Error(t, c.Add(1, "\xff"))
	g, err := m.Gauge("queue", "Length.")
	require.NoError(t, err)
	require.NoError(t, g.Set(7))
	require.NoError(t, g.Add(-2))
	h, err := m.Histogram("import_seconds", "", []float64{1, 2}, "db")
	require.NoError(t, err)
	require.NoError(t, h.Observe(1.5, "main"))
	require.NoError(t, m.Func("vm_bytes", "Memory.", func() float64 { return 42 }))
	text := scrape(t, m)
	for _, line := range []string{
		`orders_total{kind="book\n\"x\""} 2`, `orders_total{kind="cd"} 2.5`, "queue 5", `import_seconds_bucket{db="main",le="2"} 1`, "vm_bytes 42",
	} {
		assert.Contains(t, text, line+"\n")
	}
	_, err = m.Counter("orders_total", "", "other")
	assert.ErrorContains(t, err, "already")
	_, err = m.Gauge("orders_total", "", "kind")
	assert.ErrorContains(t, err, "already")
	assert.ErrorContains(t, m.Func("queue", "", nil), "already")
}

func TestNamesAreChecked(t *testing.T) {
	m := registry(t, metrics.Options{})
	for _, name := range []string{"", "a b", "1a", "a-b", "go_x", "process_x", "http_requests_total", "__x", "a\n"} {
		_, err := m.Counter(name, "")
		assert.Error(t, err, name)
	}
	for _, label := range []string{"", "a b", "le", "__name__", "twice"} {
		_, err := m.Counter("ok", "", "twice", label)
		assert.Error(t, err, label)
	}
	for _, bounds := range [][]float64{{2, 1}, {1, 1}, {1, math.NaN()}, {math.NaN()}} {
		_, err := metrics.New(metrics.Options{Buckets: bounds})
		assert.ErrorContains(t, err, "ascending", bounds)
		_, err = m.Histogram("bounds", "", bounds)
		assert.ErrorContains(t, err, "ascending", bounds)
	}
}

func TestCountingFromManySides(t *testing.T) {
	m := registry(t, metrics.Options{})
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for j := range 500 {
				m.Request(fmt.Sprintf("/%d", j%20), "GET", 200+i%2*100, time.Millisecond)
			}
		})
	}
	work.Wait()
	assert.Contains(t, scrape(t, m), `http_requests_total{method="GET",route="/7",status="2xx"} 100`+"\n")
}

func BenchmarkRequest(b *testing.B) {
	m := registry(b, metrics.Options{})
	for i := range 200 {
		m.Request(fmt.Sprintf("/route/%d", i), "GET", 200, 0)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			m.Request("/route/7", "GET", 200, time.Millisecond)
		}
	})
}

func BenchmarkScrape(b *testing.B) {
	m := registry(b, metrics.Options{})
	for i := range 200 {
		m.Request(fmt.Sprintf("/route/%d", i), "GET", 200, 0)
	}
	h, r := m.Handler(), httptest.NewRequest("GET", "/metrics", nil)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		w.Body = nil
		h.ServeHTTP(w, r)
	}
}
