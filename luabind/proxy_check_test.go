package luabind_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is 0, empty or can't be would be the default, or nothing at all, without a word.
func TestOptionsOfProxiesWithoutEffectAreRefused(t *testing.T) {
	for script, want := range map[string]string{
		`app:proxy("/*", { { url = U, weight = 0 }, "http://127.0.0.1:2" })`:                  "weight: 0",
		`app:tcp(":5432", { to = { { url = "10.0.0.1:1", weight = 0 } } })`:                   "weight: 0",
		`app:upstream("a", { to = U, passive = { max_ejected = "0%" } })`:                     `"passive.max_ejected": 0`,
		`app:upstream("a", { to = U, passive = { share = "0%", minimum = 5 } })`:              `"passive.share": 0`,
		`app:upstream("a", { to = U, breaker = { share = "0%" } })`:                           `"breaker.share": 0`,
		`app:upstream("a", { to = U, sticky = { cookie = "a", max_age = "0s" } })`:            `"sticky.max_age": 0`,
		`app:upstream("a", { to = U, balance = { policy = "ip_hash", bound = 0 } })`:          `"balance.bound": 0`,
		`app:upstream("a", { to = U, sticky = {} })`:                                          `"sticky": it is empty`,
		`app:upstream("a", { to = "https://127.0.0.1:1", tls = {} })`:                         `"tls": it is empty`,
		`app:proxy("/*", U, { request = {} })`:                                                `"request": it is empty`,
		`app:proxy("/*", U, { host = "" })`:                                                   `"host": it is empty`,
		`app:proxy("/*", U, { request = { remove = {} } })`:                                   `"request.remove": the list is empty`,
		`app:proxy("/*", U, { request = { remove = { 5 } } })`:                                "got the number 5",
		`app:proxy("/*", U, { protect = 5 })`:                                                 "got the number 5",
		`app:proxy("/*", U, { response = { remove = "X-*-Y" } })`:                             "at one end",
		`app:proxy("/*", U, { request = { set = { x_a = "1", ["X-A"] = "2" } } })`:            "X-A is there twice",
		`app:proxy("/*", { U, U })`:                                                           "is there twice",
		`app:upstream("a", { to = U, health = { every = "1s", timeout = "5s" } })`:            "longer than every",
		`app:upstream("a", { to = U, pool = { idle = 10, per_backend = 5 } })`:                "more than per_backend",
		`app:upstream("a", { to = U, pool = { max_header = "100mb" } })`:                      "at most 16mb",
		`app:proxy("/*", U, { retry = { methods = "GET POST" } })`:                            "is no method",
		`app:upstream("a", { to = U, balance = { policy = "header_hash", header = "a b" } })`: "no name of a header",
		`app:upstream("a", { to = U, balance = { policy = "cookie_hash", cookie = "a b" } })`: "no name of a cookie",
		`app:upstream("a", { to = U, timeout = { whole = "1s", response = "5s" } })`:          "response is longer than whole",
		`app:proxy("/*", U, { timeout = { whole = "1s", connect = "5s" } })`:                  "connect is longer than whole",
		`app:tcp(":5432", { to = "10.0.0.1:1", tries = -1 })`:                                 `"tries": -1`,
		`app:tcp(":5432", { to = "10.0.0.1:1", max_conns = -1 })`:                             `"max_conns": -1`,
		`app:tcp(":5432", { to = "10.0.0.1:1", max_conns_per_ip = -1 })`:                      `"max_conns_per_ip": -1`,
	} {
		_, err := loadScript(t, "local U = 'http://127.0.0.1:1'\n"+script, nil)
		if assert.ErrorContains(t, err, want, script) {
			assert.ErrorContains(t, err, "app.lua:2", script)
		}
	}
	_, err := loadScript(t, `app:proxy("/b/*", "http://127.0.0.1:1", { breaker = {}, health = {} })`, nil)
	assert.NoError(t, err, "these are their defaults")
}

func TestHeaderNamesOfProxiesHaveDashesForUnderscores(t *testing.T) {
	got := make(chan http.Header, 1)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		w.Header().Set("X-Internal-Id", "1")
	}))
	defer backend.Close()
	h := handler(t, fmt.Sprintf(`app:proxy("/*", %q, {
		request = { set = { x_user = "b" }, add = { x_tag = "c" }, remove = { "x_internal", "x_trace_*" } },
		response = { set = { x_by = "rws" }, remove = "x_internal_id" },
	})`, backend.URL))
	r := httptest.NewRequest("GET", "/", nil)
	for _, name := range []string{"X-Internal", "X-Trace-Id", "X-User"} {
		r.Header.Set(name, "visitor")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, 200, w.Code)
	header := <-got
	assert.Equal(t, []string{"b"}, header["X-User"])
	assert.Equal(t, []string{"c"}, header["X-Tag"])
	assert.NotContains(t, header, "X_user")
	assert.NotContains(t, header, "X-Internal")
	assert.NotContains(t, header, "X-Trace-Id")
	assert.Equal(t, "rws", w.Header().Get("X-By"))
	assert.NotContains(t, w.Header(), "X-Internal-Id")
}
