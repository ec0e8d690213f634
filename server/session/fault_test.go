package session_test

import (
	"context"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/server/redis"
	"rws/server/session"
	"rws/spec_test/peers"
)

// Redis stops under load and comes back.
func TestRedisThatStopsAndStarts(t *testing.T) {
	server := peers.RedisServer(t, "--appendonly", "yes", "--appendfsync", "always")
	c := client(t, server.URL()+"?pool_size=4&dial_timeout=1s")
	m := manager(t, session.Options{Store: session.NewRedis(c, "")})
	b := &browser{m: m}
	b.set(t, "n", 1)

	var wg sync.WaitGroup
	var served, failed atomic.Int64
	stop := make(chan struct{})
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				tab := *b
				s := tab.start()
				if _, err := s.Get(context.Background(), "n"); err != nil {
					assert.True(t, redis.Unavailable(err), "%v", err)
					assert.ErrorContains(t, err, "loading the session: redis: HMGET: redis://127.0.0.1")
					failed.Add(1)
				} else {
					served.Add(1)
				}
				assert.NoError(t, s.Save(context.Background(), http.Header{}), "what was not loaded is not saved")
			}
		})
	}
	wait := func(what string, n *atomic.Int64) {
		t.Helper()
		before := n.Load()
		require.Eventually(t, func() bool { return n.Load() > before }, soon, 10*time.Millisecond, what)
	}
	wait("requests", &served)
	changed := b.start()
	set(t, changed, "n", 2)
	server.Stop(t)
	wait("errors", &failed)
	require.ErrorContains(t, changed.Save(t.Context(), http.Header{}), "saving the session: redis: EVALSHA: redis://127.0.0.1")
	server.Start(t)
	wait("recovery without a restart", &served)
	require.Eventually(t, func() bool { return changed.Save(t.Context(), http.Header{}) == nil }, soon, 10*time.Millisecond)
	close(stop)
	wg.Wait()
	assert.Equal(t, int64(2), b.get(t, "n"), "saved in the end")
	assert.LessOrEqual(t, c.Stats().Open, uint32(4), "no connection leaks")
}

// Two processes begin with an empty database.
func TestTheTableIsMadeOnce(t *testing.T) {
	for name, url := range map[string]string{
		"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "test.db"), "postgres": peers.Postgres(t), "mariadb": peers.MariaDB(t),
	} {
		var wg sync.WaitGroup
		for range 8 {
			d, err := db.Open(url, db.Options{})
			require.NoError(t, err)
			defer d.Close()
			wg.Go(func() {
				_, err := session.NewSQL(context.Background(), d)
				assert.NoError(t, err, name)
			})
		}
		wg.Wait()
	}
}

func BenchmarkLoad(b *testing.B) {
	for name, open := range managers(session.Options{}) {
		b.Run(name, func(b *testing.B) {
			user := &browser{m: open(b)}
			user.set(b, "uid", 7)
			header := http.Header{"Cookie": {"theme=dark; " + user.pair}}
			b.ReportAllocs()
			for b.Loop() {
				s := user.m.Start(header, false)
				if v, err := s.Get(b.Context(), "uid"); err != nil || v != int64(7) {
					b.Fatal(v, err)
				}
				if err := s.Save(b.Context(), http.Header{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSave(b *testing.B) {
	for name, open := range managers(session.Options{}) {
		b.Run(name, func(b *testing.B) {
			user := &browser{m: open(b)}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				user.set(b, "n", i)
			}
		})
	}
}

func BenchmarkUnused(b *testing.B) {
	m := manager(b, session.Options{Store: session.NewMemory(0)})
	header := http.Header{"Cookie": {"theme=dark; rws_sid=abcdefghijklmnopqrstuv"}}
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Start(header, false).Save(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
}
