package session_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/secret"
	"rws/server/session"
)

// counting counts the writes to a store and can fail.
type counting struct {
	session.Store
	mu              sync.Mutex
	touches, purges int
	err             error
}

func (c *counting) Touch(ctx context.Context, r *session.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touches++
	return c.Store.Touch(ctx, r)
}

func (c *counting) Purge(ctx context.Context, now time.Time) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.purges++
	if c.err != nil {
		return 0, c.err
	}
	return c.Store.Purge(ctx, now)
}

func (c *counting) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *counting) purged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.purges
}

// clocked runs f with a manager in memory and one in cookies, in a bubble of its own.
func clocked(t *testing.T, f func(t *testing.T, b *browser, store *counting)) {
	t.Helper()
	for _, inCookie := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := &counting{Store: session.NewMemory(0)}
			o := session.Options{Store: store, Idle: time.Hour, Absolute: 5 * time.Hour}
			if inCookie {
				o.Store, o.Keys = nil, secret.Random()
			}
			m, err := session.New(o)
			require.NoError(t, err)
			defer m.Close()
			f(t, &browser{m: m}, store)
		})
	}
}

func TestASessionEndsWhenItIsIdle(t *testing.T) {
	clocked(t, func(t *testing.T, b *browser, _ *counting) {
		b.set(t, "n", 1)
		for range 4 {
			time.Sleep(56 * time.Minute)
			assert.Equal(t, int64(1), b.get(t, "n"), "each use counts")
		}
		time.Sleep(time.Hour + time.Second)
		assert.Nil(t, b.get(t, "n"))
	})
}

func TestASessionEndsInAnyCase(t *testing.T) {
	clocked(t, func(t *testing.T, b *browser, _ *counting) {
		b.set(t, "n", 1)
		for range 9 {
			time.Sleep(33 * time.Minute)
			assert.Equal(t, int64(1), b.get(t, "n"))
		}
		time.Sleep(4 * time.Minute)
		assert.Nil(t, b.get(t, "n"), "5 hours after it was made")
		b.set(t, "n", 1)
		time.Sleep(30 * time.Minute)
		b.set(t, "uid", 7)
		for range 9 {
			time.Sleep(33 * time.Minute)
			assert.Equal(t, int64(7), b.get(t, "uid"), "a login begins anew")
		}
	})
}

func TestASessionMayEndWhileItsRequestRuns(t *testing.T) {
	for what, use := range map[string]func(t *testing.T, s *session.Session){
		"reading": func(t *testing.T, s *session.Session) { get(t, s, "n") },
		"writing": func(t *testing.T, s *session.Session) { set(t, s, "n", 2) },
	} {
		clocked(t, func(t *testing.T, b *browser, _ *counting) {
			b.set(t, "n", 1)
			for range 10 {
				time.Sleep(29 * time.Minute)
				b.get(t, "n")
			}
			s := b.start()
			use(t, s)
			time.Sleep(11 * time.Minute)
			h := http.Header{}
			require.NoError(t, s.Save(t.Context(), h), what)
			assert.Empty(t, h, what)
			assert.Nil(t, b.get(t, "n"), what)
		})
	}
}

func TestReadingWritesNowAndThen(t *testing.T) {
	clocked(t, func(t *testing.T, b *browser, store *counting) {
		b.set(t, "n", 1)
		sent := 0
		for range 300 {
			time.Sleep(time.Second)
			b.get(t, "n")
			if b.sent != "" {
				sent++
			}
		}
		assert.Equal(t, 1, sent+store.touches, "in 5 minutes: once in 3")
	})
}

func TestAnIdleTabDoesNotUndoATouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, session.Options{Store: session.NewMemory(0), Idle: time.Hour})
		b := &browser{m: m}
		b.set(t, "n", 1)
		slow := b.start()
		get(t, slow, "n")
		time.Sleep(30 * time.Minute)
		b.get(t, "n")
		set(t, slow, "m", 1)
		b.finish(t, slow)
		time.Sleep(50 * time.Minute)
		assert.Equal(t, int64(1), b.get(t, "n"))
		m.Close()
	})
}

func TestWhatHasEndedIsPurged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &counting{Store: session.NewMemory(0)}
		var told []error
		m, err := session.New(session.Options{Store: store, Idle: time.Minute, OnError: func(err error) { told = append(told, err) }})
		require.NoError(t, err)
		b := &browser{m: m}
		b.set(t, "n", 1)
		time.Sleep(time.Minute + session.DefaultPurge + time.Second)
		n, err := m.Purge(t.Context())
		require.NoError(t, err)
		assert.Zero(t, n, "it is done already")
		assert.Equal(t, 3, store.purged(), "after a minute, after ten more, and by hand")
		store.fail(errors.New("the disk is full"))
		time.Sleep(session.DefaultPurge)
		m.Close()
		require.Len(t, told, 1)
		assert.EqualError(t, told[0], "session: removing what has ended: the disk is full")
		time.Sleep(time.Hour)
		assert.Equal(t, 4, store.purged(), "not after Close")
	})
}

func TestKeysOfCookieSessionsRotate(t *testing.T) {
	const first, second = "first-secret-0123456789-abcdefghij", "second-secret-0123456789-abcdefghi"
	open := func(secrets ...string) *session.Manager {
		keys, err := secret.New(secrets...)
		require.NoError(t, err)
		return manager(t, session.Options{Keys: keys})
	}
	b := &browser{m: open(first)}
	b.set(t, "n", 1)
	b.m = open(second, first)
	assert.Equal(t, int64(1), b.get(t, "n"))
	b.set(t, "n", 2)
	b.m = open(second)
	assert.Equal(t, int64(2), b.get(t, "n"))
	b.m = open(first)
	assert.Nil(t, b.get(t, "n"))
}

func TestSaveMayBeCalledAgain(t *testing.T) {
	each(t, session.Options{}, func(t *testing.T, m *session.Manager) {
		b := &browser{m: m}
		s := b.start()
		set(t, s, "one", 1)
		b.finish(t, s)
		cookie := b.pair
		h := http.Header{}
		require.NoError(t, s.Save(t.Context(), h))
		assert.Empty(t, h)
		set(t, s, "two", 2)
		h = http.Header{}
		require.NoError(t, s.Save(t.Context(), h))
		if h.Get("Set-Cookie") != "" {
			b.take(h) // a session in the cookie
		} else {
			assert.Equal(t, cookie, b.pair)
		}
		assert.Equal(t, int64(2), b.get(t, "two"))
	})
}

func TestTheFirstPurgeIsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for purge, after := range map[time.Duration]time.Duration{0: time.Minute, time.Hour: time.Minute, time.Second: time.Second} {
			store := &counting{Store: session.NewMemory(0)}
			m, err := session.New(session.Options{Store: store, Purge: purge})
			require.NoError(t, err)
			time.Sleep(after - time.Millisecond)
			assert.Zero(t, store.purged(), "every %s", purge)
			time.Sleep(2 * time.Millisecond)
			assert.Equal(t, 1, store.purged(), "every %s", purge)
			m.Close()
		}
	})
}
