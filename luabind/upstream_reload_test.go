package luabind_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
)

// A check that fails just when the script is loaded again is one of as many as it takes, and what was down stays it.
func TestWhatChecksKnowOutlivesAReload(t *testing.T) {
	var checks atomic.Int64
	var sick atomic.Bool
	checked := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/check" {
			return
		}
		checks.Add(1)
		if sick.Load() {
			w.WriteHeader(503)
		}
	}
	good := backend(t, checked)
	bad := backend(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) })
	shared := luabind.NewShared()
	load := func(before *luabind.Program) (*luabind.Program, string) {
		p := script(t, fmt.Sprintf(`
			local u = app:upstream("u", { to = { %q, %q }, health = { path = "/check", every = "1m", down = 3 } })
			app:proxy("/x", u)
			app:get("/state", function() local s = u:status() return s[1].state .. " " .. s[2].state end)
		`, good, bad), func(o *luabind.Options) { o.Shared = shared })
		if before == nil {
			require.NoError(t, p.Start(t.Context()))
		} else {
			require.NoError(t, p.Reload(t.Context(), before))
		}
		return p, front(t, p)
	}
	first, url := load(nil)
	require.Eventually(t, func() bool { return call(t, "GET", url+"/state") == "up down" }, 10*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool { return checks.Load() == 1 }, 10*time.Second, 5*time.Millisecond)
	sick.Store(true)
	next, url := load(first)
	assert.Equal(t, "up down", call(t, "GET", url+"/state"))
	require.Eventually(t, func() bool { return checks.Load() == 2 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, first.Close(t.Context()))
	time.Sleep(50 * time.Millisecond) // what the check has found is taken in
	assert.Equal(t, "up down", call(t, "GET", url+"/state"), "one check of three")
	require.NoError(t, next.Close(t.Context()))
}

// While the store of breakers is away a reload keeps what is open.
func TestAnOpenBreakerOutlivesAReloadWithoutItsStore(t *testing.T) {
	bad := says(t, "bad", 503)
	shared := luabind.NewShared()
	load := func() (*luabind.Program, string) {
		p := script(t, fmt.Sprintf(`
			local u = app:upstream("u", { to = %q, retries = 0, breaker = { failures = 2, open = "1m", store = "redis://127.0.0.1:1" } })
			app:proxy("/x", u)
			app:get("/state", function() return u:status()[1].state end)
		`, bad), func(o *luabind.Options) { o.Shared = shared })
		return p, front(t, p)
	}
	first, url := load()
	require.NoError(t, first.Start(t.Context()))
	call(t, "GET", url+"/x")
	call(t, "GET", url+"/x")
	require.Equal(t, "open", call(t, "GET", url+"/state"))
	next, url := load()
	require.NoError(t, next.Reload(t.Context(), first))
	assert.Equal(t, "open", call(t, "GET", url+"/state"))
}

// update makes its backends those of the pool, whatever the declaration has, and refuses what that refuses.
func TestUpdateReplacesWhatAFunctionFound(t *testing.T) {
	a, b := says(t, "a", 200), says(t, "b", 200)
	p := script(t, fmt.Sprintf(`
		local u = app:upstream("u", { to = function() return %q end, refresh = "20ms" })
		app:proxy("/x", u)
		app:get("/update", function() u:update(%q) return "done" end)
		app:get("/twice", function() u:update { %q, %q } end)
		app:get("/function", function() u:update(function() end) end)
		app:get("/names", function()
			local names = {}
			for _, s in ipairs(u:status()) do names[#names + 1] = s.name end
			return table.concat(names, " ")
		end)
	`, a, b, a, a))
	require.NoError(t, p.Start(t.Context()))
	url := front(t, p)
	require.Eventually(t, func() bool { return call(t, "GET", url+"/names") == a }, 10*time.Second, 5*time.Millisecond)
	assert.Equal(t, "done", call(t, "GET", url+"/update"))
	for range 5 {
		assert.Equal(t, b, call(t, "GET", url+"/names"))
		time.Sleep(20 * time.Millisecond)
	}
	for path, want := range map[string]string{"/twice": "is there twice", "/function": "a function belongs to the declaration"} {
		res, err := http.Get(url + path)
		require.NoError(t, err)
		res.Body.Close()
		assert.Equal(t, 500, res.StatusCode, want)
	}
}
