package upstream

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A request that has chosen a backend in the moment in which it leaves the pool must choose again:
// the connections of that one may be closed already.
func TestABackendThatHasLeftTakesNoRequest(t *testing.T) {
	for _, url := range []string{"http://a", "h2c://a"} {
		p, err := New(Options{Name: "api", Targets: []Target{{URL: url}}, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		b := p.now.Load().backends[0]
		held := b.lease()
		require.NotNil(t, held)
		require.NoError(t, p.Update(nil))
		assert.Nil(t, b.lease())
		assert.Equal(t, int64(1), b.load.Active())
		held.Done(Outcome{})
		assert.Nil(t, b.lease())
		assert.Zero(t, b.load.Active())
		require.NoError(t, p.Close())
	}
}
