package luabind_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/luabind/fault"
)

const tokenSecret = "0123456789abcdef0123456789abcdef"

// A guard that could not do its work does not load: with the place, and with what to do.
func TestGuardsThatGuardNothingFailTheLoad(t *testing.T) {
	for source, want := range map[string]string{
		`rws.auth.jwt { secret = env.NOT_SET }`: "no key: give secret, key, key_file or jwks; if you did, its value is nil",
		`rws.auth.jwt { secret = "" }`:          `option "secret": it is empty`,
		`rws.auth.jwt { secret = "short" }`:     `option "secret"`,
		`rws.auth.jwt { secret = "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----" }`: `option "secret"`,
		`rws.auth.jwt { key = "no key at all, but long enough for a secret" }`:                  `option "key"`,
		`rws.auth.jwt { key_file = "none.pem" }`:                                                `option "key_file"`,
		`rws.auth.jwt { secret = S, algorithms = { "none" } }`:                                  "none",
		`rws.auth.jwt { secret = S, algorithms = { "RS256" } }`:                                 "RS256",
		`rws.auth.jwt { secret = S, algorithm = "HS256" }`:                                      `did you mean "algorithms"`,
		`rws.auth.jwt { secret = S, leeway = 5 }`:                                               "has no unit",
		`rws.auth.jwt { secret = S, leeway = "1h" }`:                                            "leeway",
		`rws.auth.jwt { secret = S, issuer = "" }`:                                              `option "issuer": it is empty`,
		`rws.auth.jwt { secret = S, from = { "cooky:sid" } }`:                                   `did you mean "cookie"`,
		`rws.auth.jwt { secret = S, from = { "cookie:a b" } }`:                                  "a b",
		`rws.auth.jwt { secret = S, optional = true, scopes = { "a" } }`:                        "optional",
		`rws.auth.jwt { jwks = "https://login.test/jwks" }`:                                     "say audience too",
		`rws.auth.jwt { jwks = "https://login.test/jwks", issuer = "a" }`:                       "say audience too",
		`rws.auth.jwt { jwks = "https://login.test/jwks", audience = "*" }`:                     "say issuer",
		`rws.auth.jwt { secret = S, audience = { "*", "a" } }`:                                  `option "audience": "*" accepts any`,
		`rws.auth.jwt { secret = S, audience = {} }`:                                            `option "audience": the list is empty`,
		`rws.auth.jwt { secret = S, audience = { env.NOT_SET } }`:                               `option "audience": the list is empty`,
		`rws.auth.jwt { secret = S, issuer = { env.NOT_SET } }`:                                 `option "issuer": the list is empty`,
		`rws.auth.jwt { secret = S, roles = {} }`:                                               `option "roles": the list is empty`,
		`rws.auth.jwt { secret = S, roles = env.NOT_SET, role_claim = "a" }`:                    `option "role_claim": there are no roles`,
		`rws.auth.jwt { secret = S, scopes = {} }`:                                              `option "scopes": the list is empty`,
		`rws.auth.jwt { secret = S, algorithms = {} }`:                                          `option "algorithms": the list is empty`,
		`rws.auth.jwt { secret = S, from = {} }`:                                                `option "from": the list is empty`,
		`rws.auth.jwt { secret = S, type = "" }`:                                                `option "type": it is empty`,
		`rws.auth.jwt { secret = { S, "" } }`:                                                   `option "secret": it is empty`,
		`rws.auth.jwt { secret = "` + tokenSecret + `", jwks_options = {} }`:                    `option "jwks_options": the table is empty`,
		`rws.webhook.guard("github", { secret = "a secret of webhooks", tolerance = "5m" })`:    "github signs none",
		`rws.auth.jwt { jwks = "https://a/", audience = "a", jwks_options = { stale = "0s" } }`: `option "stale": it must be more than nothing`,
		`rws.auth.require {}`:                                                           "it asks for nothing",
		`rws.auth.require { roles = env.NOT_SET }`:                                      "it asks for nothing",
		`rws.auth.require { roles = {} }`:                                               `option "roles": the list is empty`,
		`rws.auth.require { user = true, role_claim = "a" }`:                            `option "role_claim": there are no roles`,
		`rws.auth.api_key { keys = { { id = "abc", hash = "x" } }, scopes = {} }`:       `option "scopes": the list is empty`,
		`rws.auth.api_key { keys = { { id = "abc", hash = "x" } }, header = "" }`:       `option "header": it is empty`,
		`rws.auth.forward { url = "http://a/", copy = {} }`:                             `option "copy": the list is empty`,
		`rws.auth.forward { url = "http://a/", headers = {} }`:                          `option "headers": the list is empty`,
		`rws.auth.forward { url = "http://a/", timeout = "0s" }`:                        `option "timeout": it must be more than nothing`,
		`rws.auth.forward { url = "http://a/", max_body = "0b" }`:                       `option "max_body": it must be more than nothing`,
		`rws.auth.basic { users = { ann = H }, attempts = "" }`:                         `option "attempts": it is empty`,
		`rws.auth.basic { users = {} }`:                                                 `option "users": the list is empty`,
		`rws.webhook.guard("stripe", { secret = S, tolerance = "0s" })`:                 `option "tolerance": it must be more than nothing`,
		`rws.webhook.guard("github", { secret = S, replays = "" })`:                     `option "replays": it is empty`,
		`rws.rate_limit { rate = "1/min", burst = 0 }`:                                  `option "burst": it must be more than nothing`,
		`rws.rate_limit { rate = "1/min", timeout = "0s" }`:                             `option "timeout": it must be more than nothing`,
		`rws.rate_limit { rate = "1/min", store = "" }`:                                 `option "store": it is empty`,
		`rws.rate_limit { rate = "1/min", by = "" }`:                                    `option "by": it is empty`,
		`rws.rate_limit { rate = "1/min", name = "" }`:                                  `option "name": it is empty`,
		`rws.csrf { cookie = "" }`:                                                      `option "cookie": it is empty`,
		`rws.csrf { trusted_origins = {} }`:                                             `option "trusted_origins": the list is empty`,
		`rws.auth.jwt { jwks = "http://login.test/jwks", audience = "a" }`:              `option "jwks"`,
		`rws.auth.jwt { jwks = "https://login.test/jwks", audience = "a", secret = S }`: "not both",
		`rws.auth.jwt()`:                                                                  "no key",
		`rws.auth.basic {}`:                                                               "nobody could enter",
		`rws.auth.basic { htpasswd = "none" }`:                                            `option "htpasswd"`,
		`rws.auth.basic { users = { ann = "plain" } }`:                                    "ann",
		`rws.auth.basic { htpasswd = "plain.htpasswd" }`:                                  "plain.htpasswd",
		`rws.auth.basic { users = { ann = H }, attempts = 5 }`:                            `option "attempts"`,
		`rws.auth.basic { users = { ann = H }, attempts = "5/min per ip" }`:               `leave out "per ip"`,
		`rws.auth.forward { url = env.NOT_SET }`:                                          `option "url": it is missing`,
		`rws.auth.forward { url = "ftp://a" }`:                                            "http or https",
		`rws.auth.forward { url = "http://a/", copy = { "Connection" } }`:                 "Connection",
		`rws.auth.api_key {}`:                                                             "no keys",
		`rws.auth.api_key { keys = {} }`:                                                  `option "keys"`,
		`rws.auth.api_key { keys = { "rws_abc" } }`:                                       "element 1: a record",
		`rws.auth.api_key { keys = { { id = "abc", hash = "plain key" } } }`:              `option "keys"`,
		`rws.auth.api_key { keys = { { id = "abc", hash = "x", expires = "soon" } } }`:    `"2027-01-31"`,
		`rws.auth.require { roles = { "" } }`:                                             `option "roles": it is empty`,
		`rws.webhook.guard("github", { secret = env.NOT_SET })`:                           `option "secret": it is missing`,
		`rws.webhook.guard("githup", { secret = "a secret of ours" })`:                    `did you mean "github"`,
		`rws.webhook.guard("github", { secret = "a secret of ours", header = "X" })`:      `for the provider "generic"`,
		`rws.webhook.guard("generic", { secret = "a secret of ours" })`:                   "header",
		`rws.webhook.guard("stripe", { secret = "a secret of ours", tolerance = "48h" })`: "tolerance",
		`rws.webhook.guard("stripe", { secret = "a secret of ours", replays = "redis" })`: `option "replays"`,
		`rws.webhook.guard("stripe", { secret = "a secret of ours", replay_ttl = "1h" })`: `option "replay_ttl"`,
		`rws.rate_limit {}`:                                     `option "rate": it is missing`,
		`rws.rate_limit "often"`:                                `option "rate"`,
		`rws.rate_limit { rate = "1/min", by = "usr" }`:         `did you mean "user"`,
		`rws.rate_limit { rate = "1/min per ip", by = "user" }`: `option "by"`,
		`rws.rate_limit { rate = "1/min", store = "memroy" }`:   `did you mean "memory"`,
		`rws.rate_limit { rate = "1/min", store = "redis" }`:    "none of them is the URL of a Redis",
		`rws.rate_limit { rate = "1/min", fail = "opne" }`:      `did you mean "open"`,
		`rws.rate_limit { rate = "1/min", name = "a b" }`:       "a b",
		`rws.rate_limit { rate = "1/min", burst = -1 }`:         `option "burst"`,
		`rws.rate_limit { rate = "1/min", timeout = 5 }`:        "has no unit",
		`(function() rws.rate_limit { rate = "1/min", name = "a" } return rws.rate_limit { rate = "2/min", name = "a" } end)()`: `"a" is the limit of app.lua:2 already`,
		`rws.csrf { trusted_origins = { "app.test" } }`: "trusted origin",
		`rws.csrf { cookie = "a b" }`:                   "a b",
	} {
		_, err := load(t, `local S, H = "`+tokenSecret+`", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="`+"\napp:use("+source+")", map[string]string{"plain.htpasswd": "ann:secret\n"})
		e, ok := errors.AsType[*fault.Error](err)
		if !ok {
			t.Errorf("%s: loaded: %v", source, err)
			continue
		}
		assert.Contains(t, e.Message, want, source)
		assert.Equal(t, "app.lua:2", e.At, source)
		assert.NotContains(t, e.Error(), tokenSecret, source)
	}
}

func TestLimitsAndGuardsOfSpecsAreChecked(t *testing.T) {
	for source, want := range map[string]string{
		`limit = "5"`:                              `option "limit": option "rate"`,
		`limit = 5`:                                `option "limit"`,
		`limit = { rate = "5/min", bye = "ip" }`:   `unknown option "bye" (did you mean "by"?)`,
		`limit = { rate = "5/min", store = "no" }`: `"no"`,
		`auth = "jwt"`:                             `option "auth": a guard`,
		`auth = {}`:                                `option "auth": the list is empty`,
	} {
		_, err := load(t, "app:get(\"/\", { "+source+" }, function() end)", nil)
		e, ok := errors.AsType[*fault.Error](err)
		require.True(t, ok, source)
		assert.Contains(t, e.Message, want, source)
		assert.Equal(t, "app.lua:1", e.At, source)
	}
}

func TestCsrfInProductionWantsASecret(t *testing.T) {
	_, err := load(t, `app:use(rws.csrf())`, nil, "env=production")
	require.ErrorContains(t, err, "RWS_SECRET")
	_, err = load(t, `app:use(rws.csrf())`, nil, "env=production", "secret="+tokenSecret)
	require.NoError(t, err)
	dir := t.TempDir()
	_, err = luabind.Load(luabind.Options{File: filepath.Join(dir, "app.lua"), Dir: dir, Source: `app:use(rws.csrf())`})
	require.NoError(t, err)
	assert.NoDirExists(t, filepath.Join(dir, ".rws"), "a look at a script makes no secret")
}

// The user is one: what guards find out and what scripts set.
func TestTheUser(t *testing.T) {
	p := newApp(t, `
		local secret = "`+tokenSecret+`"
		local jwt = rws.auth.jwt { secret = secret, optional = true }
		local function set(c, next)
			if c.query.set then c.user = { id = 7, roles = { "admin" } } c.user.more = "kept" end
			if c.query.unset then c.user = nil end
			if c.query.text then c.user = c.query.text end
			return next()
		end
		local function show(c) return { user = c.user or rws.null, same = rawequal(c.user, c.user) } end
		app:get("/guard", jwt, show)
		app:get("/after", jwt, set, show)
		app:get("/between", set, rws.request_id(), show)
		app:get("/before", set, jwt, show)
		app:get("/required", set, rws.auth.require { roles = { "admin" } }, show)
		app:get("/bad", function(c) c.user = { save = function() end } end)
		app:get("/token", function(c) return rws.jwt.sign({ sub = "ann", n = tonumber("9007199254740991") }, { secret = secret }) end)
		app:get("/null", set, function(c) c.user = rws.null return tostring(c.user) end)
	`, nil)
	token := string(do(t, p, "GET /token").Body)
	bearer := luabind.Call{Header: map[string]string{"Authorization": "Bearer " + token}}
	body := func(request string, call luabind.Call) string { return string(do(t, p, request, call).Body) }
	assert.Contains(t, body("GET /guard", bearer), `"sub":"ann"`)
	assert.Contains(t, body("GET /guard", bearer), `9007199254740991`)
	assert.Equal(t, `{"user":null,"same":true}`, body("GET /guard", luabind.Call{}))
	assert.Contains(t, body("GET /after?set=1", bearer), `"id":7`)
	assert.Equal(t, `{"user":null,"same":true}`, body("GET /after?unset=1", bearer))
	assert.Contains(t, body("GET /between?set=1", luabind.Call{}), `"more":"kept"`, "the table stays the script's own")
	assert.Contains(t, body("GET /before?set=1", bearer), `"sub":"ann"`, "the last one counts")
	assert.Equal(t, `{"user":null,"same":true}`, body("GET /before?set=1", luabind.Call{}), "a guard that finds nobody lets no other through")
	assert.Equal(t, 401, do(t, p, "GET /required").Status)
	assert.Equal(t, 403, do(t, p, "GET /required?text=admin").Status)
	assert.Equal(t, 200, do(t, p, "GET /required?set=1").Status)
	assert.Equal(t, 200, do(t, p, "GET /required", luabind.Call{As: map[string]any{"roles": []any{"admin"}}}).Status, "as a test lends one")
	assert.Equal(t, "nil", body("GET /null?set=1", luabind.Call{}))
	bad := do(t, p, "GET /bad")
	assert.Equal(t, 500, bad.Status)
	assert.Contains(t, string(bad.Body), "can't leave Lua")
}

// All isolates answer the same: each has the functions that Go calls.
func TestFunctionsOfGuardsInAllIsolates(t *testing.T) {
	p := newApp(t, `
		local key, record = "`+"rws"+`", nil
		app:get("/l", rws.rate_limit { rate = "1000/min", by = function(c) return c.query.who end },
			rws.auth.api_key { header = "X-Key", lookup = function(id) rws.sleep("1ms") return nil end }, function() end)
		app:get("/n", rws.rate_limit { rate = "5/h", by = function(c) return c.query.who end }, function() return "ok" end)
		app:get("/body", rws.rate_limit { rate = "5/h", by = function(c) return c.body end }, function() return "ok" end)
		app:get("/type", rws.rate_limit { rate = "5/h", by = function(c) return {} end }, function() return "ok" end)
		app:get("/session", rws.rate_limit { rate = "5/h", by = function(c) return c.session.uid end }, function() return "ok" end)
	`, nil, "isolates=4")
	for range 12 {
		assert.Equal(t, 401, do(t, p, "GET /l?who=a").Status)
	}
	allowed := 0
	for range 12 {
		if do(t, p, "GET /n?who=b").Status == 200 {
			allowed++
		}
	}
	assert.Equal(t, 5, allowed, "the limit is one for all")
	assert.Equal(t, 200, do(t, p, "GET /n?who=c").Status)
	assert.Contains(t, []int{400, 500}, do(t, p, "GET /body", luabind.Call{Body: "x"}).Status)
	assert.Equal(t, 500, do(t, p, "GET /type").Status)
	assert.Equal(t, 200, do(t, p, "GET /session").Status)
}

// A limit by address costs no Lua; one by user waits until it is known who asks.
func TestWhereTheLimitOfARouteStands(t *testing.T) {
	p := newApp(t, `
		local calls = 0
		app:use(function(c, next) calls = calls + 1 return next() end)
		app:get("/calls", function() return tostring(calls) end)
		app:get("/ip", { limit = "1/h" }, function() return "ok" end)
		app:get("/user", function(c, next) c.user = c.query.u return next() end, { limit = "1/h per user" }, function() return "ok" end)
		app:get("/both", { limit = "1/h", query = { n = "int" } }, function() return "ok" end)
	`, nil)
	assert.Equal(t, 200, do(t, p, "GET /ip").Status)
	assert.Equal(t, 429, do(t, p, "GET /ip").Status)
	assert.Equal(t, "2", string(do(t, p, "GET /calls").Body), "the function was not called for the one that was refused")
	assert.Equal(t, 200, do(t, p, "GET /user?u=ann").Status)
	assert.Equal(t, 429, do(t, p, "GET /user?u=ann").Status)
	assert.Equal(t, 200, do(t, p, "GET /user?u=bob").Status)
	assert.Equal(t, 422, do(t, p, "GET /both").Status)
	assert.Equal(t, 429, do(t, p, "GET /both").Status, "counted before the input is checked")
	var names []string
	for _, r := range p.App.Routes {
		if r.Kind == "lua" {
			names = append(names, strings.Join(r.Middleware, ", "))
		}
	}
	assert.Equal(t, []string{"function app.lua:3", "rate_limit 1/h per ip, function app.lua:3", "function app.lua:3, function app.lua:6, rate_limit 1/h per user", "rate_limit 1/h per ip, function app.lua:3"}, names)
	assert.Equal(t, []string{"GET./ip 1/h per ip", "GET./user 1/h per user", "GET./both 1/h per ip"}, p.RateLimits())
}

// Limits and replays in memory are kept when the app is loaded anew.
func TestLimitsOutliveAReload(t *testing.T) {
	shared := luabind.NewShared()
	dir := t.TempDir()
	again := func() *luabind.Program {
		p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Shared: shared, Source: `
			app:get("/", { limit = "2/h" }, function() return "ok" end)
			app:post("/hook", rws.webhook.guard("github", { secret = "a secret of ours", replays = "memory" }), function() return "ok" end)
			app:get("/sign", function() return rws.webhook.sign("github", "hi", "a secret of ours") end)`})
		require.NoError(t, err)
		t.Cleanup(func() { _ = p.Close(t.Context()) })
		return p
	}
	first := again()
	hook := luabind.Call{Body: "hi", Header: map[string]string{"X-Hub-Signature-256": strings.Split(string(do(t, first, "GET /sign").Body), `"`)[3]}}
	assert.Equal(t, 200, do(t, first, "GET /").Status)
	assert.Equal(t, 200, do(t, first, "POST /hook", hook).Status)
	second := again()
	assert.Equal(t, 200, do(t, second, "GET /").Status)
	assert.Equal(t, 409, do(t, second, "POST /hook", hook).Status)
	assert.Equal(t, 429, do(t, again(), "GET /").Status)
}

// A token of csrf is good for the session in which somebody is signed in, and no other.
func TestCsrfIsBoundToTheSession(t *testing.T) {
	p := newApp(t, `
		app:use(rws.csrf { always = true })
		app:get("/token", function(c) c.session.seen = true return c.csrf_token end)
		app:get("/page", function(c) return c:render("form.html") end)
		app:post("/login", function(c) c.session.uid = c.query.as return "in" end)
		app:post("/save", { form = { text = "string" } }, function(c) return c.input.text end)
	`, map[string]string{"templates/form.html": `<form>{{ csrf_field() }}<p>{{ csrf_token() }}</form>`}, "secret="+tokenSecret)
	browser := func() *luabind.Caller {
		c, err := p.Caller()
		require.NoError(t, err)
		return c
	}
	ask := func(c *luabind.Caller, request, token string) *luabind.Answer {
		t.Helper()
		call := luabind.Call{Header: map[string]string{"X-Csrf-Token": token}}
		call.Method, call.Target, _ = strings.Cut(request, " ")
		if strings.HasSuffix(request, "/save") {
			call.Header, call.Form = nil, map[string]string{"text": "hi", "_csrf": token}
		}
		a, err := c.Do(t.Context(), call)
		require.NoError(t, err)
		return a
	}
	ann, eve := browser(), browser()
	token := string(ask(ann, "GET /token", "").Body)
	require.Len(t, token, 43)
	assert.Equal(t, 403, ask(ann, "POST /login?as=ann", "").Status)
	assert.Equal(t, 200, ask(ann, "POST /login?as=ann", token).Status, "a session that began with the page keeps the token good")
	assert.Equal(t, 403, ask(ann, "POST /save", token).Status, "not beyond the login")
	page := ask(ann, "GET /page", "")
	assert.Equal(t, "private", page.Header.Get("Cache-Control"))
	assert.Empty(t, page.Header["Set-Cookie"])
	fresh := string(page.Body)[strings.Index(string(page.Body), `value="`)+7:][:43]
	saved := ask(ann, "POST /save", fresh)
	assert.Equal(t, 200, saved.Status)
	assert.Equal(t, "hi", string(saved.Body))
	evil := string(ask(eve, "GET /token", "").Body)
	assert.Equal(t, 200, ask(eve, "POST /login?as=eve", evil).Status)
	assert.Equal(t, 403, ask(eve, "POST /save", fresh).Status)
	plain := newApp(t, `app:get("/", function(c) return c.csrf_token end)`, nil)
	assert.Contains(t, string(do(t, plain, "GET /").Body), "no rws.csrf() stands before this handler")
}

// The broken file of an editor that saves in two steps locks nobody out, and lets nobody in.
func TestHtpasswdIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, ".htpasswd")
	write(t, dir, ".htpasswd", "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n") // secret
	p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: `app:get("/", rws.auth.basic { htpasswd = ".htpasswd" }, function(c) return c.user.name end)`})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close(t.Context()) })
	login := func(pair string) int {
		r, _ := http.NewRequest("GET", "/", nil)
		name, pass, _ := strings.Cut(pair, ":")
		r.SetBasicAuth(name, pass)
		return do(t, p, "GET /", luabind.Call{Header: map[string]string{"Authorization": r.Header.Get("Authorization")}}).Status
	}
	assert.Equal(t, 200, login("ann:secret"))
	require.NoError(t, os.WriteFile(file, []byte("ann:{SHA}broken\nbob:plain\n"), 0o600))
	assert.Never(t, func() bool { return login("ann:secret") != 200 || login("bob:plain") == 200 }, 1500e6, 300e6)
	require.NoError(t, os.Remove(file))
	assert.Equal(t, 200, login("ann:secret"))
	assert.NotContains(t, p.Files(), file, "a new user does not reload the app")
}
