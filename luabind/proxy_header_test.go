package luabind_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shows is a backend that answers with the header it got.
func shows(t *testing.T) string {
	return backend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Host: %s\r\n", r.Host)
		_ = r.Header.Write(w)
	})
}

// sends sends bytes to a server and returns all that it answers.
func sends(t *testing.T, url, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(c, strings.ReplaceAll(text, "\n", "\r\n"))
	require.NoError(t, err)
	all, err := io.ReadAll(bufio.NewReader(c))
	require.NoError(t, err)
	return string(all)
}

// What protect names is left by a visitor's Connection, in every form of the option.
func TestProtectedHeadersStay(t *testing.T) {
	for _, protect := range []string{`"X-Foo"`, `{ "X-Bar", "x_foo" }`, `"X-F*"`} {
		url := front(t, script(t, fmt.Sprintf(`app:proxy("/*", %q, { protect = %s })`, shows(t), protect)))
		got := sends(t, url, "GET / HTTP/1.1\nHost: a\nConnection: close, X-Foo, X-Hop\nX-Foo: ann\nX-Hop: 1\n\n")
		assert.Contains(t, got, "X-Foo: ann", protect)
		assert.NotContains(t, got, "X-Hop", protect)
	}
	url := front(t, script(t, fmt.Sprintf(`app:proxy("/*", %q)`, shows(t))))
	assert.NotContains(t, sends(t, url, "GET / HTTP/1.1\nHost: a\nConnection: close, X-Foo\nX-Foo: ann\n\n"), "X-Foo")
}

// Headers are named, and none is set that goes nowhere.
func TestHeadersOfProxiesThatGoNowhereAreRefused(t *testing.T) {
	for source, want := range map[string]string{
		`app:proxy("/*", U, { request = { remove = { "Host" } } })`:              "the option for the host",
		`app:proxy("/*", U, { request = { remove = "content_length" } })`:        "never passed on",
		`app:proxy("/*", U, { request = { remove = { "Transfer-Encoding" } } })`: "never passed on",
		`app:proxy("/*", U, { request = { set = { "X-Val" } } })`:                `"request.set": headers have names`,
		`app:proxy("/*", U, { response = { add = { [7] = "X-Val" } } })`:         `"response.add": headers have names`,
		`app:use(rws.headers { request = { set = { "X-Val" } } })`:               `"request.set": headers have names`,
		`app:use(rws.headers { response = { add = { "X-Val" } } })`:              `"response.add": headers have names`,
		`app:proxy("/*", "127.0.0.1:9000")`:                                      "it has no scheme: write http://127.0.0.1:9000",
		`app:upstream("api", { U })`:                                             `the backends are the option to, as in { to = { "http://127.0.0.1:1" } }`,
		`app:upstream("api", U)`:                                                 `the backends are the option to`,
	} {
		_, err := loadScript(t, "local U = 'http://127.0.0.1:1'\n"+source, nil)
		assert.ErrorContains(t, err, want, source)
		assert.ErrorContains(t, err, "app.lua:2", source)
	}
}

// The host of a request is a field of its own.
func TestHooksOfProxiesTeachWhereTheHostIs(t *testing.T) {
	h := handler(t, fmt.Sprintf(`
		app:proxy("/table/*", %[1]q, { on_request = function(c, request)
			local ok, err = pcall(function() request.headers.host = "x" end)
			request.headers.x_said = ok and "set" or tostring(err)
			request.host = "internal.example"
		end })
	`, shows(t)))
	r := httptest.NewRequest("GET", "/table/a", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	assert.Contains(t, w.Body.String(), "header Host: it is no field of this table")
	assert.Contains(t, w.Body.String(), "Host: internal.example")
}

// on_response sees upgrades and may refuse them.
func TestOnResponseSeesUpgrades(t *testing.T) {
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_ = c.Close()
		}
	})
	url := front(t, script(t, fmt.Sprintf(`app:proxy("/*", %q, { on_response = function(c, response)
		if c.path == "/no" then c:fail(403, "not here") end
		response.headers.x_status = response.status
	end })`, at)))
	ask := func(path string) string {
		return sends(t, url, "GET "+path+" HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: echo\n\nGET / HTTP/1.1\nHost: a\nConnection: close\n\n")
	}
	got := ask("/yes")
	assert.Contains(t, got, " 101 ")
	assert.Contains(t, got, "X-Status: 101")
	assert.Contains(t, ask("/no"), " 403 ")
}

// X-Forwarded-Host is what the visitor sent, whatever a rewriting makes of it.
func TestRewritingLeavesTheForwardedHost(t *testing.T) {
	h := handler(t, fmt.Sprintf(`
		app:use(rws.rewrite { set_host = "new.example" })
		app:proxy("/*", %q)
	`, shows(t)))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://old.example/", nil))
	assert.Contains(t, w.Body.String(), "X-Forwarded-Host: old.example")
	assert.Contains(t, w.Body.String(), "Host: new.example")
}

// Both sides of a canary have the same options; those about one kind of backend are that side's.
func TestOptionsOfACanaryMayConcernOneSide(t *testing.T) {
	for source, want := range map[string]string{
		`app:canary("/a/*", "http://127.0.0.1:1", "https://127.0.0.1:2", { share = "50%", tls = { insecure = true } })`:                         "",
		`app:canary("/a/*", "https://127.0.0.1:1", "http://127.0.0.1:2", { share = "50%", tls = { insecure = true } })`:                         "",
		`app:mirror("/a/*", "http://127.0.0.1:1", "fastcgi://127.0.0.1:2", { fastcgi = { root = "/srv" } })`:                                    "",
		`app:mirror("/a/*", "http://127.0.0.1:1", "fastcgi://127.0.0.1:2", { fastcgi = { root = "/srv" }, proxy_protocol = 1 })`:                "",
		`app:canary("/a/*", app:upstream("u", { to = "http://a" }), "https://127.0.0.1:2", { share = "50%", tls = { insecure = true } })`:       "",
		`app:canary("/a/*", "http://127.0.0.1:1", "http://127.0.0.1:2", { share = "50%", tls = { insecure = true } })`:                          "no backend is spoken to over TLS",
		`app:canary("/a/*", app:upstream("u", { to = "https://a" }), "http://127.0.0.1:2", { share = "50%", tls = { insecure = true } })`:       "no backend is spoken to over TLS",
		`local u = app:upstream("u", { to = "https://a" }) app:canary("/a/*", u, u, { share = "50%", tls = { insecure = true } })`:              "is about backends",
		`app:canary("/a/*", "fastcgi://127.0.0.1:1", "fastcgi://127.0.0.1:2", { share = "50%", fastcgi = { root = "/" }, proxy_protocol = 1 })`: "FastCGI tells the address",
	} {
		_, err := loadScript(t, source, nil)
		if want == "" {
			assert.NoError(t, err, source)
			continue
		}
		assert.ErrorContains(t, err, want, source)
	}
}

func TestDoubtsAboutStripAndTunnels(t *testing.T) {
	for source, want := range map[string]string{
		`app:proxy("/st/*", "http://a", { strip = "/st/x" })`:                         "",
		`app:proxy("/*", "http://a", { strip = "/st" })`:                              "",
		`app:proxy("/st/*", "http://a", { strip = "/stx" })`:                          "no path of /st/* begins with /stx",
		`app:proxy("/*", { "h2c://a", "h2://b" }, { timeout = { tunnel = "1m" } })`:   "WebSockets",
		`app:proxy("/*", { "h2c://a", "http://b" }, { timeout = { tunnel = "1m" } })`: "",
	} {
		p, err := loadScript(t, source, nil)
		require.NoError(t, err, source)
		var all []string
		for _, d := range p.Doubts() {
			all = append(all, d.Message)
		}
		if want == "" {
			assert.Empty(t, all, source)
			continue
		}
		require.Len(t, all, 1, source)
		assert.Contains(t, all[0], want)
	}
}

// A trusted proxy that names no client speaks for itself, and is believed as for all else.
func TestATrustedProxyNeedsNoClient(t *testing.T) {
	h := handler(t, fmt.Sprintf(`app:config { trusted_proxies = "10.0.0.0/8" } app:proxy("/*", %q)`, shows(t)))
	for peer, kept := range map[string]bool{"10.0.0.1:5": true, "192.0.2.1:5": false} {
		r := httptest.NewRequest("GET", "http://inner.example/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-Host", "outer.example")
		r.Header.Set("X-Original-Uri", "/a")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		ip, _, _ := strings.Cut(peer, ":")
		assert.Contains(t, w.Body.String(), "X-Forwarded-For: "+ip+"\r\n")
		assert.Equal(t, kept, strings.Contains(w.Body.String(), "X-Forwarded-Host: outer.example"), peer)
		assert.Equal(t, kept, strings.Contains(w.Body.String(), "X-Original-Uri: /a"), peer)
	}
}
