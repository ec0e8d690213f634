package proxy_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/exchange"
	"rws/server/proxy"
)

// saw is what a backend got.
type saw struct {
	Host, URI string
	Header    http.Header
}

// echo answers with what it got.
func echo(t testing.TB) string {
	return backend(t, func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(saw{r.Host, r.RequestURI, r.Header})
	})
}

// ask sends a request in process, from 192.0.2.7, and returns what the backend got.
func ask(t testing.TB, h http.Handler, edit func(*http.Request, *exchange.Exchange)) (int, saw) {
	t.Helper()
	r := httptest.NewRequest("GET", "http://client.example/a", nil)
	r.RemoteAddr = "192.0.2.7:5555"
	e := exchange.New(r)
	if edit != nil {
		edit(r, e)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(e))
	var got saw
	if w.Code == http.StatusOK {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	}
	return w.Code, got
}

// What a client says of itself as only proxies may, in whatever spelling, never reaches the backend.
func TestClientsCannotSpoofWhoTheyAre(t *testing.T) {
	h := to(t, proxy.Options{Protect: []string{"X-Tenant"}}, echo(t))
	for _, c := range []struct{ name, value string }{
		{"X-Forwarded-For", "10.0.0.1"}, {"X_forwarded_for", "10.0.0.1"}, {"X.forwarded.for", "10.0.0.1"}, {"X-Forwarded_for", "10.0.0.1"},
		{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "admin"}, {"X-Forwarded-Port", "443"}, {"X-Forwarded-Prefix", "/admin"},
		{"X-Forwarded-Server", "evil"}, {"X-Real-Ip", "10.0.0.1"}, {"Forwarded", "for=10.0.0.1"}, {"Proxy", "http://evil"},
		{"Remote_user", "root"}, {"Http2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"}, {"Proxy-Authorization", "x"}, {"Keep-Alive", "timeout=5"},
		{"Alt-Svc", "h3=\":443\""}, {"Transfer-Encoding", "gzip"}, {"Upgrade", "h2c"},
	} {
		code, got := ask(t, h, func(r *http.Request, _ *exchange.Exchange) { r.Header[c.name] = []string{c.value} })
		require.Equal(t, 200, code, c.name)
		assert.Equal(t, []string{"192.0.2.7"}, got.Header["X-Forwarded-For"], c.name)
		assert.Equal(t, []string{"http"}, got.Header["X-Forwarded-Proto"], c.name)
		assert.Equal(t, []string{"client.example"}, got.Header["X-Forwarded-Host"], c.name)
		for name := range got.Header {
			assert.NotContains(t, []string{"X-Real-Ip", "Forwarded", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "Proxy", "Remote_user", "Remote-User",
				"Http2-Settings", "Proxy-Authorization", "Keep-Alive", "Alt-Svc", "Upgrade", "Connection"}, name)
		}
	}
}

// The Connection field takes away what is about the connection, and nothing that a guard relies on.
func TestConnectionTakesAwayOnlyWhatIsTheClientsToTake(t *testing.T) {
	h := to(t, proxy.Options{Protect: []string{"X-Tenant", "*-Secret"}}, echo(t))
	set := func(connection string) saw {
		_, got := ask(t, h, func(r *http.Request, _ *exchange.Exchange) {
			r.Header.Set("Connection", connection)
			for _, name := range []string{"X-Hop", "Authorization", "X-Tenant", "A-Secret", "Remote-User"} {
				r.Header.Set(name, "1")
			}
		})
		return got
	}
	got := set("close, x-hop, X-Forwarded-For, x_forwarded_for, X-FORWARDED-PROTO, Via, Host, authorization, x-tenant, X_Tenant, a.secret, remote-user")
	assert.Empty(t, got.Header["X-Hop"])
	for _, name := range []string{"Authorization", "X-Tenant", "A-Secret", "Remote-User", "X-Forwarded-For", "X-Forwarded-Proto", "Via"} {
		assert.NotEmpty(t, got.Header[name], name)
	}
}

func TestTrustedProxiesAreContinued(t *testing.T) {
	h := to(t, proxy.Options{Forwarded: true}, echo(t))
	trust := func(client string, header ...string) saw {
		code, got := ask(t, h, func(r *http.Request, e *exchange.Exchange) {
			e.Client, e.Secure = netip.MustParseAddr(client), true
			for i := 0; i < len(header); i += 2 {
				r.Header.Add(header[i], header[i+1])
			}
		})
		require.Equal(t, 200, code)
		return got
	}
	got := trust("198.51.100.1", "X-Forwarded-For", "198.51.100.1, 10.0.0.2", "X-Forwarded-Host", "shop.example", "Forwarded", "for=198.51.100.1")
	assert.Equal(t, "198.51.100.1, 10.0.0.2, 192.0.2.7", got.Header.Get("X-Forwarded-For"))
	assert.Equal(t, "https", got.Header.Get("X-Forwarded-Proto"))
	assert.Equal(t, "shop.example", got.Header.Get("X-Forwarded-Host"))
	assert.Equal(t, "for=198.51.100.1, for=192.0.2.7;host=client.example;proto=https", got.Header.Get("Forwarded"))

	got = trust("198.51.100.1", "X-Forwarded-For", "10.9.9.9") // the proxy told in another field; this one is the client's
	assert.Equal(t, "198.51.100.1, 192.0.2.7", got.Header.Get("X-Forwarded-For"))
	got = trust("198.51.100.1", "X-Forwarded-For", "", "X-Forwarded-For", "198.51.100.1,, ,10.0.0.2,", "Forwarded", "", "Forwarded", "for=198.51.100.1,", "Via", " , ", "Via", "1.1 front")
	assert.Equal(t, []string{"198.51.100.1, 10.0.0.2, 192.0.2.7"}, got.Header["X-Forwarded-For"], "empty elements do not count")
	assert.Regexp(t, `^for=198\.51\.100\.1, for=192\.0\.2\.7`, got.Header.Get("Forwarded"))
	assert.Regexp(t, `^1\.1 front, 1\.1 rws-`, got.Header.Get("Via"))
	got = trust("192.0.2.7", "X-Forwarded-For", "", "X-Forwarded-For", "", "Via", "")
	assert.Equal(t, []string{"192.0.2.7"}, got.Header["X-Forwarded-For"])
	assert.Regexp(t, `^1\.1 rws-`, got.Header.Get("Via"))
	got = trust("::", "X-Forwarded-For", "unknown")
	assert.Equal(t, "unknown, 192.0.2.7", got.Header.Get("X-Forwarded-For"))
}

func TestVia(t *testing.T) {
	h := to(t, proxy.Options{}, echo(t))
	_, got := ask(t, h, func(r *http.Request, _ *exchange.Exchange) { r.Header.Set("Via", "1.1 cdn") })
	assert.Regexp(t, `^1\.1 cdn, 1\.1 rws-[a-z2-7]{10}-\w+$`, got.Header.Get("Via"))
	code, _ := ask(t, h, func(r *http.Request, _ *exchange.Exchange) {
		r.Header["Via"] = []string{got.Header.Get("Via") + ", 1.1 other"}
	})
	assert.Equal(t, http.StatusLoopDetected, code)
	other := to(t, proxy.Options{}, echo(t))
	code, _ = ask(t, other, func(r *http.Request, _ *exchange.Exchange) { r.Header["Via"] = got.Header["Via"] })
	assert.Equal(t, 200, code, "another handler is no loop")
}

func TestHostPolicy(t *testing.T) {
	at := echo(t)
	for policy, want := range map[string]string{"": "client.example", "keep": "client.example", "upstream": at[len("http://"):], "api.internal": "api.internal"} {
		_, got := ask(t, to(t, proxy.Options{Host: policy}, at), nil)
		assert.Equal(t, want, got.Host, policy)
		assert.Equal(t, "client.example", got.Header.Get("X-Forwarded-Host"))
	}
}

func TestEdits(t *testing.T) {
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Powered-By"], w.Header()["X-Internal-A"], w.Header()["Server"] = []string{"php"}, []string{"1"}, []string{"apache"}
		w.Header()["Connection"], w.Header()["X-Hop"] = []string{"x-hop, set-cookie"}, []string{"1"}
		w.Header()["Set-Cookie"] = []string{"a=1"}
		_ = json.NewEncoder(w).Encode(saw{r.Host, r.RequestURI, r.Header})
	})
	h := to(t, proxy.Options{
		Request:  proxy.Edits{Remove: []string{"Cookie", "X-Debug-*", "*-Token"}, Set: map[string]string{"x-from": "edge"}, Add: map[string][]string{"X-Tag": {"b"}}},
		Response: proxy.Edits{Remove: []string{"X-Internal-*", "Server"}, Set: map[string]string{"X-Powered-By": "rws"}},
	}, at)
	r := httptest.NewRequest("GET", "/", nil)
	for _, name := range []string{"Cookie", "X-Debug-Level", "My-Token", "X-Tag", "X-Kept"} {
		r.Header.Set(name, "a")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var got saw
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	for _, name := range []string{"Cookie", "X-Debug-Level", "My-Token"} {
		assert.Empty(t, got.Header[name], name)
	}
	assert.Equal(t, []string{"edge"}, got.Header["X-From"])
	assert.Equal(t, []string{"a", "b"}, got.Header["X-Tag"])
	assert.Equal(t, []string{"a"}, r.Header["X-Tag"], "the request that came is left alone")
	assert.Equal(t, []string{"rws"}, w.Header()["X-Powered-By"])
	assert.Equal(t, []string{"a=1"}, w.Header()["Set-Cookie"], "protected")
	for _, name := range []string{"X-Internal-A", "Server", "X-Hop", "Connection"} {
		assert.Empty(t, w.Header()[name], name)
	}
}

func TestNewTeaches(t *testing.T) {
	p := pool(t, "http://127.0.0.1:1")
	for want, o := range map[string]proxy.Options{
		"no pool":                {},
		"whole segments":         {Pool: p, Strip: "api/"},
		"missing closing )":      {Pool: p, Rewrite: []proxy.Rule{{From: "(", To: "/"}}},
		"set by the option":      {Pool: p, Request: proxy.Edits{Set: map[string]string{"host": "a"}}},
		"belongs to the connect": {Pool: p, Response: proxy.Edits{Set: map[string]string{"Transfer-Encoding": "a"}}},
		"may not stand there":    {Pool: p, Request: proxy.Edits{Set: map[string]string{"X-A": "a\nb"}}},
		`with a "*" at one end`:  {Pool: p, Request: proxy.Edits{Remove: []string{"*"}}},
		`did you mean "connect"`: {Pool: p, Retry: proxy.Retry{On: []string{"conect"}}},
		`"upstream", "keep"`:     {Pool: p, Host: "a/b"},
		"max body -1":            {Pool: p, MaxBody: -1},
	} {
		_, err := proxy.New(o)
		assert.ErrorContains(t, err, want)
	}
}

// FastCGI tells applications how the visitor has come, and links are made of it.
func TestTheRequestKeepsHowTheVisitorHasCome(t *testing.T) {
	var seen *http.Request
	h := to(t, proxy.Options{OnRequest: func(_ http.ResponseWriter, _, out *http.Request) error {
		seen = out
		return nil
	}}, echo(t))
	connection := &tls.ConnectionState{ServerName: "a.example"}
	code, _ := ask(t, h, func(r *http.Request, _ *exchange.Exchange) {
		r.TLS, r.Proto, r.ProtoMajor, r.ProtoMinor = connection, "HTTP/3.0", 3, 0
	})
	assert.Equal(t, 200, code, "the backend speaks HTTP/1.1")
	assert.Same(t, connection, seen.TLS)
	assert.Equal(t, "HTTP/3.0", seen.Proto)
	_, _ = ask(t, h, func(r *http.Request, _ *exchange.Exchange) { r.Proto, r.ProtoMinor = "HTTP/1.0", 0 })
	assert.Nil(t, seen.TLS)
	assert.Equal(t, "HTTP/1.0", seen.Proto)
}

func TestHooks(t *testing.T) {
	var bad bool
	h := to(t, proxy.Options{
		OnRequest: func(w http.ResponseWriter, in, out *http.Request) error {
			switch in.URL.Path {
			case "/mine":
				_, _ = w.Write([]byte("{}"))
			case "/up":
				out.URL.Path, out.URL.RawPath = "/x/../etc", ""
			}
			out.Header.Set("X-Hook", "1")
			return nil
		},
		OnResponse: func(_ *http.Request, res *http.Response) error {
			if bad {
				return context.DeadlineExceeded
			}
			res.Header.Set("X-Seen", res.Request.URL.Path)
			return nil
		},
	}, echo(t))
	_, got := ask(t, h, nil)
	assert.Equal(t, "1", got.Header.Get("X-Hook"))
	code, got := ask(t, h, func(r *http.Request, _ *exchange.Exchange) { r.URL.Path = "/mine" })
	assert.Equal(t, 200, code)
	assert.Empty(t, got.URI, "the backend was not asked")
	code, _ = ask(t, h, func(r *http.Request, _ *exchange.Exchange) { r.URL.Path = "/up" })
	assert.Equal(t, 400, code)
	bad = true
	code, _ = ask(t, h, nil)
	assert.Equal(t, 500, code)
}
