package luabind_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/server/auth/apikey"
)

// A constructor that was not called guards nothing.
func TestGuardsThatWereNotCalledFailTheLoad(t *testing.T) {
	for source, want := range map[string]string{
		`app:get("/", rws.auth.jwt, function() end)`:                    "rws.auth.jwt was not called: write rws.auth.jwt { … }",
		`app:use(rws.csrf)`:                                             "rws.csrf was not called",
		`app:group("/a", rws.rate_limit)`:                               "rws.rate_limit was not called",
		`app:get("/", { auth = rws.auth.basic }, function() end)`:       "rws.auth.basic was not called",
		`app:get("/", { auth = { rws.auth.api_key } }, function() end)`: "rws.auth.api_key was not called",
		`app:post("/", rws.webhook.guard, function() end)`:              `rws.webhook.guard was not called: write rws.webhook.guard("github", { … })`,
		`app:get("/", rws.http_cache, function() end)`:                  "rws.http_cache was not called",
		`app:get("/", rws.auth.require)`:                                "rws.auth.require was not called",
		`app:resource("/a", rws.ip_filter, { index = function() end })`: "rws.ip_filter was not called",
	} {
		_, err := load(t, source, nil)
		assert.ErrorContains(t, err, want, source)
		assert.ErrorContains(t, err, "app.lua:1", source)
	}
}

// The engine's own answer to OPTIONS passes the guards of the route, wherever they stand.
func TestOptionsPassesTheGuards(t *testing.T) {
	p := newApp(t, `
		app:get("/", function() return "ok" end)
		local g = app:group("/g", rws.auth.jwt { secret = "`+tokenSecret+`" })
		g:get("/x", function() return "ok" end)
		app:get("/spec", { auth = rws.auth.jwt { secret = "`+tokenSecret+`" }, limit = "1/h" }, function() return "ok" end)
		local cors = app:group("/cors", rws.cors { origins = { "https://a.test" } }, rws.auth.jwt { secret = "`+tokenSecret+`" })
		cors:get("/x", function() return "ok" end)
	`, nil)
	assert.Equal(t, 204, do(t, p, "OPTIONS /").Status)
	assert.Equal(t, 401, do(t, p, "OPTIONS /g/x").Status)
	assert.Equal(t, 401, do(t, p, "OPTIONS /spec").Status)
	assert.Equal(t, 429, do(t, p, "OPTIONS /spec").Status)
	assert.Equal(t, 401, do(t, p, "OPTIONS /cors/x").Status)
	preflight := luabind.Call{Header: map[string]string{"Origin": "https://a.test", "Access-Control-Request-Method": "GET"}}
	assert.Equal(t, 204, do(t, p, "OPTIONS /cors/x", preflight).Status)
	assert.Equal(t, 401, do(t, p, "OPTIONS /g/x", preflight).Status)
}

// The time of a route is also that of what stands before its handler.
func TestTheTimeOfARouteCoversItsGuards(t *testing.T) {
	key, _, err := apikey.Generate("")
	require.NoError(t, err)
	p := newApp(t, `
		app:get("/key", { timeout = "30ms", auth = rws.auth.api_key { lookup = function() rws.sleep("20s") end } }, function() return "ok" end)
		app:get("/busy", { timeout = "30ms", auth = rws.auth.api_key { lookup = function() while true do end end } }, function() return "ok" end)
		app:get("/by", { timeout = "30ms", limit = { rate = "1/min", by = function() rws.sleep("20s") end } }, function() return "ok" end)
		app:get("/slow", { timeout = "30ms", auth = rws.auth.api_key { lookup = function() error("down") end } }, function() return "ok" end)
	`, nil)
	call := luabind.Call{Header: map[string]string{"X-Api-Key": key}}
	start := time.Now()
	assert.Equal(t, 504, do(t, p, "GET /key", call).Status)
	assert.Equal(t, 504, do(t, p, "GET /busy", call).Status)
	assert.Equal(t, 504, do(t, p, "GET /by", call).Status)
	assert.Equal(t, 503, do(t, p, "GET /slow", call).Status)
	assert.Less(t, time.Since(start), 5*time.Second)
}

// A limit counts under a name that other limits don't change.
func TestLimitsAreNamedByTheirPlace(t *testing.T) {
	names := func(more string) []string {
		p := newApp(t, more+`
			app:use(rws.rate_limit "100/min")
			local shared = rws.rate_limit "7/min"
			local g = app:group("/api", rws.rate_limit "5/min", shared)
			g:use(rws.rate_limit { rate = "5/min", by = function() end })
			g:get("/x", shared, rws.rate_limit "5/min", { limit = "3/min" }, function() end)
			app:get("/a/:id", rws.rate_limit "5/min burst 2", function() end)
			app:get("/a/*id", rws.rate_limit "5/min burst 2", function() end)
			app:get("/twice", rws.rate_limit "5/min", rws.rate_limit "5/min", function() end)
			app:get("/`+strings.Repeat("long", 20)+`/b", rws.rate_limit "5/min", function() end)
		`, nil)
		var list []string
		for _, text := range p.RateLimits() {
			name, _, _ := strings.Cut(text, " ")
			list = append(list, name)
		}
		return list
	}
	alone := names("")
	assert.Equal(t, []string{"app.100/min.ip", "/api.7/min.ip", "/api.5/min.ip", "/api.5/min.function", "GET./api/x.5/min.ip", "GET./api/x"}, alone[:6])
	assert.Regexp(t, `^GET./a/_id.5/min.burst.2.ip\.[0-9a-f]{8}$`, alone[6])
	assert.Regexp(t, `^GET./a/_id.5/min.burst.2.ip\.[0-9a-f]{8}$`, alone[7])
	assert.NotEqual(t, alone[6], alone[7])
	assert.Equal(t, []string{"GET./twice.5/min.ip", "GET./twice.5/min.ip.2"}, alone[8:10])
	assert.Len(t, alone[10], 56)
	more := names(`app:use(rws.rate_limit "9/min") app:get("/new", rws.rate_limit "5/min", function() end)`)
	assert.Subset(t, more, alone)
	assert.Len(t, more, len(alone)+2)
}

// A guard with a misspelled name is nil, and leaves no route without a guard.
func TestAGuardThatIsNilIsRefused(t *testing.T) {
	const jwt = `rws.auth.jwt { secret = "` + tokenSecret + `" }`
	for _, source := range []string{
		`app:get("/x", guards.typo, function() end)`, `app:get("/x", ` + jwt + `, guards.typo, function() end)`,
		`app:use(guards.typo)`, `app:group("/a", guards.typo)`, `app:resource("/a", guards.typo, { index = function() end })`,
		`app:get("/x", { auth = { guards.typo } }, function() end)`, `app:get("/x", { auth = { guards.typo, ` + jwt + ` } }, function() end)`,
		`app:get("/x", { auth = { ` + jwt + `, guards.typo, ` + jwt + ` } }, function() end)`, `app:get("/x", { auth = { guard = ` + jwt + ` } }, function() end)`,
		`app:get("/x", { auth = { ` + jwt + `, other = ` + jwt + ` } }, function() end)`, `app:metrics("/m", guards.typo)`, `app:health({}, guards.typo)`,
	} {
		_, err := load(t, `local guards = {} `+source, nil)
		assert.ErrorContains(t, err, "app.lua:1", source)
	}
}

// Guards that can do nothing where they stand are found when the script loads.
func TestTheOrderOfGuardsIsChecked(t *testing.T) {
	warnings := func(source string) (string, error) {
		var log bytes.Buffer
		p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: t.TempDir(), Source: source,
			Logger: func(*luabind.Config) *slog.Logger { return slog.New(slog.NewTextHandler(&log, nil)) }})
		if err == nil {
			t.Cleanup(func() { _ = p.Close(context.Background()) })
		}
		return log.String(), err
	}
	const jwt = `rws.auth.jwt { secret = "` + tokenSecret + `" }`
	for source, want := range map[string]string{
		`app:get("/", rws.auth.require { user = true }, function() end)`:                                                           "nobody is known yet",
		`app:use(rws.auth.require { user = true }) app:get("/", ` + jwt + `, function() end)`:                                      "nobody is known yet",
		`app:get("/", { auth = { rws.auth.require { user = true }, ` + jwt + ` } }, function() end)`:                               "nobody is known yet",
		`local a = rws.app() a:get("/", rws.auth.require { user = true }, function() end) app:mount("/a", a)`:                      "nobody is known yet",
		`app:get("/", function(c, next) return next() end, rws.auth.require { user = true }, function() end)`:                      "",
		`app:use(` + jwt + `) app:group("/a"):get("/", rws.auth.require { user = true }, function() end)`:                          "",
		`local a = rws.app() a:get("/", rws.auth.require { user = true }, function() end) app:use(` + jwt + `) app:mount("/a", a)`: "",
	} {
		_, err := warnings(source)
		if want == "" {
			assert.NoError(t, err, source)
			continue
		}
		require.ErrorContains(t, err, want, source)
		assert.ErrorContains(t, err, "app.lua:1", source)
	}
	for source, want := range map[string]string{
		`local g = app:group("/a") g:get("/x", function() end) g:use(` + jwt + `)`:                             "all routes were declared before this",
		`app:get("/x", function() end) app:use(` + jwt + `)`:                                                   "all routes were declared before this",
		`app:get("/x", { limit = "1/min per user" }, function() end)`:                                          "it counts by address",
		`app:get("/x", rws.rate_limit { rate = "1/min", by = "user" }, ` + jwt + `, function() end)`:           "it counts by address",
		`app:get("/x", rws.concurrency { per_key = 1, by = "user" }, function() end)`:                          "rws.concurrency: it goes by the user",
		`local g = app:group("/a") g:get("/x", function() end) g:use(` + jwt + `) g:get("/y", function() end)`: `unguarded="GET /a/x" declared=app.lua:1`,
		`app:group("/a"):get("/x", function() end) app:use(` + jwt + `) app:get("/y", function() end)`:         `unguarded="GET /a/x" declared=app.lua:1`,
		`app:get("/x", function() end) app:use(rws.ip_filter { allow = "10.0.0.0/8" })`:                        `first_route="GET /x" declared=app.lua:1`,
		`app:health() app:use(` + jwt + `) app:get("/y", function() end)`:                                      "",
		`app:get("/x", function() end) app:use(rws.compress()) app:get("/y", function() end)`:                  "",
		`app:get("/x", function() end) app:group("/a", ` + jwt + `):get("/y", function() end)`:                 "",
		`local g = app:group("/a") g:use(` + jwt + `)`:                                                         "",
		`app:get("/x", function() end) app:use(function(c, next) return next() end)`:                           "",
		`app:get("/x", { limit = "1/min per user", auth = ` + jwt + ` }, function() end)`:                      "",
	} {
		log, err := warnings(source)
		require.NoError(t, err, source)
		if want == "" {
			assert.NotContains(t, log, "WARN", source)
			continue
		}
		assert.Contains(t, log, want, source)
		assert.Contains(t, log, "at=app.lua:1", source)
	}
}

// A file that can't be the store of limits fails the start, and not each request.
func TestAStoreOfLimitsThatCannotBeOpenedFailsTheStart(t *testing.T) {
	p := newApp(t, `app:get("/", rws.rate_limit { rate = "1/min", store = "sqlite:none/limits.db", fail = "open" }, function() return "ok" end)`, nil)
	err := p.Start(t.Context())
	require.ErrorContains(t, err, "opening the store of limits")
	require.ErrorContains(t, err, "app.lua:1")
	require.ErrorContains(t, p.Reload(t.Context(), p), "opening the store of limits", "nor does a reload take it")
	p = newApp(t, `app:get("/", rws.rate_limit { rate = "1/min", store = "sqlite:limits.db" }, function() return "ok" end)`, nil)
	assert.Empty(t, p.LookAtFiles())
	require.NoError(t, p.Start(t.Context()))
	_, err = load(t, `app:use(rws.rate_limit { rate = "1/min", store = "redis://" })`, nil)
	require.ErrorContains(t, err, `option "store": the URL has no host`)
	_, err = load(t, `app:use(rws.rate_limit { rate = "1/min", store = "redis://a:b@/0" })`, nil)
	require.ErrorContains(t, err, "the URL has no host")
}
