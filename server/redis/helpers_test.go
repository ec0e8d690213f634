package redis_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/redis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, url string) *redis.Client {
	t.Helper()
	c, err := redis.Open(url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// do sends a command that must succeed.
func do(t testing.TB, c *redis.Client, args ...any) any {
	t.Helper()
	reply, err := c.Do(t.Context(), args...)
	require.NoError(t, err)
	return reply
}

// code sends a command that must fail and returns the code of its error.
func code(t testing.TB, c *redis.Client, args ...any) string {
	t.Helper()
	_, err := c.Do(t.Context(), args...)
	var e *redis.Error
	require.ErrorAs(t, err, &e)
	return e.Code
}

func soon(t testing.TB, what string, f func() bool) {
	t.Helper()
	for start := time.Now(); !f(); time.Sleep(20 * time.Millisecond) {
		require.Less(t, time.Since(start), 30*time.Second, what)
	}
}
