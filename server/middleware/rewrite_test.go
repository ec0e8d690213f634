package middleware_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/middleware"
	"rws/server/router"
)

// where answers with host, escaped path and query.
var where = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, r.Host+r.URL.EscapedPath()+"?"+r.URL.RawQuery)
})

// target is a request whose path is taken as it is.
func target(raw string) func(*http.Request) {
	return func(r *http.Request) {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			panic(err)
		}
		r.URL = u
	}
}

func TestRewrite(t *testing.T) {
	h := must(middleware.Rewrite(
		middleware.RewriteRule{From: `^/old/(\d+)$`, To: "/new/$1"},
		middleware.RewriteRule{From: `^/user/(?P<name>[^/]+)/(.*)$`, To: "/u?name=${name}&rest=$2"},
		middleware.RewriteRule{Strip: "/api", Add: "/v2"},
		middleware.RewriteRule{Host: "*.old.test", SetHost: "new.test:8080"},
		middleware.RewriteRule{From: `^/secret/(.*)$`, To: "/public/$1"},
		middleware.RewriteRule{From: `^/join/(.*)$`, To: "/$1"},
	))(t)(where)
	for in, want := range map[string]string{
		"/old/7":                    "example.com/new/7?",
		"/old/7?a=1&b=%20":          "example.com/new/7?a=1&b=%20",
		"/%6fld/7":                  "example.com/new/7?", // no way around by encoding
		"/old%2F7":                  "example.com/old%2F7?",
		"/old/x":                    "example.com/old/x?",
		"/OLD/7":                    "example.com/OLD/7?",
		"/user/a%20b/x%2fy%3fz?q=1": "example.com/u?name=a+b&rest=x%2Fy%3Fz&q=1",
		"/user/a&b=c/":              "example.com/u?name=a%26b%3Dc&rest=",
		"/api":                      "example.com/v2/?",
		"/api/x%2Fy":                "example.com/v2/x%2Fy?",
		"/apix":                     "example.com/apix?",
		"/secret/%C3%A9%20":         "example.com/public/%C3%A9%20?",
		"/secret/%25%32%65":         "example.com/public/%252e?",
		"/join/a":                   "example.com/a?",
		"/join//evil.test":          "400",
		"/join/%2e%2e/x":            "400",
		"/secret/../x":              "400",
		"/secret/..%2Fx":            "400",
		"/secret/%00":               "400",
		"/secret/%0d%0a":            "400",
	} {
		w := ask(h, "/", target(in))
		got := w.Body.String()
		if w.Code == 400 {
			got = "400"
		}
		assert.Equal(t, want, got, in)
	}
	for host, want := range map[string]string{"a.old.test": "new.test:8080/x?", "A.OLD.TEST.:80": "new.test:8080/x?", "old.test": "old.test/x?", "aold.test": "aold.test/x?"} {
		assert.Equal(t, want, ask(h, "/x", func(r *http.Request) { r.Host = host }).Body.String())
	}
}

func TestRewriteRulesAreChecked(t *testing.T) {
	for part, rule := range map[string]middleware.RewriteRule{
		"changes nothing":    {},
		"both are needed":    {From: "^/a"},
		"missing closing )":  {From: "^/(", To: "/"},
		`no group "2"`:       {From: "^/(.*)", To: "/$2"},
		`no group "name"`:    {From: "^/(.*)", To: "/${name}"},
		"neither $1":         {From: "^/(.*)", To: "/$"},
		`begins with "/"`:    {From: "^/(.*)", To: "https://a.test/$1"},
		"control characters": {From: "^/(.*)", To: "/\r\nx"},
		"whole segments":     {Strip: "/api/"},
		`"/a/../b": want`:    {Add: "/a/../b"},
		`set host "a/b"`:     {SetHost: "a/b"},
		`"a.test:80": want`:  {Host: "a.test:80", Strip: "/a"},
	} {
		_, err := middleware.Rewrite(rule)
		assert.ErrorContains(t, err, part)
		assert.ErrorContains(t, err, "rule 1")
	}
	_, err := middleware.Rewrite()
	assert.Error(t, err)
}

func TestRedirect(t *testing.T) {
	h := must(middleware.Redirect(
		middleware.RedirectRule{From: `^/old/(.*)$`, To: "/new/$1", Status: 301},
		middleware.RedirectRule{From: `^/go/(.*)$`, To: "/$1"},
		middleware.RedirectRule{Host: "www.example.com", To: "https://example.com$0"},
		middleware.RedirectRule{From: `^/doc/(.*)$`, To: "https://docs.test/v1/$1?from=$1"},
	))(t)(say("handler"))
	for in, want := range map[string]string{
		"/old/a%20b?x=1":        "301 /new/a%20b?x=1",
		"/go/x":                 "308 /x",
		"/go//evil.test":        "308 /evil.test",
		"/go/%2Fevil.test":      "308 /%2Fevil.test",
		"/go/%5Cevil.test":      "308 /%5Cevil.test",
		"/go/%0d%0aSet-Cookie:": "400 ",
		"/go/%2e%2e":            "400 ",
		"/doc/a%26b?c":          "308 https://docs.test/v1/a&b?from=a%26b&c",
		"/else":                 "200 ",
	} {
		w := ask(h, "/", target(in))
		assert.Equal(t, want, w.Result().Status[:3]+" "+w.Header().Get("Location"), in)
	}
	w := ask(h, "/a/b?c=d", func(r *http.Request) { r.Host = "WWW.example.com:80" })
	assert.Equal(t, "https://example.com/a/b?c=d", w.Header().Get("Location"))
	for part, rule := range map[string]middleware.RedirectRule{
		"status 200":               {To: "/a", Status: 200},
		"whose host is fixed":      {From: "(.*)", To: "https://$1/"},
		`"//a.test": want`:         {To: "//a.test"},
		`"a": want`:                {To: "a"},
		"javascript":               {To: "javascript:alert(1)"},
		`"https://u@a.test" is no`: {To: "https://u@a.test/"},
		`no group "1"`:             {To: "https://a.test$0$1"},
	} {
		_, err := middleware.Redirect(rule)
		assert.ErrorContains(t, err, part)
	}
}

// What is no name of a host is sent back to nobody, wherever it may be below a name that is known.
func TestRedirectHTTPSLeadsToHostsAlone(t *testing.T) {
	below, err := middleware.RedirectHTTPS(middleware.RedirectHTTPSOptions{Hosts: []string{"*.example.com"}})
	require.NoError(t, err)
	any, err := middleware.RedirectHTTPS(middleware.RedirectHTTPSOptions{})
	require.NoError(t, err)
	for host, want := range map[string]int{
		"a.example.com": 308, "A-1.b.example.com:80": 308, "a.example.com.": 308, "192.0.2.1": 308, "[::1]:80": 308, "xn--bcher-kva.example.com": 308,
		"a'b.example.com": 400, "a_b.example.com": 400, "a,b.example.com": 400, "a$(x).example.com": 400, "-a.example.com": 400, "a-.example.com": 400,
		"a..example.com": 400, "%61.example.com": 400, "ä.example.com": 400, "[::1%25eth0]:80": 400, "[::zz]": 400, strings.Repeat("a", 64) + ".example.com": 400,
	} {
		for _, m := range []middleware.Func{below, any} {
			if want == 308 && !strings.Contains(host, "example") {
				m = any
			}
			r := httptest.NewRequest("GET", "/x", nil)
			r.Host = host
			w := httptest.NewRecorder()
			m(http.NotFoundHandler()).ServeHTTP(w, r)
			assert.Equal(t, want, w.Code, host)
			assert.Equal(t, want == 308, w.Header().Get("Location") != "", host)
		}
	}
}

func TestRedirectHTTPS(t *testing.T) {
	m, err := middleware.RedirectHTTPS(middleware.RedirectHTTPSOptions{Port: 8443, Hosts: []string{"example.com"}})
	require.NoError(t, err)
	to := func(h http.Handler, host, path string, edit ...func(*http.Request)) string {
		w := ask(h, "/", append(edit, target(path), func(r *http.Request) { r.Host = host })...)
		return w.Result().Status[:3] + w.Header().Get("Location")
	}
	assert.Equal(t, "308https://example.com:8443/a%20b?c", to(m(say("")), "example.com:8080", "/a%20b?c"))
	assert.Equal(t, "400", to(m(say("")), "evil.test", "/"))
	assert.Equal(t, "200", to(m(say("")), "example.com", "/", func(r *http.Request) { *r = *httptest.NewRequest("GET", "https://example.com/", nil) }))
	assert.Equal(t, "308https://example.com:8443/", to(m(say("")), "example.com", "/", with("X-Forwarded-Proto: https")), "anybody can say that")
	m, err = middleware.RedirectHTTPS(middleware.RedirectHTTPSOptions{})
	require.NoError(t, err)
	assert.Equal(t, "308https://[::1]/", to(m(say("")), "[::1]:80", "/"))
	assert.Equal(t, "400", to(m(say("")), "", "/"))
	assert.Equal(t, "400", to(m(say("")), "a@b", "/"))
	for want, o := range map[string]middleware.RedirectHTTPSOptions{
		"status 200: want":  {Status: 200},
		"port 70000: want":  {Port: 70000},
		"the list is empty": {Hosts: []string{}},
	} {
		_, err := middleware.RedirectHTTPS(o)
		assert.ErrorContains(t, err, want)
	}
	_, err = middleware.RedirectHTTPS(middleware.RedirectHTTPSOptions{Status: 200})
	assert.NotContains(t, err.Error(), "port", "nobody has said one")
}

func TestHeaderRules(t *testing.T) {
	var seen http.Header
	h := must(middleware.Headers(middleware.HeadersOptions{
		Request: middleware.HeaderRules{Remove: []string{"cookie", "X-Internal-*"}, Set: map[string]string{"x-user": "me"}, Add: map[string]string{"X-Via": "edge"}},
		Response: middleware.HeaderRules{Remove: []string{"server", "X-Debug-*"}, Set: map[string]string{"X-Frame-Options": "DENY"},
			Add: map[string]string{"Link": "</a>"}},
	}))(t)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		for _, name := range []string{"Server", "X-Debug-A", "x-debug_b", "X-Frame-Options", "Link"} {
			w.Header().Set(name, "theirs")
		}
		if r.URL.Path != "/silent" {
			_, _ = io.WriteString(w, "ok")
		}
	}))
	sent := with("COOKIE: a", "X_User: root", "x.user: root", "X-USER: root", "x_internal-id: 1", "X-Internal_Id: 1", "X-Internal: stays", "X-Via: a")
	for _, path := range []string{"/", "/silent"} {
		w := ask(h, path, sent)
		assert.Equal(t, http.Header{"X-User": {"me"}, "X-Internal": {"stays"}, "X-Via": {"a", "edge"}}, seen)
		assert.Equal(t, http.Header{"X-Frame-Options": {"DENY"}, "Link": {"theirs", "</a>"}}, func() http.Header {
			h := w.Header().Clone()
			h.Del("Content-Type")
			return h
		}())
	}
	set := func(name, value string) middleware.HeadersOptions {
		return middleware.HeadersOptions{Response: middleware.HeaderRules{Set: map[string]string{name: value}}}
	}
	refused(t, middleware.Headers, map[string]middleware.HeadersOptions{
		"no rules":              {},
		"a header is one line":  set("X-A", "a\r\nSet-Cookie: x"),
		"control characters":    set("X-A", "a\x00"),
		`"X-A:" is no name`:     set("X-A:", "a"),
		`"" is no name`:         {Request: middleware.HeaderRules{Remove: []string{"*"}}},
		"belongs to":            set("transfer_encoding", "chunked"),
		"Connection belongs to": {Request: middleware.HeaderRules{Remove: []string{"Connection"}}},
	})
}

func TestMaintenance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "maintenance.html")
		m := must(middleware.NewMaintenance(middleware.MaintenanceOptions{File: file, Allow: []string{"10.0.0.0/8"}, RetryAfter: time.Minute}))(t)
		h := m.Wrap(say("ok"))
		assert.Equal(t, 200, ask(h, "/").Code)
		require.NoError(t, os.WriteFile(file, []byte("<h1>soon</h1>"), 0o600))
		assert.Equal(t, 200, ask(h, "/").Code, "it is looked at once a second")
		time.Sleep(time.Second)
		w := ask(h, "/", with("Accept: text/html"))
		assert.Equal(t, 503, w.Code)
		assert.Equal(t, "<h1>soon</h1>", w.Body.String())
		assert.Equal(t, "60", w.Header().Get("Retry-After"))
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		assert.Empty(t, ask(h, "HEAD /", with("Accept: text/html")).Body.String())
		w = ask(h, "/", with("Accept: application/json"))
		assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		assert.Equal(t, "60", w.Header().Get("Retry-After"))
		assert.Equal(t, 200, ask(h, "/", from("10.1.1.1:1")).Code)
		assert.Equal(t, 200, ask(h, "/", from("[::ffff:10.1.1.1]:1")).Code)
		assert.Equal(t, 503, ask(h, "/", from("11.1.1.1:1"), with("X-Forwarded-For: 10.1.1.1")).Code)
		require.NoError(t, os.Remove(file))
		time.Sleep(time.Second)
		assert.Equal(t, 200, ask(h, "/").Code)
		m.Set(true)
		assert.True(t, m.On())
		assert.Equal(t, 503, ask(h, "/").Code)
		m.Set(false)
		assert.Equal(t, 200, ask(h, "/").Code)
	})
	_, err := middleware.NewMaintenance(middleware.MaintenanceOptions{Allow: []string{"x"}})
	assert.ErrorContains(t, err, `allow: address "x"`)
}

// FuzzRewrite wants a path that routes accept, and no other meaning of what stays.
func FuzzRewrite(f *testing.F) {
	for _, seed := range []string{"/a/b", "/%2e%2e/x", "/a%2Fb", "/%25%32%65", "//x", "/\xff", "/a%5C..%5Cb", "/%e2%84%aa"} {
		f.Add(seed)
	}
	identity := must(middleware.Rewrite(middleware.RewriteRule{From: "^(.*)$", To: "/x$1"}))
	f.Fuzz(func(t *testing.T, path string) {
		u := &url.URL{}
		if p, err := url.PathUnescape(path); err == nil {
			u.Path, u.RawPath = p, path
		} else {
			t.Skip()
		}
		before := u.EscapedPath()
		var after string
		h := identity(t)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { after = r.URL.EscapedPath() }))
		w := ask(h, "/", func(r *http.Request) { r.URL = u })
		if w.Code == 400 {
			return
		}
		require.NoError(t, router.CheckPath(after))
		a, err := url.PathUnescape(before)
		require.NoError(t, err)
		b, err := url.PathUnescape(after)
		require.NoError(t, err)
		if before == "" {
			before, a = "/", "/"
		}
		assert.Equal(t, "/x"+a, b)
		assert.Equal(t, strings.Count(before, "/")+1, strings.Count(after, "/"), "slashes keep their meaning: %q %q", before, after)
	})
}

func TestRedirectsInACircleAreRefused(t *testing.T) {
	for _, rule := range []middleware.RedirectRule{
		{From: "^/a$", To: "/a"}, {From: "^/(.*)$", To: "/$1"}, {From: "^/old", To: "/old/new", Status: 302},
	} {
		_, err := middleware.Redirect(rule)
		assert.ErrorContains(t, err, "for ever", rule)
	}
	for _, rule := range []middleware.RedirectRule{
		{From: "^/a$", To: "/b"}, {Host: "www.example.com", To: "https://example.com$0"}, {From: "^/a/(.*)$", To: "/b/$1"},
	} {
		_, err := middleware.Redirect(rule)
		assert.NoError(t, err, rule)
	}
}

func TestRedirectsThatNeverEndAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		rules []middleware.RedirectRule
		want  string
	}{
		"two":          {[]middleware.RedirectRule{{From: "^/c1$", To: "/c2"}, {From: "^/c2$", To: "/c1"}}, "rule 1: from \"^/c1$\": a client that asks for \"/c1\" is sent on for ever, /c1 → /c2 → /c1"},
		"three":        {[]middleware.RedirectRule{{From: "^/a$", To: "/b"}, {From: "^/b/?$", To: "/c"}, {From: "^/c$", To: "/a"}}, "/a → /b → /c → /a"},
		"on a way":     {[]middleware.RedirectRule{{From: "^/x$", To: "/c1"}, {From: "^/c1$", To: "/c2"}, {From: "^/c2$", To: "/c1"}}, "/c1 → /c2 → /c1"},
		"one host":     {[]middleware.RedirectRule{{Host: "a.example", From: "^/c1$", To: "/c2"}, {Host: "a.example", From: "^/c2$", To: "/c1"}}, "/c1 → /c2 → /c1"},
		"longer":       {[]middleware.RedirectRule{{From: "^/a/(.*)", To: "/a/b/$1"}}, "/a/ → /a/b/ → /a/b/b/"},
		"a class":      {[]middleware.RedirectRule{{From: `^/item/(\d+)$`, To: "/items/$1"}, {From: `^/items/(\d{1,9})$`, To: "/item/$1"}}, "is sent on for ever"},
		"two hosts":    {[]middleware.RedirectRule{{Host: "a.example", From: "^/c1$", To: "/c2"}, {Host: "b.example", From: "^/c2$", To: "/c1"}}, ""},
		"elsewhere":    {[]middleware.RedirectRule{{From: "^/c1$", To: "https://b.example/c2"}, {From: "^/c2$", To: "/c1"}}, ""},
		"a chain":      {[]middleware.RedirectRule{{From: "^/a$", To: "/b"}, {From: "^/b$", To: "/c"}}, ""},
		"a slash":      {[]middleware.RedirectRule{{From: "^(/.*[^/])$", To: "$1/"}}, "want a path"},
		"to a folder":  {[]middleware.RedirectRule{{From: "^/docs(/.*)?$", To: "/docs/"}}, "is sent there again"},
		"by the first": {[]middleware.RedirectRule{{From: "^/a$", To: "/b"}, {From: "^/a$", To: "/a"}}, "is sent there again"},
		"any path":     {[]middleware.RedirectRule{{To: "/new"}, {From: "^/new$", To: "/newer"}}, ""},
	} {
		_, err := middleware.Redirect(c.rules...)
		if c.want == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, c.want, name)
		}
	}
}
