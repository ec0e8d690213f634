package middleware_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/middleware"
)

func TestOriginsMatchExactly(t *testing.T) {
	h := must(middleware.CORS(middleware.CORSOptions{Credentials: true, Expose: []string{"X-Total"}, Origins: []string{
		"https://app.example.com", "http://localhost:5173", "https://*.example.org", "http://*.dev.example.org:8080"}}))(t)(say("ok"))
	for origin, allowed := range map[string]bool{
		"https://app.example.com": true, "http://localhost:5173": true, "https://a.example.org": true, "https://a.b-c.example.org": true,
		"http://x.dev.example.org:8080": true,
		"":                              false, "null": false, "*": false, "https://example.org": false, "http://a.example.org": false,
		"https://app.example.com.evil.test": false, "https://evilapp.example.com": false, "https://evil-example.org": false,
		"https://app.example.com:8443": false, "https://APP.example.com": false, "HTTPS://app.example.com": false,
		"https://app.example.com/": false, "https://evil.test/.example.org": false, "https://evil.test#.example.org": false,
		"https://evil.test?.example.org": false, "https://a@b.example.org": false, "https://evil.test\\.example.org": false,
		"https://.example.org": false, "https://a..example.org": false, "https://a.example.org.": false, "https://%2e.example.org": false,
		"https://x.dev.example.org:8080": false, "https://evil.test:443.example.org": false, "https://é.example.org": false,
	} {
		w := ask(h, "/", with("Origin: "+origin))
		want := ""
		if allowed {
			want = origin
		}
		assert.Equal(t, want, w.Header().Get("Access-Control-Allow-Origin"), origin)
		assert.Equal(t, allowed, w.Header().Get("Access-Control-Allow-Credentials") == "true", origin)
		assert.Equal(t, "Origin", w.Header().Get("Vary"), "caches must keep origins apart, also for who sends none")
		assert.Equal(t, "ok", w.Body.String())
		w = ask(h, "OPTIONS /", with("Origin: "+origin, "Access-Control-Request-Method: POST"))
		assert.Equal(t, map[bool]int{true: 204, false: 403}[allowed], w.Code, origin)
	}
	w := ask(h, "/", with("Origin: https://app.example.com", "Origin: https://evil.test"))
	assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "Origin", ask(h, "/").Header().Get("Vary"))
}

func TestPreflights(t *testing.T) {
	h := must(middleware.CORS(middleware.CORSOptions{Origins: []string{"https://a.test"}, Methods: []string{"GET", "PUT"},
		Headers: []string{"Content-Type", "X-A"}, MaxAge: time.Hour}))(t)(say("handler"))
	for _, c := range []struct {
		method, headers string
		status          int
	}{
		{"PUT", "", 204}, {"GET", "content-type,x-a", 204}, {"PUT", "X-A , content-TYPE", 204}, {"PUT", ", ,", 204},
		{"DELETE", "", 403}, {"put", "", 403}, {"PUT", "x-b", 403}, {"PUT", "x_a", 403}, {"PUT", "authorization", 403}, {"PUT", "*", 403},
	} {
		w := ask(h, "OPTIONS /", with("Origin: https://a.test", "Access-Control-Request-Method: "+c.method, "Access-Control-Request-Headers: "+c.headers))
		assert.Equal(t, c.status, w.Code, c)
		assert.Equal(t, "Origin, Access-Control-Request-Method, Access-Control-Request-Headers", strings.Join(w.Header().Values("Vary"), ", "))
		if c.status != 204 {
			assert.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
			continue
		}
		assert.Equal(t, "GET, PUT", w.Header().Get("Access-Control-Allow-Methods"))
		assert.Equal(t, "Content-Type, X-A", w.Header().Get("Access-Control-Allow-Headers"))
		assert.Equal(t, "3600", w.Header().Get("Access-Control-Max-Age"))
		assert.Empty(t, w.Body.String())
	}
	assert.Equal(t, "handler", ask(h, "OPTIONS /", with("Origin: https://a.test")).Body.String(), "no preflight")
}

func TestAnyOrigin(t *testing.T) {
	h := must(middleware.CORS(middleware.CORSOptions{Origins: []string{"*"}, Headers: []string{"*"}}))(t)(say("ok"))
	w := ask(h, "/", with("Origin: https://x.test"))
	assert.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
	assert.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))
	assert.Empty(t, w.Header().Get("Vary"))
	pre := func(header string) int {
		return ask(h, "OPTIONS /", with("Origin: null", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: "+header)).Code
	}
	assert.Equal(t, 204, pre("x-what"))
	assert.Equal(t, 403, pre("Authorization"))
}

// A handler may say what it likes of these headers: what is allowed is decided here.
func TestHandlersDoNotWidenCORS(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		if r.URL.Path == "/flush" {
			_ = http.NewResponseController(w).Flush()
		}
		if r.URL.Path != "/silent" {
			_, _ = io.WriteString(w, "ok")
		}
	})
	h := must(middleware.CORS(middleware.CORSOptions{Origins: []string{"https://a.test"}}))(t)(handler)
	for _, path := range []string{"/", "/flush", "/silent"} {
		w := ask(h, path, with("Origin: https://a.test"))
		assert.Equal(t, []string{"Accept", "Origin"}, w.Header()["Vary"], path)
		assert.Equal(t, []string{"https://a.test"}, w.Header()["Access-Control-Allow-Origin"], path)
		assert.Empty(t, w.Header()["Access-Control-Allow-Credentials"], path)
		w = ask(h, path, with("Origin: https://evil.test"))
		assert.Equal(t, []string{"Accept", "Origin"}, w.Header()["Vary"], path)
		assert.Empty(t, w.Header()["Access-Control-Allow-Origin"], path)
		assert.Empty(t, w.Header()["Access-Control-Allow-Credentials"], path)
	}
}

func TestCORSOptionsAreChecked(t *testing.T) {
	one := func(origin string) middleware.CORSOptions { return middleware.CORSOptions{Origins: []string{origin}} }
	refused(t, middleware.CORS, map[string]middleware.CORSOptions{
		"no origins":             {},
		"list of methods":        {Origins: []string{"https://a.test"}, Methods: []string{}},
		"*.co.uk":                one("https://*.co.uk"),
		"*.github.io":            one("https://*.github.io"),
		"act as its visitor":     {Origins: []string{"*"}, Credentials: true},
		"leave out the others":   {Origins: []string{"*", "https://a.test"}},
		`"a.test": want scheme`:  one("a.test"),
		`"null"`:                 one("null"),
		`"https://a.test/"`:      one("https://a.test/"),
		`"https://A.test"`:       one("https://A.test"),
		`"https://a.test."`:      one("https://a.test."),
		`"https://u@a.test"`:     one("https://u@a.test"),
		`write "https://a.test"`: one("https://a.test:443"),
		`"https://a*.test"`:      one("https://a*.test"),
		`"https://*.*.test"`:     one("https://*.*.test"),
		"anybody can have":       one("https://*.com"),
		`"https://*"`:            one("https://*"),
		`"https://*.10.0.0.1"`:   one("https://*.10.0.0.1"),
		"method \"put\"":         {Origins: []string{"https://a.test"}, Methods: []string{"put"}},
		"header \"a b\"":         {Origins: []string{"https://a.test"}, Headers: []string{"a b"}},
		"not beside credentials": {Origins: []string{"https://a.test"}, Headers: []string{"*"}, Credentials: true},
		"expose \"*\"":           {Origins: []string{"https://a.test"}, Expose: []string{"*"}},
	})
}

var csrfSecret = []byte(strings.Repeat("k", 32))

// csrfApp answers GET with a token and POST with the body it gets.
func csrfApp(t *testing.T, o middleware.CSRFOptions) http.Handler {
	o.Key = csrfSecret
	return must(middleware.CSRF(o))(t)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			token, err := middleware.CSRFToken(r.Context(), w.Header())
			assert.NoError(t, err)
			_, _ = io.WriteString(w, token)
			return
		}
		_, _ = io.Copy(w, r.Body)
	}))
}

func TestBrowsersTellWhereARequestComesFrom(t *testing.T) {
	h := csrfApp(t, middleware.CSRFOptions{TrustedOrigins: []string{"https://app.test"}})
	for _, c := range []struct {
		target, lines string
		want          int
	}{
		{"POST http://example.com/", "Sec-Fetch-Site: same-origin|Cookie: a=b", 200},
		{"POST http://example.com/", "Sec-Fetch-Site: none|Cookie: a=b", 200},
		{"POST http://example.com/", "Sec-Fetch-Site: cross-site", 403},
		{"POST http://example.com/", "Sec-Fetch-Site: same-site", 403},
		{"POST http://example.com/", "Sec-Fetch-Site: cross-site|Origin: https://app.test", 200},
		{"POST http://example.com/", "Origin: http://example.com|Cookie: a=b", 200},
		{"POST http://example.com/", "Origin: http://evil.test", 403},
		{"POST http://example.com/", "Origin: null", 403},
		{"POST http://example.com/", "Origin: http://example.com.evil.test", 403},
		{"DELETE http://example.com/", "Sec-Fetch-Site: cross-site", 403},
		{"PROPFIND http://example.com/", "Sec-Fetch-Site: cross-site", 403},
		{"post http://example.com/", "Sec-Fetch-Site: cross-site", 403},
		{"GET http://example.com/", "Sec-Fetch-Site: cross-site", 200},
		{"POST http://example.com/", "", 200}, // a program, and no cookies to abuse
		{"POST http://example.com/", "Cookie: a=b", 403},
		{"POST http://example.com/", "Cookie: a=b|Origin: ", 403}, // an empty header says nothing
		{"POST http://example.com/", "Cookie: a=b|Sec-Fetch-Site: ", 403},
		{"POST http://example.com/", "Cookie: a=b|Sec-Fetch-Site: |Origin: http://evil.test", 403},
		{"POST http://example.com/", "Sec-Fetch-Site: same-origin|Sec-Fetch-Site: cross-site", 403},
		{"POST http://example.com/", "Sec-Fetch-Site: same-origin|Sec-Fetch-Site: same-origin", 200},
		{"POST http://example.com/", "Origin: http://example.com|Origin: http://evil.test", 403},
		{"POST http://example.com/", "Authorization: Basic YTpi", 403}, // browsers send that by themselves
		{"POST http://example.com/", "Authorization: bAsIc YTpi", 403},
		{"POST http://example.com/", "Authorization: Negotiate YTpi", 403},
		{"POST http://example.com/", "Authorization: Bearer YTpi", 200},
		{"POST http://example.com/", "Authorization: Basic YTpi|Origin: http://example.com", 200},
	} {
		var edits []func(*http.Request)
		if c.lines != "" {
			edits = append(edits, with(strings.Split(c.lines, "|")...))
		}
		assert.Equal(t, c.want, ask(h, c.target, edits...).Code, c)
	}
}

func form(body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
}

// swapped is a text with another first letter.
func swapped(text string) string {
	if text[0] == 'A' {
		return "B" + text[1:]
	}
	return "A" + text[1:]
}

func TestOldBrowsersNeedAToken(t *testing.T) {
	h := csrfApp(t, middleware.CSRFOptions{})
	get := func(edit ...func(*http.Request)) (token, cookie string) {
		w := ask(h, "/", edit...)
		for _, c := range w.Result().Cookies() {
			assert.True(t, c.HttpOnly)
			cookie = c.Name + "=" + c.Value
		}
		return w.Body.String(), cookie
	}
	token, cookie := get()
	require.NotEmpty(t, cookie)
	again, none := get(with("Cookie: " + cookie))
	assert.Empty(t, none, "the cookie stays")
	assert.NotEqual(t, token, again, "no two tokens are alike")
	other, otherCookie := get()
	body := url.Values{"_csrf": {token}, "x": {"1"}}.Encode()
	w := ask(h, "POST /", with("Cookie: "+cookie), form(body))
	assert.Equal(t, 200, w.Code)
	assert.Equal(t, body, w.Body.String(), "the body is still there")
	assert.Equal(t, 200, ask(h, "POST /", with("Cookie: "+cookie, "X-Csrf-Token: "+again)).Code)
	for name, edit := range map[string]func(*http.Request){
		"none":           with("Cookie: " + cookie),
		"of another":     with("Cookie: "+cookie, "X-Csrf-Token: "+other),
		"cookie swapped": with("Cookie: "+otherCookie, "X-Csrf-Token: "+token),
		"two cookies":    with("Cookie: "+otherCookie+"; "+cookie, "X-Csrf-Token: "+token),
		"two headers":    with("Cookie: "+cookie, "X-Csrf-Token: "+token, "X-Csrf-Token: "+token),
		"underscores":    with("Cookie: "+cookie, "X_Csrf_Token: "+token),
		"changed":        with("Cookie: "+cookie, "X-Csrf-Token: "+swapped(token)),
		"padded":         with("Cookie: "+cookie, "X-Csrf-Token: "+token+"="),
		"cookie as is":   with("Cookie: "+cookie, "X-Csrf-Token: "+strings.TrimPrefix(cookie, "csrf=")),
		"no cookie":      with("Cookie: a=b", "X-Csrf-Token: "+token),
		"empty":          with("Cookie: "+cookie, "X-Csrf-Token: "),
	} {
		assert.Equal(t, 403, ask(h, "POST /", edit).Code, name)
	}
	assert.Equal(t, 403, ask(h, "POST /?_csrf="+token, with("Cookie: "+cookie)).Code, "not in a URL")
	assert.Equal(t, 403, ask(h, "POST /", with("Cookie: "+cookie), form("_csrf="+token+"&_csrf=x")).Code)
	assert.Equal(t, 413, ask(h, "POST /", with("Cookie: "+cookie), form("x="+strings.Repeat("a", 2<<20))).Code)
}

func TestATokenIsOfItsSession(t *testing.T) {
	h := csrfApp(t, middleware.CSRFOptions{Always: true, Session: func(r *http.Request) (string, error) {
		if r.Header.Get("Session") == "down" {
			return "", errors.New("the store is down")
		}
		return r.Header.Get("Session"), nil
	}})
	w := ask(h, "/", with("Session: a"))
	assert.Empty(t, w.Result().Cookies())
	token := "X-Csrf-Token: " + w.Body.String()
	same := "Sec-Fetch-Site: same-origin"
	assert.Equal(t, 200, ask(h, "POST /", with("Session: a", same, token)).Code)
	assert.Equal(t, 403, ask(h, "POST /", with("Session: b", same, token)).Code)
	assert.Equal(t, 503, ask(h, "POST /", with("Session: down", same, token)).Code, "a store that is down lets nobody in")
	assert.Equal(t, 403, ask(h, "POST /", with(same, token)).Code)
	assert.Equal(t, 403, ask(h, "POST /", with("Session: a", same)).Code, "always")
	assert.Equal(t, 403, ask(h, "POST /", with("Session: a", "Sec-Fetch-Site: cross-site", token)).Code)
}

func TestTheCookieOfTokensIsBoundToTheHostOverTLS(t *testing.T) {
	w := ask(csrfApp(t, middleware.CSRFOptions{}), "https://example.com/")
	require.Len(t, w.Result().Cookies(), 1)
	c := w.Result().Cookies()[0]
	assert.Equal(t, "__Host-csrf", c.Name)
	assert.True(t, c.Secure)
	assert.Equal(t, "/", c.Path)
}

func TestCSRFOptionsAreChecked(t *testing.T) {
	refused(t, middleware.CSRF, map[string]middleware.CSRFOptions{
		"the key has 3 bytes": {Key: []byte("abc")},
		"trusted origin":      {Key: csrfSecret, TrustedOrigins: []string{"app.test"}},
		"no name":             {Key: csrfSecret, Cookie: "a b"},
	})
	none, err := middleware.CSRFToken(t.Context(), http.Header{})
	assert.NoError(t, err)
	assert.Empty(t, none)
}

func TestSecureHeaders(t *testing.T) {
	h := must(middleware.SecureHeaders(middleware.SecureHeadersOptions{HSTS: 400 * 24 * time.Hour, Subdomains: true, Preload: true,
		Permissions: "camera=()", CSP: middleware.CSP{"script-src": {"'nonce'", "'strict-dynamic'"}, "style-src": {"'nonce'"}, "default-src": {"'self'"}}}))(t)(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, middleware.Nonce(r.Context())) }))
	w := ask(h, "/")
	nonce := w.Body.String()
	assert.Len(t, nonce, 24)
	assert.Equal(t, "default-src 'self'; script-src 'nonce-"+nonce+"' 'strict-dynamic'; style-src 'nonce-"+nonce+"'", w.Header().Get("Content-Security-Policy"))
	assert.NotEqual(t, nonce, ask(h, "/").Body.String())
	for name, value := range map[string]string{
		"X-Frame-Options": "deny", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin-when-cross-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Permissions-Policy": "camera=()",
		"Strict-Transport-Security": "", "Cross-Origin-Embedder-Policy": "",
	} {
		assert.Equal(t, value, w.Header().Get(name), name)
	}
	assert.Equal(t, "max-age=34560000; includeSubDomains; preload", ask(h, "https://example.com/").Header().Get("Strict-Transport-Security"))
	assert.Empty(t, ask(h, "/", with("X-Forwarded-Proto: https")).Header().Get("Strict-Transport-Security"), "anybody can say that")
	trusting := middleware.Chain(h, must(middleware.ClientIP(middleware.ClientIPOptions{Trusted: []string{"10.0.0.1"}}))(t))
	assert.NotEmpty(t, ask(trusting, "/", from("10.0.0.1:1"), with("X-Forwarded-Proto: https")).Header().Get("Strict-Transport-Security"))
}

func TestSecureHeadersOptionsAreChecked(t *testing.T) {
	csp := func(name string, sources ...string) middleware.SecureHeadersOptions {
		return middleware.SecureHeadersOptions{CSP: middleware.CSP{name: sources}}
	}
	refused(t, middleware.SecureHeaders, map[string]middleware.SecureHeadersOptions{
		`did you mean "deny"`:     {Frame: "deni"},
		"opener":                  {Opener: "x"},
		"without a time":          {Subdomains: true},
		"a year or more":          {HSTS: time.Hour, Subdomains: true, Preload: true},
		"there is no csp":         {ReportOnly: true},
		"the policy is empty":     {CSP: middleware.CSP{}},
		`did you mean "img-src"`:  csp("img-scr", "*"),
		"write 'self'":            csp("img-src", "self"),
		"unknown keyword 'slef'":  csp("img-src", "'slef'"),
		"a quote is missing":      csp("img-src", "'self"),
		"stands alone":            csp("img-src", "'none'", "a.test"),
		"has no sources":          csp("img-src"),
		"percent-encoded":         csp("img-src", "a;script-src *"),
		`source "a\r\nSet-Cookie`: csp("img-src", "a\r\nSet-Cookie"),
		"protects nothing":        csp("script-src", "'nonce-abc'"),
		"want features":           {Permissions: "camera 'none'"},
	})
	_, err := middleware.ParseCSP("img-src *; img-src 'self'")
	assert.ErrorContains(t, err, "twice")
	p, err := middleware.ParseCSP("Img-Src *;  ; default-src 'self' https: wss://a.test:8 'sha256-" + strings.Repeat("A", 43) + "='")
	require.NoError(t, err)
	assert.Equal(t, "default-src 'self' https: wss://a.test:8 'sha256-"+strings.Repeat("A", 43)+"='; img-src *", p.String())
}

// FuzzCSP wants no policy to become another by being written and read, or to leave its header.
func FuzzCSP(f *testing.F) {
	f.Add("default-src 'self'; script-src 'nonce' https://a.test/x%3By")
	f.Add("sandbox allow-scripts;;upgrade-insecure-requests")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := middleware.ParseCSP(text)
		if err != nil {
			return
		}
		again, err := middleware.ParseCSP(p.String())
		require.NoError(t, err, p.String())
		assert.Equal(t, p.String(), again.String())
		assert.False(t, strings.ContainsAny(p.String(), "\r\n\x00,"))
	})
}

// FuzzOrigin wants a match only for one or more labels and the whole suffix.
func FuzzOrigin(f *testing.F) {
	f.Add("https://a.example.org")
	m, err := middleware.CORS(middleware.CORSOptions{Origins: []string{"https://*.example.org"}})
	if err != nil {
		f.Fatal(err)
	}
	h := m(say(""))
	f.Fuzz(func(t *testing.T, origin string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Origin"] = []string{origin}
		h.ServeHTTP(w, r)
		if w.Header().Get("Access-Control-Allow-Origin") == "" {
			return
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" || !strings.HasSuffix(u.Hostname(), ".example.org") || u.User != nil || u.Path != "" || u.Port() != "" {
			t.Errorf("%q is allowed", origin)
		}
	})
}
