package luabind_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/server"
)

// compressed is text as gzip.
func compressed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

type fields = map[string]string

// Each option does something: no setting is read and left unused.
func TestEveryOptionOfAMiddlewareCounts(t *testing.T) {
	page := `function(c) c.res.headers["X-Count"] = 1 return ("words "):rep(50) end`
	plain := compressed(t, strings.Repeat("a", 200))
	bomb := compressed(t, strings.Repeat("a", 1<<20))
	gzipped := fields{"accept-encoding": "gzip, br"}
	origin := fields{"origin": "https://a.example"}
	asking := func(method, headers string) fields {
		f := fields{"origin": "https://a.example", "access-control-request-method": method}
		if headers != "" {
			f["access-control-request-headers"] = headers
		}
		return f
	}
	for _, x := range []struct {
		middleware, request string
		header              fields
		body                string
		status              int
		want                fields // headers, "" for absent
	}{
		{`rws.request_id { header = "X-Trace" }`, "GET /", fields{"x-trace": "a1"}, "", 200, fields{"X-Trace": "a1"}},
		{`rws.request_id { header = "X-Trace", trusted = "10.0.0.0/8" }`, "GET /", fields{"x-trace": "a1"}, "", 200, fields{"X-Trace": "!a1"}},
		{`rws.request_id { trusted = "loopback" }`, "GET /", fields{"x-request-id": "a1"}, "", 200, fields{"X-Request-Id": "a1"}},

		{`rws.compress { encodings = { "br" } }`, "GET /", gzipped, "", 200, fields{"Content-Encoding": ""}},
		{`rws.compress { encodings = { "br" }, min_size = "300b" }`, "GET /", gzipped, "", 200, fields{"Content-Encoding": "br"}},
		{`rws.compress { min_size = "0b", types = { "application/json" } }`, "GET /", gzipped, "", 200, fields{"Content-Encoding": ""}},
		{`rws.compress { min_size = "0b" }`, "GET /", fields{"accept-encoding": "gzip"}, "", 200, fields{"Content-Encoding": "gzip"}},

		{`rws.decompress()`, "POST /", fields{"content-encoding": "gzip"}, plain, 200, nil},
		{`rws.decompress { encodings = { "br" } }`, "POST /", fields{"content-encoding": "gzip"}, plain, 415, fields{"Accept-Encoding": "br"}},
		{`rws.decompress { max_size = "100b" }`, "POST /", fields{"content-encoding": "gzip"}, plain, 413, nil},
		{`rws.decompress()`, "POST /", fields{"content-encoding": "gzip"}, bomb, 413, nil},
		{`rws.decompress { max_ratio = 2000 }`, "POST /", fields{"content-encoding": "gzip"}, bomb, 200, nil},

		{`rws.security_headers()`, "GET /", nil, "", 200, fields{"X-Frame-Options": "deny", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "", "Strict-Transport-Security": "", "Permissions-Policy": "", "Cross-Origin-Embedder-Policy": ""}},
		{`rws.security_headers { csp = "img-src *; default-src 'self'", report_only = true }`, "GET /", nil, "", 200,
			fields{"Content-Security-Policy-Report-Only": "default-src 'self'; img-src *", "Content-Security-Policy": ""}},
		{`rws.security_headers { csp = { default_src = { "'self'", "data:" }, upgrade_insecure_requests = true } }`, "GET /", nil, "", 200,
			fields{"Content-Security-Policy": "default-src 'self' data:; upgrade-insecure-requests"}},
		{`rws.security_headers { frame = "sameorigin", referrer = "no-referrer", permissions = "camera=()" }`, "GET /", nil, "", 200,
			fields{"X-Frame-Options": "sameorigin", "Referrer-Policy": "no-referrer", "Permissions-Policy": "camera=()"}},
		{`rws.security_headers { opener = "unsafe-none", resource = "cross-origin", embedder = "require-corp", sniff = true }`, "GET /", nil, "", 200,
			fields{"Cross-Origin-Opener-Policy": "unsafe-none", "Cross-Origin-Resource-Policy": "cross-origin",
				"Cross-Origin-Embedder-Policy": "require-corp", "X-Content-Type-Options": ""}},
		{`rws.security_headers { hsts = "730d", subdomains = true, preload = true }`, "GET /", fields{"x-forwarded-proto": "https"}, "", 200,
			fields{"Strict-Transport-Security": "max-age=63072000; includeSubDomains; preload"}},

		{`rws.cors { origins = "https://a.example" }`, "GET /", origin, "", 200,
			fields{"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Allow-Credentials": "", "Access-Control-Expose-Headers": ""}},
		{`rws.cors { origins = "https://a.example", credentials = true, expose = "X-Count" }`, "GET /", origin, "", 200,
			fields{"Access-Control-Allow-Credentials": "true", "Access-Control-Expose-Headers": "X-Count"}},
		{`rws.cors { origins = "https://b.example" }`, "OPTIONS /", asking("GET", ""), "", 403, nil},
		{`rws.cors { origins = "*" }`, "OPTIONS /", asking("PUT", ""), "", 403, nil},
		{`rws.cors { origins = "*", methods = { "PUT" }, max_age = "0s" }`, "OPTIONS /", asking("PUT", ""), "", 204, fields{"Access-Control-Max-Age": "0"}},
		{`rws.cors { origins = "*", max_age = "1h" }`, "OPTIONS /", asking("GET", "x-a"), "", 403, nil},
		{`rws.cors { origins = "*", headers = { "X-A" }, max_age = "1h" }`, "OPTIONS /", asking("GET", "x-a"), "", 204, fields{"Access-Control-Max-Age": "3600"}},

		{`rws.headers { request = { set = { ["X-A"] = "1" }, remove = { "X-B-*" } }, response = { add = { ["X-C"] = "c" }, remove = { "X-Count" } } }`,
			"GET /", nil, "", 200, fields{"X-C": "c", "X-Count": ""}},
		{`rws.headers { response = { set = { ["X-Count"] = "7" } } }`, "GET /", nil, "", 200, fields{"X-Count": "7"}},

		{`rws.ip_filter { allow = "10.0.0.0/8" }`, "GET /", nil, "", 403, nil},
		{`rws.ip_filter { allow_files = "list" }`, "GET /", nil, "", 200, nil},
		{`rws.ip_filter { allow = "all", deny = "loopback" }`, "GET /", nil, "", 403, nil},
		{`rws.ip_filter { deny_files = { "list" } }`, "GET /", nil, "", 403, nil},

		{`rws.rewrite { strip = "/v1", add = "/x" }`, "GET /v1/y", nil, "", 404, nil},
		{`rws.rewrite { strip = "/v1" }`, "GET /v1", nil, "", 200, nil},
		{`rws.rewrite { host = "b.example", from = "^/a$", to = "/" }`, "GET /a", nil, "", 404, nil},
		{`rws.rewrite { host = "a.example", from = "^/a$", to = "/" }`, "GET http://a.example/a", nil, "", 200, nil},
		{`rws.rewrite { set_host = "only.example" }`, "GET /", nil, "", 418, nil},

		{`rws.redirect { to = "https://b.example$0" }`, "GET /a", nil, "", 308, fields{"Location": "https://b.example/a"}},
		{`rws.redirect { to = "https://b.example$0" }`, "GET http://b.example/", nil, "", 308, fields{"Location": "https://b.example/"}},
		{`rws.redirect { to = "http://b.example$0" }`, "GET http://B.example/", nil, "", 200, nil},
		{`rws.redirect { to = "/" }`, "GET /?a=1", nil, "", 200, nil},
		{`rws.redirect { to = "/" }`, "GET /a", nil, "", 308, fields{"Location": "/"}},
		{`rws.redirect { host = "b.example", to = "/b" }`, "GET /", nil, "", 200, nil},
		{`rws.redirect { from = "^/x$", to = "/b", status = 303 }`, "GET /x", nil, "", 303, fields{"Location": "/b"}},
		{`rws.redirect_https()`, "GET http://a.example/", nil, "", 308, fields{"Location": "https://a.example/"}},
		{`rws.redirect_https { port = 8443, status = 301 }`, "GET http://a.example/", nil, "", 301, fields{"Location": "https://a.example:8443/"}},
		{`rws.redirect_https { hosts = "b.example" }`, "GET http://a.example/", nil, "", 400, nil},

		{`rws.maintenance { file = "list", retry_after = "7s" }`, "GET /", fields{"accept": "text/html"}, "", 503, fields{"Retry-After": "7", "Content-Type": "text/html; charset=utf-8"}},
		{`rws.maintenance { file = "empty", page = "<p>soon</p>" }`, "GET /", fields{"accept": "text/html"}, "", 503, fields{"Retry-After": "300", "Content-Length": "11"}},
		{`rws.maintenance { file = "list", allow = "loopback" }`, "GET /", nil, "", 200, nil},
		{`rws.maintenance { file = "none" }`, "GET /", nil, "", 200, nil},

		{`rws.timeout "50ms"`, "GET /slow", nil, "", 504, nil},
		{`rws.timeout "10s"`, "GET /", nil, "", 200, nil},
		{`rws.max_body "3b"`, "POST /", nil, "four", 413, nil},
		{`rws.max_body "4b"`, "POST /", nil, "four", 200, nil},
		{`rws.concurrency { max = 1, per_key = 1, by = "header:X-Key", queue = 1, wait = "1s" }`, "GET /", nil, "", 200, nil},
	} {
		source := "app:use(" + x.middleware + ")\napp:get('/', " + page + ")" + `
			app:get("/slow", function() rws.sleep("5s") end)
			app:post("/", function(c) return #c.body end)
			app:host("only.example"):get("/", function() return 418 end)`
		source = strings.Replace(source, "return #c.body", "return tostring(#c.body)", 1)
		p := newApp(t, source, map[string]string{"list": "127.0.0.1\n", "empty": ""}, "trusted-proxies=loopback")
		a := do(t, p, x.request, luabind.Call{Header: x.header, Body: x.body})
		assert.Equal(t, x.status, a.Status, "%s\n%s", x.middleware, x.request)
		for name, want := range x.want {
			if not, ok := strings.CutPrefix(want, "!"); ok {
				assert.NotEqual(t, not, a.Header.Get(name), "%s\n%s: %s", x.middleware, x.request, name)
			} else {
				assert.Equal(t, want, a.Header.Get(name), "%s\n%s: %s", x.middleware, x.request, name)
			}
		}
	}
}

// What a guard can't do what it says with does not load.
func TestWrongOptionsDoNotLoad(t *testing.T) {
	for middleware, want := range map[string]string{
		`rws.request_id { header = "a b" }`:                             `"a b" is no name of a header`,
		`rws.request_id { trusted = "here" }`:                           `address "here"`,
		`rws.compress { min_size = 5 }`:                                 `"5" has no unit`,
		`rws.compress { encodings = {} }`:                               "the list of encodings is empty",
		`rws.decompress { max_size = "0b" }`:                            "more than nothing expected",
		`rws.decompress { max_ratio = 0 }`:                              "1 or more expected",
		`rws.security_headers { csp = true }`:                           "a text or a table of directives expected",
		`rws.security_headers { csp = {} }`:                             "the policy is empty",
		`rws.security_headers { csp = { "default-src" } }`:              "directives have names",
		`rws.security_headers { csp = { img_src = { "a b" } } }`:        "one source expected",
		`rws.security_headers { csp = { img_src = false } }`:            "sources expected",
		`rws.security_headers { csp = { img_src = "*; script-src *" }}`: "with spaces between them",
		`rws.security_headers { report_only = true }`:                   "there is no csp",
		`rws.security_headers { hsts = "0s" }`:                          "a second or more expected",
		`rws.security_headers { preload = true }`:                       "do nothing without a time",
		`rws.cors {}`:                        "no origins are allowed",
		`rws.cors()`:                         "a table of options expected",
		`rws.cors { origins = "a.example" }`: "want scheme and host",
		`rws.cors { origins = "*", headers = "*", credentials = true }`: "with credentials",
		`rws.headers {}`: "there are no rules",
		`rws.headers { request = { set = { Host = "x" } } }`: "belongs to the connection",
		`rws.ip_filter {}`:                                   "neither is somebody allowed nor denied",
		`rws.ip_filter { deny = "x" }`:                       `option "deny": address "x"`,
		`rws.ip_filter { deny_files = "none.txt" }`:          `option "deny_files": open`,
		`rws.ip_filter { allow_file = "x" }`:                 `did you mean "allow"`,
		`rws.rewrite {}`:                                     "it changes nothing",
		`rws.rewrite { "a" }`:                                "a list of rules",
		`rws.rewrite { { strip = "/a" }, from = "x" }`:       "a list of rules",
		`rws.rewrite { from = "^/a$" }`:                      "both are needed",
		`rws.redirect { from = "^/a$" }`:                     "want a path",
		`rws.redirect { to = "/a", status = 0 }`:             "want 301",
		`rws.redirect { to = "//evil.example" }`:             "want a path",
		`rws.redirect_https { port = 0 }`:                    "a port from 1",
		`rws.maintenance {}`:                                 "the name of a file expected",
		`rws.maintenance { file = "x", page = "soon" }`:      "HTML expected",
		`rws.maintenance { file = "x", retry_after = "0s" }`: "a second or more",
		`rws.timeout "0s"`:                                   "must be positive",
		`rws.timeout()`:                                      "argument 1",
		`rws.max_body "0b"`:                                  "more than nothing expected",
		`rws.max_body()`:                                     "argument 1",
		`rws.concurrency {}`:                                 "neither the limit for all",
		`rws.concurrency { max = 1, queue = 1 }`:             "both are needed",
		`rws.concurrency { max = 1, by = "ip" }`:             "there is no per_key",
		`rws.concurrency { per_key = 1, by = "usr" }`:        `did you mean "user"`,
	} {
		_, err := load(t, "-- a comment\napp:use("+middleware+")", nil)
		if assert.Error(t, err, middleware) {
			assert.Contains(t, err.Error(), "app.lua:2: rws.", middleware)
			assert.Contains(t, err.Error(), want, middleware)
		}
	}
}

// What works before the routing only is refused where it would do nothing.
func TestRewriteStandsBeforeTheRouting(t *testing.T) {
	const rewrite = `rws.rewrite { strip = "/a" }`
	for _, source := range []string{
		`app:get("/", function() end) app:use(` + rewrite + `)`,
		`app:use(function(c, next) return next() end, ` + rewrite + `)`,
		`app:group("/a", ` + rewrite + `)`,
		`app:group("/a"):use(` + rewrite + `)`,
		`app:host("a.example"):use(` + rewrite + `)`,
		`app:get("/", ` + rewrite + `, function() end)`,
		`app:resource("/a", ` + rewrite + `, { index = function() end })`,
		`local blog = rws.app() blog:use(` + rewrite + `)`,
	} {
		_, err := load(t, source, nil)
		assert.ErrorContains(t, err, "app.lua:1: app:", source)
		assert.ErrorContains(t, err, "rws.rewrite changes where a request goes", source)
	}
	newApp(t, `app:use(rws.request_id(), `+rewrite+`)`, nil)
}

func TestListsOfAddressesAreReadAgain(t *testing.T) {
	p := newApp(t, `app:use(rws.ip_filter { deny_files = "lists/deny.txt" }) app:get("/", function() return "in" end)`,
		map[string]string{"lists/deny.txt": "10.0.0.1\n"})
	require.Equal(t, 200, do(t, p, "GET /").Status)
	require.NoError(t, os.WriteFile(filepath.Join(p.Dir(), "lists/deny.txt"), []byte("127.0.0.1\n"), 0o600))
	require.Eventually(t, func() bool { return do(t, p, "GET /").Status == http.StatusForbidden }, 20*time.Second, 20*time.Millisecond)
}

func TestListingsTellWhatStandsBeforeTheRouting(t *testing.T) {
	p := newApp(t, `app:use(rws.request_id(), rws.max_body "1mb", rws.concurrency { max = 5, per_key = 2 }) app:get("/", rws.timeout "2s", function() end)`,
		nil, "trusted-proxies=10.0.0.1")
	assert.Equal(t, []string{"client_ip", "request_id", "max_body 1mb", "concurrency 5 in all, 2 each"}, p.Early())
	assert.Equal(t, []string{"max_body 1mb", "concurrency 5 in all, 2 each"}, p.Limits())
	assert.Equal(t, append(p.Early(), "timeout 2s"), p.App.Routes[0].Middleware)
}

// The stream that reloads pages stays open, and would use up what limits a client.
func TestLimitsLeaveTheReloadingOfPagesAlone(t *testing.T) {
	source := `app:use(rws.concurrency { per_key = 1 }) app:get("/", function() return "hi" end)`
	p := newApp(t, source, nil)
	h, err := server.Compile(p.App)
	require.NoError(t, err)
	s := httptest.NewServer(h)
	defer s.Close()
	stream, err := http.Get(s.URL + "/_rws/reload")
	require.NoError(t, err)
	defer stream.Body.Close()
	require.Equal(t, 200, stream.StatusCode)
	page, err := http.Get(s.URL)
	require.NoError(t, err)
	defer page.Body.Close()
	assert.Equal(t, 200, page.StatusCode)
}

func TestTheNonceReachesPagesAndTemplates(t *testing.T) {
	p := newApp(t, `
		app:use(rws.security_headers { csp = "script-src 'nonce'" })
		app:get("/lua", function(c) return c.csp_nonce end)
		app:get("/page", function(c) return c:render("page.html") end)
		app:get("/own", function(c) return c:render("page.html", { csp_nonce = "mine" }) end)`,
		map[string]string{"templates/page.html": `{{ csp_nonce }}`})
	seen := map[string]bool{}
	for _, path := range []string{"/lua", "/page", "/page"} {
		a := do(t, p, "GET "+path)
		nonce := string(a.Body)
		assert.Equal(t, "script-src 'nonce-"+nonce+"'", a.Header.Get("Content-Security-Policy"))
		assert.Len(t, nonce, 24)
		assert.False(t, seen[nonce], "a nonce is used once")
		seen[nonce] = true
	}
	assert.Equal(t, "mine", string(do(t, p, "GET /own").Body))

	p = newApp(t, `app:get("/", function(c) return tostring(c.csp_nonce) end)`, nil)
	assert.Equal(t, "nil", string(do(t, p, "GET /").Body), "there is none without a policy")
}

func TestTrustedProxiesAreSettings(t *testing.T) {
	source := `app:get("/", function(c) return c.ip .. " " .. c.scheme end)`
	sent := luabind.Call{Header: fields{"x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https", "x-real-ip": "192.0.2.8"}}
	for _, x := range []struct {
		flags []string
		want  string
	}{
		{nil, "127.0.0.1 http"},
		{[]string{"trusted-proxies=10.0.0.1"}, "127.0.0.1 http"},
		{[]string{"trusted-proxies=10.0.0.1, loopback"}, "192.0.2.7 https"},
		{[]string{"trusted-proxies=loopback", "client-ip-header=x-real-ip"}, "192.0.2.8 https"},
	} {
		assert.Equal(t, x.want, string(do(t, newApp(t, source, nil, x.flags...), "GET /", sent).Body), "%v", x.flags)
	}
	for _, flag := range []string{"trusted-proxies=nobody", "client-ip-header=X-Real-Ip", "client-ip-header=", "client-ip-header=a b"} {
		_, err := load(t, source, nil, flag)
		assert.Error(t, err, flag)
	}
	_, err := load(t, "\napp:config { client_ip_header = \"Forwarded\" }", nil)
	assert.ErrorContains(t, err, "app.lua:2")
}
