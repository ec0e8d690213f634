package metrics_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/metrics"
)

// Two metrics with lines of one name would make the whole of it unreadable.
func TestNamesOfHistogramsDoNotClash(t *testing.T) {
	m, err := metrics.New(metrics.Options{})
	require.NoError(t, err)
	_, err = m.Histogram("h", "", nil)
	require.NoError(t, err)
	for _, name := range []string{"h_count", "h_sum", "h_bucket"} {
		_, err = m.Counter(name, "")
		assert.ErrorContains(t, err, "the histogram h has lines of that name")
		_, err = m.Gauge(name, "")
		assert.Error(t, err)
	}
	_, err = m.Counter("size_count", "")
	require.NoError(t, err)
	_, err = m.Histogram("size", "", nil)
	assert.ErrorContains(t, err, "size_count")
	_, err = m.Counter("size", "")
	assert.NoError(t, err, "only histograms have such lines")
	_, err = m.Histogram("empty", "", []float64{})
	assert.ErrorContains(t, err, "the list of buckets is empty")
}
