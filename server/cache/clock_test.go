package cache_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/cache"
)

// TestClock moves the clock that tests of programs bring along, and reads by Hit, which loads
// nothing and counts no miss.
func TestClock(t *testing.T) {
	at := time.Now()
	now := func() time.Time { return at }
	m, err := cache.NewMemory(0)
	require.NoError(t, err)
	m.SetClock(now)
	c := cache.New(m, cache.Options{Now: now})
	defer c.Close()
	loads := 0
	load := func(context.Context) (cache.Item, bool, error) {
		loads++
		return cache.Item{Value: []byte("v")}, true, nil
	}
	_, _, ok := c.Hit(t.Context(), "k")
	assert.False(t, ok)
	assert.Zero(t, c.Stats().Misses)
	for range 2 {
		_, _, err := c.Fetch(t.Context(), "k", cache.FetchOptions{TTL: time.Hour}, load)
		require.NoError(t, err)
	}
	item, found, ok := c.Hit(t.Context(), "k")
	assert.True(t, ok && found)
	assert.Equal(t, "v", string(item.Value))
	assert.Equal(t, 1, loads)
	assert.Equal(t, int64(2), c.Stats().Hits)
	at = at.Add(time.Hour)
	_, _, ok = c.Hit(t.Context(), "k")
	assert.False(t, ok, "its time is over")
	_, _, err = c.Fetch(t.Context(), "k", cache.FetchOptions{TTL: time.Hour}, load)
	require.NoError(t, err)
	assert.Equal(t, 2, loads)
}
