package luabind_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A script with a stream under way may stay for long after it was replaced: the next one asks for all that is to
// be known of backends.
func TestAReplacedScriptAsksNoMoreForItsBackends(t *testing.T) {
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(s.Close)
	p := newApp(t, `
		local api = app:upstream("api", { refresh = "5ms", to = function() return "`+s.URL+`" end,
			health = { path = "/up", every = "5ms", timeout = "5ms" } })
		app:proxy("/*", api)`, nil)
	require.NoError(t, p.Start(t.Context()))
	require.Eventually(t, func() bool { return asked.Load() > 3 }, 10*time.Second, time.Millisecond)
	p.App.Replaced()
	assert.Eventually(t, func() bool {
		before := asked.Load()
		time.Sleep(50 * time.Millisecond) // of ten checks
		return asked.Load() == before
	}, 10*time.Second, time.Millisecond)
	assert.Equal(t, 200, do(t, p, "GET /x").Status, "what is under way has its backend")
}
