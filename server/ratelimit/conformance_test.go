package ratelimit_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/db"
	"rws/server/ratelimit"
	"rws/server/redis"
	"rws/spec_test/peers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stores are all implementations, each made afresh.
var stores = map[string]func(t *testing.T) ratelimit.Store{
	"memory": func(*testing.T) ratelimit.Store { return ratelimit.NewMemory(0) },
	"redis": func(t *testing.T) ratelimit.Store {
		client, err := redis.Open(peers.Redis(t))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, client.Close()) })
		return ratelimit.NewRedis(client, "")
	},
	"sqlite":   func(t *testing.T) ratelimit.Store { return sql(t, "sqlite:"+t.TempDir()+"/limits.db") },
	"postgres": func(t *testing.T) ratelimit.Store { return sql(t, peers.Postgres(t)) },
	"mariadb":  func(t *testing.T) ratelimit.Store { return sql(t, peers.MariaDB(t)) },
}

func sql(t *testing.T, url string) ratelimit.Store {
	d, err := db.Open(url, db.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, d.Close()) })
	s, err := ratelimit.NewSQL(t.Context(), d)
	require.NoError(t, err)
	return s
}

func TestStores(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			for promise, check := range map[string]func(*testing.T, ratelimit.Store){
				"a burst passes, and no more":       burstPasses,
				"time gives back":                   timeGivesBack,
				"keys are apart":                    keysAreApart,
				"many at once get exactly the rate": manyAtOnce,
			} {
				t.Run(promise, func(t *testing.T) {
					s := open(t)
					defer func() { assert.NoError(t, s.Close()) }()
					check(t, s)
				})
			}
		})
	}
}

func limiter(t *testing.T, s ratelimit.Store, rate ratelimit.Rate) func(key string) ratelimit.Result {
	l, err := ratelimit.New(s, "test", rate)
	require.NoError(t, err)
	return func(key string) ratelimit.Result {
		r, err := l.Take(t.Context(), key)
		assert.NoError(t, err)
		return r
	}
}

func burstPasses(t *testing.T, s ratelimit.Store) {
	take := limiter(t, s, ratelimit.Rate{Count: 3, Per: time.Hour})
	for remaining := 2; remaining >= 0; remaining-- {
		r := take("a")
		assert.True(t, r.Allowed)
		assert.Equal(t, 3, r.Limit)
		assert.Equal(t, remaining, r.Remaining)
	}
	for range 2 { // refusals do not make it longer
		r := take("a")
		assert.False(t, r.Allowed)
		assert.Zero(t, r.Remaining)
		assert.InDelta(t, 20*time.Minute, r.RetryAfter, float64(time.Minute))
		assert.InDelta(t, time.Hour, r.Reset, float64(time.Minute))
	}
}

func timeGivesBack(t *testing.T, s ratelimit.Store) {
	take := limiter(t, s, ratelimit.Rate{Count: 10, Per: time.Second, Burst: 1})
	start := time.Now()
	for passed := 0; passed < 4; {
		if take("a").Allowed {
			passed++
		}
	}
	assert.GreaterOrEqual(t, time.Since(start), 290*time.Millisecond, "the first is free, three wait")
}

func keysAreApart(t *testing.T, s ratelimit.Store) {
	take := limiter(t, s, ratelimit.Rate{Count: 1, Per: time.Hour})
	for _, key := range []string{"a", "A", "ä", "192.0.2.1", "2001:db8::/64", "a b"} {
		assert.True(t, take(key).Allowed, key)
		assert.False(t, take(key).Allowed, key)
	}
	other, err := ratelimit.New(s, "other", ratelimit.Rate{Count: 1, Per: time.Hour})
	require.NoError(t, err)
	r, err := other.Take(t.Context(), "a")
	require.NoError(t, err)
	assert.True(t, r.Allowed, "limiters are apart")
}

func manyAtOnce(t *testing.T, s ratelimit.Store) {
	take := limiter(t, s, ratelimit.Rate{Count: 20, Per: time.Hour})
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 6 {
				if take("a").Allowed {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 20, passed.Load())
}

// Two processes with one store share a limit; here two connections.
func TestSharedLimit(t *testing.T) {
	url := peers.Redis(t)
	var passed int
	for range 2 {
		client, err := redis.Open(url)
		require.NoError(t, err)
		defer client.Close()
		take := limiter(t, ratelimit.NewRedis(client, ""), ratelimit.Rate{Count: 3, Per: time.Hour})
		for range 3 {
			if take("a").Allowed {
				passed++
			}
		}
	}
	assert.Equal(t, 3, passed)
}

func TestAStoreThatIsDownIsAnError(t *testing.T) {
	client, err := redis.Open("redis://127.0.0.1:1")
	require.NoError(t, err)
	defer client.Close()
	l, err := ratelimit.New(ratelimit.NewRedis(client, ""), "login", ratelimit.Rate{Count: 1, Per: time.Hour})
	require.NoError(t, err)
	r, err := l.Take(t.Context(), "a")
	require.ErrorContains(t, err, "rate limit login")
	assert.False(t, r.Allowed)
}

func TestMemoryIsBounded(t *testing.T) {
	m := ratelimit.NewMemory(640)
	for i := range 10_000 {
		_, _, err := m.Take(context.Background(), string(rune(i+1000)), time.Hour, time.Hour)
		require.NoError(t, err)
	}
	assert.LessOrEqual(t, m.Len(), 640)
}

func BenchmarkTake(b *testing.B) {
	l, err := ratelimit.New(ratelimit.NewMemory(0), "b", ratelimit.Rate{Count: 1_000_000, Per: time.Second})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Take(b.Context(), "192.0.2.1"); err != nil {
			b.Fatal(err)
		}
	}
}
