package static_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rws/server/static"
)

// sink is a response writer that keeps nothing but the header map.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}
func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(io.Discard, r)
}

func BenchmarkFile10K(b *testing.B) {
	dir := site(b, map[string]string{"a.js": strings.Repeat("x", 10<<10), "a.js.br": strings.Repeat("x", 2<<10)})
	tag := ask(handler(b, dir, static.Options{}), "GET /a.js").Header().Get("ETag")
	for _, c := range []struct {
		name, header, value string
		o                   static.Options
	}{
		{"plain", "Accept", "*/*", static.Options{}},
		{"brotli", "Accept-Encoding", "gzip, br", static.Options{Precompressed: true}},
		{"none", "Accept-Encoding", "gzip, zstd", static.Options{Precompressed: true}},
		{"304", "If-None-Match", tag, static.Options{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := handler(b, dir, c.o)
			r := httptest.NewRequest("GET", "/a.js", nil)
			r.Header.Set(c.header, c.value)
			w := &sink{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkServer10K is the whole path with net/http and a socket, where the
// file is sent with sendfile.
func BenchmarkServer10K(b *testing.B) {
	s := httptest.NewServer(handler(b, site(b, map[string]string{"a.js": strings.Repeat("x", 10<<10)}), static.Options{}))
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.Get(s.URL + "/a.js")
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
}
