package middleware_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"rws/server/auth/bearer"
	"rws/server/auth/jwt"
	"rws/server/exchange"
	"rws/server/logs"
	"rws/server/middleware"
	"rws/server/ratelimit"
)

// bareWriter costs nothing.
type bareWriter struct{ h http.Header }

func (w *bareWriter) Header() http.Header         { return w.h }
func (w *bareWriter) WriteHeader(int)             {}
func (w *bareWriter) Write(p []byte) (int, error) { return len(p), nil }

// serve measures a handler with requests as browsers make them, each with its exchange, as the server
// does it.
func serve(b *testing.B, h http.Handler) { serveWith(b, h, "") }

// serveWith is serve with an Authorization header.
func serveWith(b *testing.B, h http.Handler, authorization string) {
	b.ReportAllocs()
	r := httptest.NewRequest("GET", "/api/notes", nil)
	for name, value := range map[string]string{
		"Accept": "application/json", "Accept-Encoding": "gzip, deflate, br, zstd", "Accept-Language": "en", "Origin": "https://app.example.com",
		"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty",
	} {
		r.Header.Set(name, value)
	}
	r.RemoteAddr = "192.0.2.1:4711"
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := &bareWriter{h: make(http.Header, 16)}
	for b.Loop() {
		clear(w.h)
		e := exchange.New(r)
		h.ServeHTTP(w, r.WithContext(e))
		e.End()
	}
}

// bare answers with a small JSON.
var bare = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Content-Type"] = jsonType
	_, _ = w.Write(smallJSON)
})

var (
	jsonType  = []string{"application/json"}
	smallJSON = []byte(`{"id":7,"text":"hello"}`)
)

func make1[T any](b *testing.B) func(T, error) T {
	return func(v T, err error) T {
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
}

// jwtGuard is a guard for tokens as they are usual, and a header with one.
func jwtGuard(b *testing.B) (middleware.Func, string) {
	key := make1[*jwt.Key](b)(jwt.Secret("a secret of 32 characters or more"))
	v := make1[*jwt.Verifier](b)(jwt.NewVerifier(jwt.Options{Keys: jwt.Keys{key}, Issuers: []string{"https://login.example.com"}}))
	token := make1[string](b)(jwt.Sign(key, map[string]any{"iss": "https://login.example.com", "sub": "ann", "scope": "notes:read notes:write"},
		jwt.SignOptions{Expires: time.Hour}))
	return make1[func(http.Handler) http.Handler](b)(bearer.New(bearer.Options{Verifier: v, Scopes: []string{"notes:read"}})), "Bearer " + token
}

// BenchmarkChain is the promise: request id, access log, compression that is not worth it, CORS, a
// rate limit and a JWT cost under 6 µs and 12 allocations over the bare handler.
func BenchmarkChain(b *testing.B) {
	f := make1[middleware.Func](b)
	log := logs.NewAccess(io.Discard, logs.Options{})
	defer log.Close()
	guard, authorization := jwtGuard(b)
	steps := []struct {
		name string
		m    middleware.Func
	}{
		{"RequestID", f(middleware.RequestID(middleware.RequestIDOptions{}))},
		{"AccessLog", middleware.AccessLog(log)},
		{"Compress", f(middleware.Compress(middleware.CompressOptions{}))},
		{"CORS", f(middleware.CORS(middleware.CORSOptions{Origins: []string{"https://app.example.com"}, Credentials: true}))},
		{"RateLimit", f(middleware.RateLimit(middleware.RateLimitOptions{Store: ratelimit.NewMemory(0), Rate: ratelimit.Rate{Count: 1 << 28, Per: time.Second}}))},
		{"JWT", guard},
	}
	serve := func(b *testing.B, h http.Handler) { serveWith(b, h, authorization) }
	b.Run("Bare", func(b *testing.B) { serve(b, bare) })
	var all []middleware.Func
	for _, s := range steps {
		all = append(all, s.m)
		b.Run("Only"+s.name, func(b *testing.B) { serve(b, s.m(bare)) })
	}
	b.Run("All", func(b *testing.B) { serve(b, middleware.Chain(bare, all...)) })
}

func BenchmarkGuards(b *testing.B) {
	f := make1[middleware.Func](b)
	filter := make1[*middleware.IPFilter](b)(middleware.NewIPFilter(middleware.IPFilterOptions{Deny: []string{"10.0.0.0/8", "2001:db8::/32"}}))
	for name, m := range map[string]middleware.Func{
		"ClientIP":      f(middleware.ClientIP(middleware.ClientIPOptions{Trusted: []string{"192.0.2.0/24"}})),
		"IPFilter":      filter.Wrap,
		"SecureHeaders": f(middleware.SecureHeaders(middleware.SecureHeadersOptions{CSP: middleware.CSP{"default-src": {"'self'"}}})),
		"Nonce":         f(middleware.SecureHeaders(middleware.SecureHeadersOptions{CSP: middleware.CSP{"script-src": {"'nonce'"}}})),
		"Timeout":       f(middleware.Timeout(time.Hour)),
		"Rewrite":       f(middleware.Rewrite(middleware.RewriteRule{From: `^/api/(.*)$`, To: "/v2/$1"})),
		"Headers":       f(middleware.Headers(middleware.HeadersOptions{Response: middleware.HeaderRules{Set: map[string]string{"X-A": "1"}}})),
		"Concurrency":   f(middleware.Concurrency(middleware.ConcurrencyOptions{Max: 10, PerKey: 10})),
	} {
		b.Run(name, func(b *testing.B) { serve(b, m(bare)) })
	}
}

// BenchmarkCompress is a page of 10 kB.
func BenchmarkCompress(b *testing.B) {
	f := make1[middleware.Func](b)
	for _, coding := range []string{"zstd", "br", "gzip"} {
		m := f(middleware.Compress(middleware.CompressOptions{Encodings: []string{coding}}))
		b.Run(coding, func(b *testing.B) {
			b.SetBytes(int64(len(page)))
			serve(b, m(html()))
		})
	}
}
