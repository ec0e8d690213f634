package luabind_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/server"
)

// says is a backend that answers with a word.
func says(t *testing.T, word string, status int) string {
	return backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, word, " ", r.URL.Path)
	})
}

// front serves a program.
func front(t *testing.T, p *luabind.Program) string {
	t.Helper()
	h, err := server.Compile(p.App)
	require.NoError(t, err)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// call makes a request and returns the body of the answer. Any goroutine may call it.
func call(t *testing.T, method, url string, header ...string) string {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if !assert.NoError(t, err) {
		return ""
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if !assert.NoError(t, err) {
		return ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	assert.NoError(t, err)
	return string(body)
}

func TestCanaryGivesSomeTheNewVersion(t *testing.T) {
	old, next := says(t, "old", 200), says(t, "new", 200)
	p := script(t, fmt.Sprintf(`
		app:config { isolates = 2 }
		local trial = app:canary("/shop/*", %q, %q, { share = "0%%", header = "X-Canary", strip = "/shop" }):name "shop"
		app:get("/state", function() return trial:state() end)
		app:post("/share", function(c) trial:set_share("100%%") return 204 end)
		app:post("/back", function(c) trial:rollback("enough") return 204 end)
		app:post("/again", function(c) trial:resume() return 204 end)
		app:get("/where", function() return app:url("shop", { ["*"] = "a" }) end)
	`, old, next))
	url := front(t, p)
	assert.Equal(t, "/shop/a", call(t, "GET", url+"/where"))
	assert.Equal(t, "old /a", call(t, "GET", url+"/shop/a"), "both versions have the options of a proxy")
	assert.Equal(t, "new /a", call(t, "GET", url+"/shop/a", "X-Canary", "new"))
	call(t, "POST", url+"/share")
	assert.Equal(t, "new /a", call(t, "GET", url+"/shop/a"))
	call(t, "POST", url+"/back")
	assert.Equal(t, "old /a", call(t, "GET", url+"/shop/a"))
	var state struct {
		Share      float64
		RolledBack bool `json:"rolled_back"`
		Reason     string
		Since      time.Time
		Old, New   struct{ Requests, Errors int }
	}
	for range 4 { // of whichever isolate
		require.NoError(t, json.Unmarshal([]byte(call(t, "GET", url+"/state")), &state))
		assert.True(t, state.RolledBack)
		assert.Equal(t, "enough", state.Reason)
		assert.InDelta(t, 1, state.Share, 0)
		assert.Equal(t, 2, state.New.Requests)
		assert.WithinDuration(t, time.Now(), state.Since, time.Minute)
	}
	call(t, "POST", url+"/again")
	assert.Equal(t, "new /a", call(t, "GET", url+"/shop/a"))
}

// A trial that was rolled back stays it when the script is loaded again, unless the script says otherwise of it.
func TestCanaryStaysRolledBackOverReloads(t *testing.T) {
	old, bad := says(t, "old", 200), says(t, "new", 500)
	shared := luabind.NewShared()
	load := func(share string, before *luabind.Program) (*luabind.Program, string) {
		p := script(t, fmt.Sprintf(`
			local trial = app:canary("/*", %q, %q, { share = %q, rollback = { errors = "10%%", least = 3 } })
			app:get("/state", function() return tostring(trial:state().rolled_back) end)
		`, old, bad, share), func(o *luabind.Options) { o.Shared = shared })
		if before == nil {
			require.NoError(t, p.Start(t.Context()))
		} else {
			require.NoError(t, p.Reload(t.Context(), before))
		}
		return p, front(t, p)
	}
	first, url := load("100%", nil)
	for range 3 {
		call(t, "GET", url+"/a")
	}
	assert.Equal(t, "true", call(t, "GET", url+"/state"))
	second, url := load("100%", first)
	assert.Equal(t, "true", call(t, "GET", url+"/state"))
	assert.Equal(t, "old /a", call(t, "GET", url+"/a"))
	_, url = load("99%", second)
	assert.Equal(t, "false", call(t, "GET", url+"/state"))
}

func TestMirrorAsksTheShadowToo(t *testing.T) {
	asked := make(chan string, 10)
	shadow := backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- r.Method + " " + r.URL.Path + " " + r.Header.Get("X-By") + " " + string(body)
	})
	p := script(t, fmt.Sprintf(`
		app:mirror("/m/*", %q, %q, { strip = "/m", diff = true, request = { set = { ["X-By"] = "rws" } }, shadow = { max_body = "1kb" } })
		app:metrics()
	`, says(t, "main", 200), shadow))
	require.NoError(t, p.Start(t.Context()))
	url := front(t, p)
	res, err := http.Post(url+"/m/a", "text/plain", strings.NewReader("hello"))
	require.NoError(t, err)
	defer res.Body.Close()
	select {
	case got := <-asked:
		assert.Equal(t, "POST /a rws hello", got)
	case <-time.After(10 * time.Second):
		t.Fatal("the shadow was not asked")
	}
	require.Eventually(t, func() bool {
		text := call(t, "GET", url+"/metrics")
		return strings.Contains(text, `rws_mirror_requests_total{route="/m/*"} 1`) && strings.Contains(text, `rws_mirror_differed_total{route="/m/*"} 1`)
	}, 10*time.Second, 10*time.Millisecond)
}

// Counters go on when the script is loaded again, while requests of the one before come to their end too; backends
// that are gone are forgotten.
func TestMetricsOfTheEdgeGoOnOverReloads(t *testing.T) {
	a, b := says(t, "a", 200), says(t, "b", 503)
	shared := luabind.NewShared()
	load := func(to string, before *luabind.Program) (*luabind.Program, string) {
		p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: t.TempDir(), Shared: shared, Source: fmt.Sprintf(`
			local pool = app:upstream("pool", { to = %s, breaker = true })
			local inner = rws.app()
			inner:proxy("/in/*", pool, { retry = { on = { "503" } } })
			app:mount("/out", inner)
			app:metrics()
		`, to)})
		require.NoError(t, err)
		if before == nil {
			require.NoError(t, p.Start(t.Context()))
		} else {
			require.NoError(t, p.Reload(t.Context(), before))
		}
		return p, front(t, p)
	}
	lines := func(url string) string { return call(t, "GET", url+"/metrics") }
	first, url := load(fmt.Sprintf("{ %q, { url = %q, backup = true } }", a, b), nil)
	for range 3 {
		call(t, "GET", url+"/out/in/x")
	}
	text := lines(url)
	assert.Contains(t, text, fmt.Sprintf("rws_upstream_requests_total{backend=%q,upstream=\"pool\"} 3\n", a))
	assert.Contains(t, text, `rws_proxy_requests_total{route="/out/in/*",to="backends"} 3`+"\n")
	assert.Contains(t, text, fmt.Sprintf("rws_upstream_up{backend=%q,upstream=\"pool\"} 1\n", b))
	assert.Contains(t, text, fmt.Sprintf("rws_upstream_breaker{backend=%q,upstream=\"pool\"} 0\n", b))
	second, next := load(fmt.Sprintf("{ %q }", a), first)
	assert.Contains(t, lines(next), `rws_proxy_requests_total{route="/out/in/*",to="backends"} 3`+"\n")
	call(t, "GET", url+"/out/in/x") // of a connection that was there before
	call(t, "GET", next+"/out/in/x")
	assert.Contains(t, lines(next), `rws_proxy_requests_total{route="/out/in/*",to="backends"} 5`+"\n")
	require.NoError(t, first.Close(t.Context()))
	call(t, "GET", next+"/out/in/x")
	text = lines(next)
	assert.Contains(t, text, `rws_proxy_requests_total{route="/out/in/*",to="backends"} 6`+"\n")
	assert.Contains(t, text, fmt.Sprintf("rws_upstream_requests_total{backend=%q,upstream=\"pool\"} 6\n", a))
	assert.NotContains(t, text, b)
	third, last := load(fmt.Sprintf("{ %q }", a), second)
	require.NoError(t, second.Close(t.Context()))
	assert.Contains(t, lines(last), `rws_proxy_requests_total{route="/out/in/*",to="backends"} 6`+"\n")
	require.NoError(t, third.Close(t.Context()))
}

func TestOptionsWithoutEffectAreRefused(t *testing.T) {
	for source, want := range map[string]string{
		"app:proxy('/*', 'http://a', { tls = { ca = 'x.pem' } })":                                                            `option "tls": no backend`,
		"app:proxy('/*', 'http://a', { tls = { insecure = true } })":                                                         `option "tls": no backend`,
		"app:proxy('/*', 'http://a', { fastcgi = { root = '/srv' } })":                                                       `option "fastcgi": no backend`,
		"app:proxy('/*', 'http://a', { refresh = '5s' })":                                                                    `option "refresh"`,
		"app:proxy('/*', 'http://a', { timeout = '0s' })":                                                                    "more than nothing",
		"app:proxy('/*', 'http://a', { timeout = { read = 0 } })":                                                            `"timeout.read"`,
		"app:proxy('/*', 'http://a', { timeout = { connect = false } })":                                                     "connect",
		"app:proxy('/*', 'http://a', { pool = { per_backend = 0 } })":                                                        `"pool.per_backend"`,
		"app:proxy('/*', 'http://a', { max_body = 0 })":                                                                      `"max_body"`,
		"app:proxy('/*', 'http://a', { retry = { tries = 0 } })":                                                             `"retry.tries"`,
		"app:proxy('/*', 'http://a', { retry = { on = {} } })":                                                               "on is empty",
		"app:proxy('/*', 'http://a', { retry = { methods = 'GTE' } })":                                                       `"GTE" is unknown (did you mean "GET"?)`,
		"app:proxy('/*', 'http://a', { passive = { eject = '30s', max_eject = '1s' } })":                                     "shorter than the first",
		"app:proxy('/*', 'http://a', { balance = 'header_hash' })":                                                           `{ policy = "header_hash", header = "X-Key" }`,
		"app:proxy('/*', 'http://a', { balance = 'cookie_hash' })":                                                           `{ policy = "cookie_hash", cookie = "id" }`,
		"app:proxy('/*', { to = '127.0.0.1:9001' })":                                                                         "write http://127.0.0.1:9001",
		"app:proxy('/*', 'unix:')":                                                                                           "unix:app.sock",
		"app:proxy('/*', { 'dns+http://a', 'dns+http://a' })":                                                                "is there twice",
		"app:proxy('/*', { { url = 'dns+http://a', weight = 2 } })":                                                          "a weight or host is what",
		"app:proxy('/*', 'http://a', { retry = { methods = {} } })":                                                          "methods is empty",
		"app:proxy('/*', 'http://a', { hedge = { after = '5ms', most = 0 } })":                                               `"hedge.most"`,
		"app:proxy('/*', 'http://a', { health = { service = 'x' } })":                                                        "service is for checks by grpc",
		"app:proxy('/*', 'http://a', { health = { scheme = 'tcp', path = '/x' } })":                                          "path is for checks by",
		"app:proxy('/*', 'http://a', { passive = { minimum = 5 } })":                                                         "minimum is of a share",
		"app:proxy('/*', 'http://a', { passive = { window = '5s' } })":                                                       "window needs",
		"app:proxy('/*', 'http://a', { breaker = { window = '5s' } })":                                                       "window is of a share",
		"app:proxy('/*', 'http://a', { sticky = { max_age = '1d' } })":                                                       "sticky needs",
		"app:upstream('u', { to = 'http://a', retry = { on = '99' } })":                                                      "retry",
		"app:upstream('u', { to = 'http://a', retry = { tries = 2 }, retries = 1 })":                                         "say it once",
		"app:upstream('u', { to = 'http://a', timeout = { tunnel = '0' } })":                                                 "tunnel",
		"app:proxy('/*', 'fastcgi://a', { fastcgi = { root = '/srv' }, proxy_protocol = 1 })":                                `"proxy_protocol"`,
		"app:proxy('/*', 'fastcgi://a', { fastcgi = { root = '/srv' }, timeout = { idle = '5s' } })":                         "idle and max_age",
		"app:proxy('/*', 'fastcgi://a', { fastcgi = { root = '/srv' }, health = '/ping' })":                                  "path is for checks by",
		"app:grpc('/*', '127.0.0.1:9001')":                                                                                   "write h2c://127.0.0.1:9001 or grpc://127.0.0.1:9001",
		"app:grpc('/*', { to = { 'h2c://a', { url = '[::1]:9001', backup = true } } })":                                      "write h2c://[::1]:9001 or grpc://[::1]:9001",
		"app:grpc('/*', 'h2c://a', { hedge = '5ms' })":                                                                       `"hedge"`,
		"app:grpc('/*', 'h2c://a', { timeout = { tunnel = '5m' } })":                                                         "tunnel",
		"app:tcp(':1', { to = '10.0.0.1:1', balance = 'path_hash' })":                                                        "path_hash is about requests",
		"app:tcp(':1', { to = '10.0.0.1:1', timeout = { handshake = '5s' } })":                                               "handshake",
		"app:tcp(':1', { to = '10.0.0.1:1', tries = 0 })":                                                                    `"tries"`,
		"app:tcp(':1', { to = '10.0.0.1:1', refresh = '1s' })":                                                               `"refresh"`,
		"app:tcp(':1', { to = '10.0.0.1:1', health = { path = '/x' } })":                                                     "path is for checks by",
		"app:udp(':1', { to = '10.0.0.1:1', health = { every = '5s' } })":                                                    "tells nothing",
		"app:udp(':1', { to = '10.0.0.1:1', max_sessions = 0 })":                                                             `"max_sessions"`,
		"app:canary('/*', 'http://a', 'http://b')":                                                                           "nobody would get",
		"app:canary('/*', 'http://a', { share = '5%' })":                                                                     "two of them expected",
		"app:canary('/*', 'http://a', 'http://b', { share = '5%', rollback = {} })":                                          "errors is missing",
		"app:canary('/*', 'http://a', 'http://b', { share = '5%', sticky = { by = 'ip', max_age = '1d' } })":                 "max_age",
		"app:canary('/*', 'http://a', 'http://b', { share = '5%', sticky = 'me' })":                                          `want "cookie", "ip"`,
		"app:canary('/*', 'http://a', 'http://b', { share = 5 })":                                                            `a share such as "50%"`,
		"app:canary('/*', 'http://a', 'http://b', { share = 1, rollback = { errors = '2%', least = 0 } })":                   `"rollback.least"`,
		"app:canary('/a/*', 'http://a', 'http://b', { share = 1 }) app:canary('/:a', 'http://a', 'http://b', { share = 1 })": `give one of them another name`,
		"app:mirror('/*', 'http://a')":                                                                                       "two of them expected",
		"app:mirror('/*', 'http://a', 'http://b', { share = '200%' })":                                                       `a share such as "50%"`,
		"app:mirror('/*', 'http://a', 'http://b', { shadow = { concurrency = 0 } })":                                         `"shadow.concurrency"`,
	} {
		_, err := loadScript(t, "\n"+source, nil)
		if assert.ErrorContains(t, err, want, source) {
			assert.Contains(t, err.Error(), "app.lua:2", source)
		}
	}
}

// What has an effect is taken, also where it is seldom told.
func TestOptionsWithAnEffectAreTaken(t *testing.T) {
	for _, source := range []string{
		"app:proxy('/*', 'http://a', { timeout = { read = false, max_age = false, response = false, tunnel = false }, retry = { backoff = 0, max_replay = 0, budget = 0 }, slow_start = 0, pool = { wait = 0 } })",
		"app:proxy('/*', 'dns+https://a', { tls = { insecure = true }, refresh = '5s' })",
		"app:proxy('/*', 'http://a', { tls = { insecure = true }, health = { scheme = 'https', port = 8443 } })",
		"app:proxy('/*', { to = function() return 'https://a' end, tls = { insecure = true }, health = { service = 'x' } })",
		"app:proxy('/*', 'h2c://a', { health = { scheme = 'grpc', service = 'x' } })",
		"app:proxy('/*', 'http://a', { retry = { methods = { 'get', 'PURGE', 'PROPFIND', 'ARCHIVE' } } })",
		"app:proxy('/*', { 'http://a', { url = 'dns+http://b', backup = true } })",
		"app:proxy('/*', 'http://a', { timeout = { whole = false } })",
		"app:udp(':1', { to = '10.0.0.1:1', health = { scheme = 'tcp', port = 53 } })",
		"app:tcp(':1', { to = '10.0.0.1:1', health = { scheme = 'http', path = '/x' } })",
		"app:upstream('u', { to = 'http://a', passive = { share = '50%', minimum = 5, window = '5s' }, breaker = { share = 0.5, window = '5s', minimum = 3 } })",
	} {
		_, err := loadScript(t, source, nil)
		assert.NoError(t, err, source)
	}
}

func TestDoubtsAboutProxies(t *testing.T) {
	for source, want := range map[string]string{
		"app:upstream('u', { to = 'http://a' })":                                                                            "used by no route",
		"app:proxy('/a', 'http://a', { strip = '/a' })":                                                                     "takes one path alone",
		"app:proxy('/a/*', 'http://a', { strip = '/b' })":                                                                   "no path of /a/* begins with /b",
		"app:group('/g'):proxy('/a/*', 'http://a', { strip = '/a' })":                                                       "no path of /g/a/* begins with /a",
		"app:proxy('/*', 'http://a', { sticky = { cookie = 'x' } })":                                                        "has one backend",
		"app:proxy('/*', 'http://a', { balance = 'p2c' })":                                                                  "nothing to choose",
		"app:proxy('/*', 'http://a', { retry = { methods = { 'get', 'post' } } })":                                          "a POST that a backend has seen",
		"local u = app:upstream('u', { to = 'http://a' }) app:proxy('/a', u, { retry = { methods = 'PATCH' } })":            "a PATCH that",
		"app:proxy('/*', 'http://a', { slow_start = '5s' })":                                                                "gets all requests at once",
		"app:proxy('/*', 'http://a', { passive = { failures = 2 } })":                                                       "is never put out",
		"app:proxy('/*', 'http://a', { hedge = '5ms' })":                                                                    "no other to ask",
		"app:proxy('/*', { 'http://a', 'http://b' }, { hedge = { after = '5ms', most = 2 } })":                              "has 1 further backends",
		"app:proxy('/*', 'http://a', { retry = { tries = 1, on = '503', backoff = '1s' } })":                                "nothing comes of backoff, on",
		"local u = app:upstream('u', { to = 'http://a', retries = 0, retry = { on = '503' } }) app:proxy('/a', u)":          "nothing comes of on",
		"local u = app:upstream('u', { to = 'http://a' }) app:proxy('/a', u, { retries = 0, retry = { methods = 'PUT' } })": "nothing comes of methods",
		"app:config { h2c = true } app:grpc('/a.B/*', 'h2c://a', { strip = '/a.B' })":                                       "gRPC goes by the path",
		"app:grpc('/a.B/*', 'h2c://a')":                                                                                     "no gRPC client can reach it",
	} {
		p, err := loadScript(t, "\n"+source, nil)
		require.NoError(t, err, source)
		doubts := p.Doubts()
		if assert.Len(t, doubts, 1, source) {
			assert.Contains(t, doubts[0].Message, want, source)
			assert.Equal(t, "app.lua:2", doubts[0].At, source)
		}
	}
	p, err := loadScript(t, `
		local u = app:upstream("u", { to = { "http://a", "http://b" }, balance = "p2c", sticky = { cookie = "x" } })
		app:proxy("/a/*", u, { strip = "/a" })
		app:proxy("/:any/*", "srv+http://a", { strip = "/b", balance = "random", slow_start = "5s", passive = { failures = 2 }, hedge = { after = "5ms", most = 5 } })
		app:proxy("/one/*", "http://a", { passive = { failures = 2, alone = true } })
		app:proxy("/two/*", { "http://a", "http://b" }, { slow_start = "5s", passive = true, hedge = "5ms", retry = { tries = 1, on = "503", budget = "5%" } })
	`, nil)
	require.NoError(t, err)
	assert.Empty(t, p.Doubts())
}

func TestListingsOfTheEdge(t *testing.T) {
	p, err := loadScript(t, `
		local api = app:upstream("api", { to = { "https://a", { url = "https://b", backup = true } }, balance = "least_conn", health = { every = "5s" }, tls = { insecure = true } })
		app:proxy("/api/*", api, { strip = "/api", retries = 2, timeout = "10s" })
		app:canary("/c", api, { "http://1", "http://2", "http://3", "http://4", "http://5" }, { share = "2.5%", header = "X-C", rollback = { errors = "1%" } })
		app:tcp(":5432", { to = "10.0.0.1:5432", names = { ["a.b"] = "10.0.0.2:1" } })
	`, nil)
	require.NoError(t, err)
	require.Len(t, p.Upstreams(), 1)
	assert.Equal(t, "api: 2 backends, least_conn, checked every 5s", p.Upstreams()[0].String())
	assert.Equal(t, []string{"api"}, p.Unverified())
	assert.Equal(t, "api: https://a, https://b (backup) · strip /api · tries 3 · timeout 10s", p.App.Routes[0].To)
	assert.Equal(t, "old api: https://a, https://b (backup) · new http://1, http://2, http://3, 2 more · 2.5% · header X-C · rollback at 1% in 1m0s", p.App.Routes[1].To)
	assert.Equal(t, "tcp :5432 → 10.0.0.1:5432 · a.b → 10.0.0.2:1", p.Streams()[0].String())
}

// Routes to an upstream share its budget, but for those that have their own: here ten repetitions.
func TestRoutesShareTheBudgetOfAnUpstream(t *testing.T) {
	begun, gate := make(chan bool, 10), make(chan bool)
	busy := backend(t, func(w http.ResponseWriter, r *http.Request) { begun <- true; <-gate })
	p := script(t, fmt.Sprintf(`
		local pool = app:upstream("pool", { to = { %q, { url = %q, backup = true } }, passive = false, retry = { on = "503", backoff = 0, budget = 0 } })
		app:proxy("/a", pool)
		app:proxy("/b", pool, { retry = { on = "503" } })
		app:proxy("/c", pool, { retry = { on = "503", budget = "100%%" } })
	`, says(t, "busy", 503), busy))
	require.NoError(t, p.Start(t.Context()))
	url := front(t, p)
	done := make(chan int)
	ask := func(path string) {
		res, err := http.Get(url + path)
		if assert.NoError(t, err) {
			res.Body.Close()
			done <- res.StatusCode
		}
	}
	for range 10 {
		go ask("/a")
		<-begun // at the backend that answers the repetition
	}
	go ask("/b")
	assert.Equal(t, 503, <-done, "the repetitions of the other route use up the budget")
	go ask("/c")
	<-begun
	close(gate)
	for range 11 {
		assert.Equal(t, 200, <-done)
	}
}
