package session_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/secret"
	"rws/server/session"
)

// TestClock moves the clock that tests of programs bring along.
func TestClock(t *testing.T) {
	for _, name := range []string{"memory", "cookie"} {
		t.Run(name, func(t *testing.T) {
			at := time.Now()
			now := func() time.Time { return at }
			o := session.Options{Idle: time.Hour, Absolute: 3 * time.Hour, Now: now}
			if name == "memory" {
				m := session.NewMemory(0)
				m.SetClock(now)
				o.Store = m
			} else {
				o.Keys = secret.Random()
			}
			m, err := session.New(o)
			require.NoError(t, err)
			defer m.Close()

			first := m.Start(http.Header{}, false)
			_, saved, err := first.Info(t.Context())
			require.NoError(t, err)
			assert.False(t, saved, "a session that is not saved has no info")
			require.NoError(t, first.Set(t.Context(), "uid", 7))
			h := http.Header{}
			require.NoError(t, first.Save(t.Context(), h))
			info, saved, err := first.Info(t.Context())
			require.NoError(t, err)
			assert.True(t, saved)
			assert.Equal(t, "7", info.User)
			assert.Equal(t, at.Add(time.Hour).UnixMilli(), info.Expires.UnixMilli())

			answer := http.Response{Header: h}
			request := http.Header{"Cookie": {answer.Cookies()[0].Name + "=" + answer.Cookies()[0].Value}}
			at = at.Add(59 * time.Minute)
			uid, err := m.Start(request, false).Get(t.Context(), "uid")
			require.NoError(t, err)
			assert.Equal(t, int64(7), uid)
			at = at.Add(2 * time.Minute)
			uid, err = m.Start(request, false).Get(t.Context(), "uid")
			require.NoError(t, err)
			assert.Nil(t, uid, "the idle time is over")
		})
	}
}
