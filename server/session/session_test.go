package session_test

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/cookie"
	"rws/server/session"
)

func TestWhatIsSetIsThereInTheNextRequest(t *testing.T) {
	each(t, session.Options{}, func(t *testing.T, m *session.Manager) {
		b := &browser{m: m}
		values := map[string]any{
			"s": "Zoë \x00😀", "n": int64(9007199254740993), "min": int64(math.MinInt64), "f": 1.5, "yes": true,
			"list": []any{int64(1), "two", nil, []any{}}, "map": map[string]any{"a": map[string]any{}},
		}
		b.request(t, func(s *session.Session) {
			for key, v := range values {
				set(t, s, key, v)
			}
			require.NoError(t, s.SetJSON(t.Context(), "exact", []byte(` [ 123456789012345678901234567890 ] `)))
		})
		b.request(t, func(s *session.Session) {
			for key, v := range values {
				assert.Equal(t, v, get(t, s, key), key)
			}
			raw, ok, err := s.GetJSON(t.Context(), "exact")
			require.NoError(t, err)
			assert.True(t, ok)
			assert.Equal(t, `[123456789012345678901234567890]`, string(raw))
			assert.Nil(t, get(t, s, "absent"))
			keys, err := s.Keys(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{"exact", "f", "list", "map", "min", "n", "s", "yes"}, keys)
			require.NoError(t, s.Del(t.Context(), "s"))
			set(t, s, "f", nil)
			require.NoError(t, s.SetJSON(t.Context(), "yes", []byte("null")))
		})
		b.request(t, func(s *session.Session) {
			keys, err := s.Keys(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []string{"exact", "list", "map", "min", "n"}, keys)
			require.NoError(t, s.Clear(t.Context()))
		})
		assert.Nil(t, b.get(t, "n"))
	})
}

func TestASessionThatIsNotUsedCostsNothing(t *testing.T) {
	each(t, session.Options{}, func(t *testing.T, m *session.Manager) {
		b := &browser{m: m}
		b.request(t, func(*session.Session) {})
		assert.Empty(t, b.sent)
		assert.Nil(t, b.get(t, "n"))
		assert.Empty(t, b.sent, "reading makes no session")
		b.request(t, func(s *session.Session) { set(t, s, "n", 1); set(t, s, "n", nil) })
		assert.Empty(t, b.sent, "nor does nothing")
		b.set(t, "n", 1)
		assert.NotEmpty(t, b.sent)
		b.set(t, "n", 1)
		assert.Empty(t, b.sent, "setting the same is no change")
		assert.Equal(t, int64(1), b.get(t, "n"))
		assert.Empty(t, b.sent)
	})
}

func TestTheCookieIsSafe(t *testing.T) {
	no := false
	for want, c := range map[string]struct {
		o   session.Options
		tls bool
	}{
		"rws_sid=~; Path=/; Expires=~; Max-Age=2592000; HttpOnly; SameSite=Lax":                             {},
		"__Host-rws_sid=~; Path=/; Expires=~; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax":              {tls: true},
		"sid=~; Path=/app; Expires=~; Max-Age=60; HttpOnly; Secure; SameSite=Strict":                        {session.Options{Name: "sid", Idle: time.Minute, Absolute: time.Minute, Cookie: cookie.Options{Path: "/app", SameSite: "strict"}}, true},
		"rws_sid=~; Path=/; Domain=example.com; Expires=~; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax": {session.Options{Cookie: cookie.Options{Domain: "example.com"}}, true},
		"rws_sid=~; Path=/; Expires=~; Max-Age=2592000; HttpOnly; SameSite=Lax;":                            {session.Options{Cookie: cookie.Options{Secure: &no}}, true},
	} {
		c.o.Store = session.NewMemory(0)
		b := &browser{m: manager(t, c.o), tls: c.tls}
		b.set(t, "n", 1)
		assert.Regexp(t, "^"+strings.ReplaceAll(strings.TrimSuffix(want, ";"), "~", "[^;]+")+"$", b.sent)
		assert.Equal(t, int64(1), b.get(t, "n"))
	}
}

func TestUnderTLSOnlyTheHostCookieCounts(t *testing.T) {
	b := &browser{m: manager(t, session.Options{Store: session.NewMemory(0)}), tls: true}
	b.set(t, "n", 1)
	b.pair = strings.TrimPrefix(b.pair, "__Host-") // as a neighbour host could set it
	assert.Nil(t, b.get(t, "n"))
}

// The id that an attacker gives to a client does not become that of its session.
func TestIdsAreNeverAdopted(t *testing.T) {
	each(t, session.Options{}, func(t *testing.T, m *session.Manager) {
		for _, token := range []string{strings.Repeat("A", 22), "x", "", strings.Repeat("A", 5000), "a%00b"} {
			b := &browser{m: m, pair: "rws_sid=" + token}
			b.set(t, "uid", 7)
			require.NotEmpty(t, b.sent)
			assert.NotEqual(t, "rws_sid="+token, b.pair)
			assert.Equal(t, int64(7), b.get(t, "uid"))
			other := &browser{m: m, pair: "rws_sid=" + token}
			assert.Nil(t, other.get(t, "uid"))
		}
	})
}

func TestALoginRenewsTheId(t *testing.T) {
	each(t, session.Options{}, func(t *testing.T, m *session.Manager) {
		b := &browser{m: m}
		b.set(t, "cart", []any{"book"})
		before := *b
		b.set(t, "uid", 7)
		assert.NotEqual(t, before.pair, b.pair)
		assert.Equal(t, []any{"book"}, b.get(t, "cart"), "what was there is taken along")
		assert.Nil(t, before.get(t, "uid"), "who knew the id before is not logged in")
		login := *b
		b.set(t, "uid", 7)
		assert.Empty(t, b.sent, "the same user")
		b.request(t, func(s *session.Session) { require.NoError(t, s.Renew(t.Context())) })
		assert.NotEqual(t, login.pair, b.pair)
		assert.Equal(t, int64(7), b.get(t, "uid"))
		renewed := *b
		require.NoError(t, func() error { s := b.start(); defer b.finish(t, s); return s.Del(t.Context(), "uid") }())
		assert.NotEqual(t, renewed.pair, b.pair, "a logout")
		assert.Equal(t, []any{"book"}, b.get(t, "cart"))
		if _, err := m.List(t.Context(), "7", 10); err == nil {
			assert.Nil(t, before.get(t, "cart"), "old ids are void")
			assert.Nil(t, login.get(t, "uid"))
			assert.Nil(t, renewed.get(t, "uid"))
		}
	})
}

func TestDestroyEndsASession(t *testing.T) {
	each(t, session.Options{}, func(t *testing.T, m *session.Manager) {
		b := &browser{m: m}
		b.set(t, "uid", 7)
		before := *b
		b.request(t, func(s *session.Session) {
			require.NoError(t, s.Destroy(t.Context()))
			assert.Nil(t, get(t, s, "uid"))
		})
		assert.Contains(t, b.sent, "rws_sid=; Path=/;")
		assert.Contains(t, b.sent, "Max-Age=0")
		if _, err := m.List(t.Context(), "", 10); err == nil {
			assert.Nil(t, before.get(t, "uid"), "a copy of the cookie is worth nothing")
		}
		b.set(t, "uid", 8)
		b.request(t, func(s *session.Session) {
			require.NoError(t, s.Destroy(t.Context()))
			set(t, s, "note", "bye")
		})
		assert.Equal(t, "bye", b.get(t, "note"), "what is set afterwards is a new session")
		assert.Nil(t, b.get(t, "uid"))
		(&browser{m: m}).request(t, func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
	})
}

func TestFlashesAreSeenOnce(t *testing.T) {
	each(t, session.Options{}, func(t *testing.T, m *session.Manager) {
		b := &browser{m: m}
		b.request(t, func(s *session.Session) {
			require.NoError(t, s.Flash(t.Context(), "error", "one"))
			require.NoError(t, s.Flash(t.Context(), "error", "two"))
			require.NoError(t, s.Flash(t.Context(), "info", "three"))
		})
		take := func(kind string) (got map[string][]string) {
			b.request(t, func(s *session.Session) {
				var err error
				got, err = s.TakeFlashes(t.Context(), kind)
				require.NoError(t, err)
			})
			return got
		}
		assert.Equal(t, map[string][]string{"error": {"one", "two"}}, take("error"))
		assert.Empty(t, take("error"))
		assert.Equal(t, map[string][]string{"info": {"three"}}, take(""))
		assert.Empty(t, take(""))
		b.request(t, func(s *session.Session) {
			keys, err := s.Keys(t.Context())
			require.NoError(t, err)
			assert.Empty(t, keys)
			require.ErrorContains(t, s.Set(t.Context(), "_flash", 1), `the key "_flash" cannot be used`)
		})
	})
}

// Two tabs of one browser.
func TestRequestsAtTheSameTimeKeepEachOthersChanges(t *testing.T) {
	for name, open := range managers(session.Options{}) {
		if name == "cookie" {
			continue // of two requests the last one wins, as is said in the documentation
		}
		t.Run(name, func(t *testing.T) {
			b := &browser{m: open(t)}
			b.set(t, "old", 1)
			one, two := b.start(), b.start()
			set(t, one, "one", 1)
			set(t, two, "two", 2)
			require.NoError(t, two.Del(t.Context(), "old"))
			b.finish(t, one)
			b.finish(t, two)
			b.request(t, func(s *session.Session) {
				keys, err := s.Keys(t.Context())
				require.NoError(t, err)
				assert.Equal(t, []string{"one", "two"}, keys)
			})

			var wg sync.WaitGroup
			for i := range 12 {
				tab := *b
				wg.Go(func() { tab.set(t, fmt.Sprint("tab", i), i) })
			}
			wg.Wait()
			for i := range 12 {
				assert.Equal(t, int64(i), b.get(t, fmt.Sprint("tab", i)))
			}

			slow, login := b.start(), *b
			set(t, slow, "slow", 1)
			other := *b
			other.set(t, "fast", 1) // between the loading and the saving of the login
			login.request(t, func(s *session.Session) {
				assert.Equal(t, int64(1), get(t, s, "fast"))
				set(t, s, "uid", 7)
				other.set(t, "faster", 1)
			})
			assert.Equal(t, int64(1), login.get(t, "faster"), "a login takes along what others have changed")
			h := http.Header{}
			require.NoError(t, slow.Save(t.Context(), h))
			assert.Empty(t, h, "a request that is late does not bring back the old id")
			assert.Nil(t, b.get(t, "slow"))
		})
	}
}

func TestADestroyedSessionDoesNotComeBack(t *testing.T) {
	for name, open := range managers(session.Options{}) {
		if name == "cookie" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			b := &browser{m: open(t)}
			b.set(t, "uid", 7)
			late, renewing, login := b.start(), b.start(), b.start()
			set(t, late, "n", 1)
			require.NoError(t, renewing.Renew(t.Context()))
			set(t, login, "uid", 8)
			copied := *b
			b.request(t, func(s *session.Session) { require.NoError(t, s.Destroy(t.Context())) })
			for _, s := range []*session.Session{late, renewing} {
				h := http.Header{}
				require.NoError(t, s.Save(t.Context(), h))
				assert.Empty(t, h)
			}
			assert.Nil(t, copied.get(t, "uid"))
			tab := &browser{m: b.m}
			tab.finish(t, login)
			assert.Equal(t, int64(8), tab.get(t, "uid"), "but somebody who logs in is logged in")
		})
	}
}

func TestALogoutEndsASessionThatIsBeingRenewed(t *testing.T) {
	for name, open := range managers(session.Options{}) {
		if name == "cookie" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			b := &browser{m: open(t)}
			b.set(t, "uid", 7)
			other := &browser{m: b.m}
			other.set(t, "uid", 7)
			logout, renewing := b.start(), b.start()
			require.NoError(t, logout.Load(t.Context()))
			require.NoError(t, renewing.Renew(t.Context()))
			b.finish(t, renewing)
			assert.Equal(t, int64(7), b.get(t, "uid"))
			require.NoError(t, logout.Destroy(t.Context()))
			require.NoError(t, logout.Save(t.Context(), http.Header{}))
			assert.Nil(t, b.get(t, "uid"))
			assert.Equal(t, int64(7), other.get(t, "uid"), "those of other devices stay")
		})
	}
}
