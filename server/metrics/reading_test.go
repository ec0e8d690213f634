package metrics_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/metrics"
)

func TestReadingsAreAskedForWhenMetricsAreRead(t *testing.T) {
	m, err := metrics.New(metrics.Options{MaxSeries: 2})
	require.NoError(t, err)
	n := 0.0
	require.NoError(t, m.Read(
		metrics.Reading{Name: "pool_sent_total", Help: "Sent.", Labels: []string{"pool", "backend"}, Counter: true, Read: func(yield func(float64, ...string)) {
			n++
			yield(n, "api", "a")
			yield(9, "api", "a")
			yield(5, "api", "b")
			yield(7, "api", "c")
		}},
		metrics.Reading{Name: "pool_open", Help: "Open.", Labels: []string{"pool"}, Read: func(yield func(float64, ...string)) {
			yield(3, "api")
			panic("oh")
		}},
		metrics.Reading{Name: "pool_wrong", Help: "Wrong.", Labels: []string{"pool"}, Read: func(yield func(float64, ...string)) { yield(3) }},
	))
	var text string
	for range 2 {
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		text = w.Body.String()
	}
	for _, line := range []string{"# TYPE pool_sent_total counter", `pool_sent_total{backend="a",pool="api"} 2`, `pool_sent_total{backend="b",pool="api"} 5`, "# TYPE pool_open gauge", `pool_open{pool="api"} 3`} {
		assert.Contains(t, text, line+"\n")
	}
	assert.NotContains(t, text, `backend="c"`, "the limit of combinations")
	assert.NotContains(t, text, "pool_wrong{")
}

func TestReadingsHaveNamesOfTheirOwn(t *testing.T) {
	m, err := metrics.New(metrics.Options{})
	require.NoError(t, err)
	read := func(func(float64, ...string)) {}
	require.NoError(t, m.Read(metrics.Reading{Name: "open", Read: read}))
	assert.ErrorContains(t, m.Read(metrics.Reading{Name: "open", Read: read}), "already")
	assert.ErrorContains(t, m.Read(metrics.Reading{Name: "go_open", Read: read}), "server's own")
	assert.ErrorContains(t, m.Read(metrics.Reading{Name: "x", Labels: []string{"le"}, Read: read}), "label")
	_, err = m.Counter("open", "")
	assert.Error(t, err)
}
