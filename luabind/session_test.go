package luabind_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/spec_test/peers"
)

// A browser keeps cookies between its requests to one program.
type browser struct {
	t      *testing.T
	caller *luabind.Caller
}

func newBrowser(t *testing.T, p *luabind.Program) *browser {
	t.Helper()
	c, err := p.Caller()
	require.NoError(t, err)
	return &browser{t, c}
}

func (b *browser) do(request string) *luabind.Answer {
	b.t.Helper()
	method, target, _ := strings.Cut(request, " ")
	a, err := b.caller.Do(b.t.Context(), luabind.Call{Method: method, Target: target})
	require.NoError(b.t, err)
	return a
}

func (b *browser) body(request string) string {
	b.t.Helper()
	a := b.do(request)
	return string(a.Body)
}

// sessionID is what the browser got as its session's cookie, "" when none was set.
func sessionID(a *luabind.Answer) string {
	for _, line := range a.Header["Set-Cookie"] {
		if k, err := http.ParseSetCookie(line); err == nil && k.Name == "rws_sid" {
			return k.Value
		}
	}
	return ""
}

const sessionApp = `
	app:get("/login/:name", function(c) c.session.uid = c.params.name return "in" end)
	app:get("/logout", function(c) c.session:destroy() c.session:flash("notice", "bye") return "out" end)
	app:get("/read", function(c) return { uid = c.session.uid, cart = c.session.cart, notice = c.session:flash("notice") } end)
	app:get("/nothing", function(c) return "nothing" end)
	app:get("/put/:name", function(c)
	  c.session.cart = c.session.cart or rws.array {}
	  table.insert(c.session.cart, { name = c.params.name, n = 1 })
	  return "put"
	end)
	app:get("/more", function(c) c.session.cart[1].n = c.session.cart[1].n + 1 return "more" end)
	app:get("/pairs", function(c)
	  local names = {}
	  for k, v in pairs(c.session) do names[#names + 1] = k .. "=" .. type(v) end
	  table.sort(names)
	  return table.concat(names, " ") .. " " .. tostring(c.session) .. " " .. tostring(c)
	end)
	app:get("/fail", function(c) c.session.tries = (c.session.tries or 0) + 1 c:fail(403, "no") end)
	app:get("/tries", function(c) return tostring(c.session.tries) end)
	app:get("/stream", function(c)
	  return c:stream(function(out)
	    c.session.seen = "stream"
	    out:write("a")
	    local ok, err = rws.try(function() c.session.seen = "late" end)
	    out:write(tostring(ok), " ", err.code, " ", c.session.seen)
	  end)
	end)
	app:get("/file", function(c) c.session.seen = "file" return c:file("a.txt") end)
	app:get("/seen", function(c) return c.session.seen end)
	app:get("/renew", function(c) c.session:renew() return "renewed" end)
	app:get("/function", function(c) c.session.f = print end)
	app:get("/inside", function(c) c.session.t = {} c.session.t.f = print return "never" end)
	app:get("/method", function(c) c.session.flash = "x" end)
	app:get("/id", function(c) return { id = c.session:id(), user = c.session:info() and c.session:info().user } end)
	app:get("/list", function(c) return { n = #app.sessions:list(c.session.uid), all = #app.sessions:list() } end)
	app:get("/others", function(c) return { ended = app.sessions:revoke(c.session.uid, c.session:id()) } end)
	app:get("/both", function(c)
	  rws.parallel(function() c.session.a = 1 end, function() c.session.b = 2 end)
	  return { c.session.a, c.session.b }
	end)
	local g = app:group("/within", function(c, next) local r = next() c.session.after = "next" return r end)
	g:get("/x", rws.request_id(), function(c) c.session.before = "handler" return "x" end)
	app:get("/after", function(c) return c.session.before .. " " .. c.session.after end)
`

// TestSessions holds for every kind of store.
func TestSessions(t *testing.T) {
	for name, store := range map[string]func(t *testing.T) string{
		"memory":   func(*testing.T) string { return "memory" },
		"cookie":   func(*testing.T) string { return "cookie" },
		"sqlite":   func(*testing.T) string { return "sqlite:sessions.db" },
		"redis":    func(t *testing.T) string { return peers.Redis(t) },
		"postgres": func(t *testing.T) string { return peers.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newApp(t, sessionApp, map[string]string{"a.txt": "text"}, "session-store="+store(t))
			b := newBrowser(t, p)

			a := b.do("GET /nothing")
			assert.Empty(t, a.Header["Set-Cookie"], "a session that is not used sets no cookie")
			assert.Empty(t, a.Header["Vary"])
			a = b.do("GET /read")
			assert.Equal(t, "{}", string(a.Body))
			assert.Empty(t, a.Header["Set-Cookie"], "nor does one that is only read")
			assert.Equal(t, []string{"Cookie"}, a.Header["Vary"])

			assert.Equal(t, "put", b.body("GET /put/milk"))
			before := b.do("GET /put/tea")
			assert.Equal(t, `{"cart":[{"name":"milk","n":1},{"name":"tea","n":1}]}`, b.body("GET /read"))
			assert.Equal(t, "more", b.body("GET /more"), "a table is changed in place")
			assert.Equal(t, `{"cart":[{"name":"milk","n":2},{"name":"tea","n":1}]}`, b.body("GET /read"))
			_ = before

			first := b.body("GET /id")
			in := b.do("GET /login/ann")
			assert.NotEmpty(t, sessionID(in), "a login renews the id")
			assert.NotEqual(t, first, b.body("GET /id"))
			assert.Contains(t, b.body("GET /id"), `"user":"ann"`)
			assert.Contains(t, b.body("GET /read"), `"uid":"ann"`)
			assert.Equal(t, "cart=table uid=string session (cart, uid) GET /pairs (session uid ann)", b.body("GET /pairs"))

			for range 2 {
				assert.Equal(t, 403, b.do("GET /fail").Status)
			}
			assert.Equal(t, "2", b.body("GET /tries"), "an error saves the session too")
			assert.Equal(t, "afalse late stream", b.body("GET /stream"))
			assert.Equal(t, "stream", b.body("GET /seen"))
			assert.Equal(t, "text", b.body("GET /file"))
			assert.Equal(t, "file", b.body("GET /seen"))
			assert.Equal(t, "[1,2]", b.body("GET /both"))
			assert.Equal(t, "x", b.body("GET /within/x"))
			assert.Equal(t, "handler next", b.body("GET /after"))
			assert.NotEmpty(t, sessionID(b.do("GET /renew")))
			assert.Equal(t, "file", b.body("GET /seen"))

			assert.Contains(t, b.body("GET /function"), "app.lua:")
			assert.Contains(t, b.body("GET /inside"), "c.session.t")
			assert.Contains(t, b.body("GET /method"), "is a method")

			if name != "cookie" {
				other := newBrowser(t, p)
				other.do("GET /login/ann")
				assert.Equal(t, `{"n":2,"all":2}`, b.body("GET /list"))
				assert.Equal(t, `{"ended":1}`, b.body("GET /others"))
				assert.Equal(t, "{}", other.body("GET /read"), "the other one has been ended")
			}
			out := b.do("GET /logout")
			assert.NotEmpty(t, sessionID(out))
			assert.Equal(t, `{"notice":"bye"}`, b.body("GET /read"))
			assert.Equal(t, `{}`, b.body("GET /read"))
		})
	}
}

// TestSessionFixation has an attacker plant his id.
func TestSessionFixation(t *testing.T) {
	p := newApp(t, sessionApp, nil)
	attacker := newBrowser(t, p)
	planted := sessionID(attacker.do("GET /put/bait"))
	require.NotEmpty(t, planted)
	c, err := p.Caller()
	require.NoError(t, err)
	a, err := c.Do(t.Context(), luabind.Call{Method: "GET", Target: "/login/ann", Cookies: map[string]string{"rws_sid": planted}})
	require.NoError(t, err)
	assert.NotEqual(t, planted, sessionID(a))
	assert.Equal(t, "{}", attacker.body("GET /read"), "what the attacker knows is worth nothing")
	a, err = c.Do(t.Context(), luabind.Call{Method: "GET", Target: "/put/x", Cookies: map[string]string{"rws_sid": "AAAAAAAAAAAAAAAAAAAAAA"}})
	require.NoError(t, err)
	assert.NotEqual(t, "AAAAAAAAAAAAAAAAAAAAAA", sessionID(a), "an id that nobody gave out is not adopted")
}

// TestSessionsOutliveReload loads the next version while the first is there.
func TestSessionsOutliveReload(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "app.lua", sessionApp+`
		app:get("/cache", function() return tostring(app.cache:incr("n")) end)`)
	o := luabind.Options{File: filepath.Join(dir, "app.lua"), Shared: luabind.NewShared()}
	first, err := luabind.Load(o)
	require.NoError(t, err)
	a := newBrowser(t, first).do("GET /login/ann")
	assert.Equal(t, "1", newBrowser(t, first).body("GET /cache"))
	second, err := luabind.Load(o)
	require.NoError(t, err)
	require.NoError(t, first.Close(context.Background()))
	defer second.Close(context.Background())
	c, err := second.Caller()
	require.NoError(t, err)
	r, err := c.Do(t.Context(), luabind.Call{Method: "GET", Target: "/read", Cookies: map[string]string{"rws_sid": sessionID(a)}})
	require.NoError(t, err)
	assert.Equal(t, `{"uid":"ann"}`, string(r.Body))
	assert.Equal(t, "2", newBrowser(t, second).body("GET /cache"))
}

// TestSecrets says when a secret is made and when it must be given.
func TestSecrets(t *testing.T) {
	const signing = `app:get("/", function(c) c.cookies:set("a", "b", { signed = true }) return "set" end)`
	p := newApp(t, signing, nil)
	assert.NoFileExists(t, filepath.Join(p.Dir(), ".rws", "secret"), "nothing needs it yet")
	assert.Equal(t, "set", string(do(t, p, "GET /").Body))
	info, err := os.Stat(filepath.Join(p.Dir(), ".rws", "secret"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	p = newApp(t, signing, nil, "env=production")
	assert.Equal(t, 500, do(t, p, "GET /").Status, "production makes none")
	assert.NoFileExists(t, filepath.Join(p.Dir(), ".rws", "secret"))
	_, err = load(t, signing, nil, "env=production", "session-store=cookie")
	require.ErrorContains(t, err, "RWS_SECRET")
	_, err = load(t, signing, nil, "secret=short")
	require.ErrorContains(t, err, "the setting secret (flag)")
	assert.NotContains(t, err.Error(), "short\"")
	for _, name := range []string{"secret", "session-secret"} {
		p = newApp(t, signing, nil, "env=production", name+"=0123456789abcdef0123456789abcdef")
		assert.Equal(t, "set", string(do(t, p, "GET /").Body))
	}
}

// TestSessionSettings has settings that don't go together refused when the script loads.
func TestSessionSettings(t *testing.T) {
	for config, want := range map[string]string{
		`session = { store = "memroy" }`:                                  `did you mean "memory"?`,
		`session = { store = "rediss+sentinel://a" }`:                     "master",
		`session = { store = "reddis://a" }`:                              `did you mean`,
		`session = { ttl = "1h", idle = "2h" }`:                           "session.idle",
		`session = { tll = "1h" }`:                                        `did you mean "session.ttl"?`,
		`session = { cookie = { same_site = "none", secure = false } }`:   "SameSite=None needs Secure",
		`session = { cookie = { name = "a b" } }`:                         "Name",
		`cache = { url = "sqlite:a.db" }`:                                 "sqlite",
		`cache = { size = "0b" }`:                                         "larger than nothing",
		`secret = { "0123456789abcdef0123456789abcdef", "too short" }`:    "secret",
		`session = { store = "redis://:hunter2@127.0.0.1:1/0?nope=1" }`:   "nope",
		`session = { secret = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }`: "session.secret",
	} {
		_, err := load(t, "app:config { "+config+" }", nil)
		if assert.Error(t, err, config) {
			assert.Contains(t, strings.ReplaceAll(err.Error(), "`", `"`), want, config)
			assert.NotContains(t, err.Error(), "hunter2")
		}
	}
	p := newApp(t, `app:config { session = { ttl = "1h", store = "redis://:hunter2@127.0.0.1:1/0" } }`, nil)
	for _, s := range luabind.Settings() {
		assert.NotContains(t, s.Show(p.Config), "hunter2")
	}
}

func TestWhatWasSetBeforeAnErrorIsSaved(t *testing.T) {
	p := newApp(t, `
		app:get("/fail", function(c) c.session.uid = "ann" c.session.cart = { 1 } c.session.cart[2] = 2 error("broken") end)
		app:get("/read", function(c) return { uid = c.session.uid, cart = c.session.cart } end)`, nil)
	b := newBrowser(t, p)
	assert.Equal(t, 500, b.do("GET /fail").Status)
	assert.Equal(t, `{"uid":"ann","cart":[1,2]}`, b.body("GET /read"))
}
