package webhook_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/redis"
	"rws/server/webhook"
	"rws/spec_test/peers"
)

func TestTwoProcessesShareReplaysInRedis(t *testing.T) {
	client, err := redis.Open(peers.Redis(t))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	seen := func(s webhook.Replays, name string, ttl time.Duration) bool {
		t.Helper()
		known, err := s.Seen(t.Context(), name, ttl)
		assert.NoError(t, err)
		return known
	}
	one, other := webhook.NewRedis(client, ""), webhook.NewRedis(client, "")
	assert.False(t, seen(one, "a", time.Hour))
	assert.True(t, seen(other, "a", time.Hour))
	assert.False(t, seen(webhook.NewRedis(client, "other:"), "a", time.Hour), "another app")
	require.NoError(t, other.Forget(t.Context(), "a"))
	assert.False(t, seen(one, "a", 50*time.Millisecond))
	assert.Eventually(t, func() bool { return !seen(one, "a", time.Hour) }, 5*time.Second, 10*time.Millisecond, "its time is over")
}

func TestRedisThatIsDownLetsNobodyIn(t *testing.T) {
	client, err := redis.Open("redis://127.0.0.1:1/0")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	h := hook(t, webhook.Options{Provider: "github", Secrets: []string{"some secret"}, Replays: webhook.NewRedis(client, "")})
	assert.Equal(t, 503, deliver(t, h, fine, "a"))
}
