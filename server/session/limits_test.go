package session_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/cookie"
	"rws/server/secret"
	"rws/server/session"
)

func TestASessionIsBound(t *testing.T) {
	each(t, session.Options{MaxSize: 2000}, func(t *testing.T, m *session.Manager) {
		b := &browser{m: m}
		b.set(t, "n", 1)
		s := b.start()
		set(t, s, "big", strings.Repeat("x", 2000))
		err := s.Save(t.Context(), http.Header{})
		require.ErrorContains(t, err, "saving the session: session: 2016 bytes of data, at most 2000 are kept")
		assert.Nil(t, b.get(t, "big"))
		assert.Equal(t, int64(1), b.get(t, "n"))
	})
	s := (&browser{m: manager(t, session.Options{Keys: secret.Random()})}).start()
	set(t, s, "big", strings.Repeat("x", 4000))
	err := s.Save(t.Context(), http.Header{})
	require.ErrorContains(t, err, "browsers keep at most 4096")
	require.ErrorContains(t, err, "another store")
}

func TestValuesThatAreNotKept(t *testing.T) {
	s := (&browser{m: manager(t, session.Options{Store: session.NewMemory(0)})}).start()
	require.ErrorContains(t, s.Set(t.Context(), "f", func() {}), `the value of "f" cannot be stored`)
	require.ErrorContains(t, s.SetJSON(t.Context(), "j", []byte("{")), `the value of "j" is no JSON`)
	require.ErrorContains(t, s.SetJSON(t.Context(), "j", []byte("1 2")), "is no JSON")
	require.ErrorContains(t, s.Set(t.Context(), "", 1), `the key "" cannot be used`)
	require.ErrorContains(t, s.Set(t.Context(), "uid", true), `"uid" names the user, so it is a string or a number`)
	require.ErrorContains(t, s.Set(t.Context(), "uid", strings.Repeat("x", 256)), "names the user with 256 bytes, at most 255")
	set(t, s, "a", 1)
	assert.Equal(t, "session (a)", s.String())
	user, err := s.User(t.Context())
	require.NoError(t, err)
	assert.Empty(t, user)
	require.ErrorContains(t, s.Set(t.Context(), "\xff", 1), "is not UTF-8")
	require.ErrorContains(t, s.Set(t.Context(), "uid", "a\x00"), "U+0000", "no store has to be able to hold it")
}

// What was taken in must be readable again: else every request of the session fails until it ends.
func TestWhatCannotBeReadAgainIsNotTakenIn(t *testing.T) {
	deepest := strings.Repeat("[", 9999) + strings.Repeat("]", 9999)
	for _, raw := range []string{
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, "\"\xff\"", "{\"\xff\":1}", `"\ud800"`, "[" + deepest + "]", "1,2", "1],[2", "",
	} {
		s := (&browser{m: manager(t, session.Options{Store: session.NewMemory(0)})}).start()
		require.Error(t, s.SetJSON(t.Context(), "k", []byte(raw)), "%.20q", raw)
	}
	for _, raw := range []string{deepest, `"\u0000"`, `{"a":{"a":1}}`, `18446744073709551616.10`} {
		b := &browser{m: manager(t, session.Options{Store: session.NewMemory(0)})}
		b.request(t, func(s *session.Session) { require.NoError(t, s.SetJSON(t.Context(), "k", []byte(raw))) })
		kept, _, err := b.start().GetJSON(t.Context(), "k")
		require.NoError(t, err)
		assert.Equal(t, raw, string(kept))
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for want, o := range map[string]session.Options{
		"neither a store nor keys are given":     {},
		"an idle time of 1h0m0s and 1m0s in all": {Store: session.NewMemory(0), Idle: time.Hour, Absolute: time.Minute},
		"a size of 1 bytes":                      {Store: session.NewMemory(0), MaxSize: 1},
		`cookie "a b": invalid Cookie.Name`:      {Store: session.NewMemory(0), Name: "a b"},
		`same_site "never" is none of`:           {Store: session.NewMemory(0), Cookie: cookie.Options{SameSite: "never"}},
	} {
		_, err := session.New(o)
		require.ErrorContains(t, err, want)
	}
}

// FuzzCookie sees that no cookie of an attacker is taken for a session.
func FuzzCookie(f *testing.F) {
	m, err := session.New(session.Options{Keys: secret.Random()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("rws_sid=x")
	f.Add("rws_sid=" + strings.Repeat("A", 100))
	f.Fuzz(func(t *testing.T, field string) {
		s := m.Start(http.Header{"Cookie": {field}}, false)
		keys, err := s.Keys(t.Context())
		if err != nil || len(keys) != 0 {
			t.Errorf("%q gave %v, %v", field, keys, err)
		}
	})
}

// FuzzData sees that what was kept is read again, and that no text panics.
func FuzzData(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[{"c":null}],"":"x"}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add([]byte(`{"a"`))
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := session.Recode(b)
		if err != nil {
			return
		}
		if !json.Valid(again) {
			t.Errorf("%q became %q", b, again)
		}
		if third, err := session.Recode(again); err != nil || string(third) != string(again) {
			t.Errorf("%q became %q, %v", again, third, err)
		}
	})
}
