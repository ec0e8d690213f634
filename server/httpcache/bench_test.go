package httpcache_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rws/server/exchange"
	"rws/server/httpcache"
)

// sink is a writer that costs nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

// browser is a request as browsers send them.
func browser(target string) *http.Request {
	r := httptest.NewRequest("GET", target, nil)
	for name, value := range map[string]string{
		"User-Agent": "Mozilla/5.0", "Accept": "text/html,*/*", "Accept-Language": "en", "Accept-Encoding": "gzip, deflate, br, zstd",
		"Sec-Fetch-Site": "none", "Upgrade-Insecure-Requests": "1", "Dnt": "1",
	} {
		r.Header.Set(name, value)
	}
	return r.WithContext(exchange.New(r))
}

func benchmark(b *testing.B, o httpcache.Options, vary string, r *http.Request) {
	body := strings.Repeat("x", 4<<10)
	h := open(b, o).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if vary != "" {
			w.Header().Set("Vary", vary)
		}
		_, _ = io.WriteString(w, body)
	}))
	b.ReportAllocs()
	w := &sink{http.Header{}}
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

func BenchmarkHit(b *testing.B) {
	benchmark(b, httpcache.Options{TTL: time.Hour}, "", browser("/notes?page=2"))
}

func BenchmarkHitVary(b *testing.B) {
	benchmark(b, httpcache.Options{TTL: time.Hour}, "Accept-Encoding", browser("/notes?page=2"))
}

func BenchmarkMiss(b *testing.B) {
	benchmark(b, httpcache.Options{}, "", browser("/notes?page=2"))
}

func BenchmarkHitParallel(b *testing.B) {
	next, _ := counted()
	h := open(b, httpcache.Options{TTL: time.Hour}).Wrap(next)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		r, w := browser("/notes?page=2"), &sink{http.Header{}}
		for p.Next() {
			clear(w.header)
			h.ServeHTTP(w, r)
		}
	})
}
