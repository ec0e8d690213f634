package metrics_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/metrics"
	"rws/spec_test/logtext"
)

func TestReadingsAreAskedForWhenMetricsAreRead(t *testing.T) {
	log := &logtext.Buffer{}
	m, err := metrics.New(metrics.Options{MaxSeries: 2, Logger: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	n := 0.0
	require.NoError(t, m.Read(metrics.Reading{
		Metrics: []metrics.Metric{
			{Name: "pool_sent_total", Help: "Sent.", Labels: []string{"pool", "backend"}, Counter: true},
			{Name: "pool_open", Help: "Open.", Labels: []string{"pool"}},
			{Name: "pool_wrong", Help: "Wrong.", Labels: []string{"pool"}},
		},
		Read: func(yield func(string, float64, ...string)) {
			n++
			yield("pool_sent_total", n, "api", "a")
			yield("pool_sent_total", 9, "api", "a")
			yield("pool_open", 3, "api")
			yield("pool_wrong", 3)
			yield("pool_none", 3, "api")
			yield("pool_sent_total", 5, "api", "b")
			yield("pool_sent_total", 7, "api", "c")
			panic("oh")
		},
	}))
	scrape(t, m)
	text := scrape(t, m)
	assert.Equal(t, 2.0, n, "one reading tells all metrics")
	for _, line := range []string{"# TYPE pool_sent_total counter", `pool_sent_total{backend="a",pool="api"} 2`, `pool_sent_total{backend="b",pool="api"} 5`, "# TYPE pool_open gauge", `pool_open{pool="api"} 3`} {
		assert.Contains(t, text, line+"\n")
	}
	assert.NotContains(t, text, `backend="c"`, "the limit of combinations")
	assert.NotContains(t, text, "pool_wrong{")
	assert.NotContains(t, text, "pool_none")
	assert.Contains(t, text, "go_goroutines ", "the others are told")
	assert.Contains(t, log.String(), "metric pool_none: the reading has none of that name")
	assert.Contains(t, log.String(), "pool_wrong")
}

func TestReadingsHaveNamesOfTheirOwn(t *testing.T) {
	m, err := metrics.New(metrics.Options{})
	require.NoError(t, err)
	read := func(all ...metrics.Metric) error {
		return m.Read(metrics.Reading{Metrics: all, Read: func(func(string, float64, ...string)) {}})
	}
	require.NoError(t, read(metrics.Metric{Name: "open"}))
	assert.ErrorContains(t, read(metrics.Metric{Name: "other"}, metrics.Metric{Name: "open"}), "already")
	assert.ErrorContains(t, read(metrics.Metric{Name: "twice"}, metrics.Metric{Name: "twice"}), "already")
	assert.ErrorContains(t, read(metrics.Metric{Name: "go_open"}), "server's own")
	assert.ErrorContains(t, read(metrics.Metric{Name: "x", Labels: []string{"le"}}), "label")
	assert.NoError(t, read(metrics.Metric{Name: "other"}), "none of a reading that was refused is left")
	_, err = m.Counter("open", "")
	assert.Error(t, err)
}
