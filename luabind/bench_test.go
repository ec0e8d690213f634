package luabind_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"rws/luabind"
	"rws/server"
)

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// handler compiles a script for in-process requests.
func handler(tb testing.TB, source string) *server.Handler {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.lua"), []byte(source), 0o644); err != nil {
		tb.Fatal(err)
	}
	p, err := luabind.Load(luabind.Options{File: filepath.Join(dir, "app.lua"), Flags: map[string]string{"env": "production", "migrate": "true"}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { p.Close(tb.Context()) })
	h, err := server.Compile(p.App)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func BenchmarkRequest(b *testing.B) {
	for name, c := range map[string]struct{ source, path string }{
		"text":       {`app:get("/", function() return "hello, world\n" end)`, "/"},
		"json":       {`app:get("/hello/:name", function(c) return { hello = c.params.name } end)`, "/hello/ann"},
		"middleware": {`app:use(function(c, next) local r = next() r.headers["X-A"] = "b" return r end) app:get("/", function() return "hi" end)`, "/"},
	} {
		b.Run(name, func(b *testing.B) {
			h := handler(b, c.source)
			r := httptest.NewRequest("GET", c.path, nil)
			w := &discard{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
		b.Run(name+"-parallel", func(b *testing.B) {
			h := handler(b, c.source)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r := httptest.NewRequest("GET", c.path, nil)
				w := &discard{make(http.Header)}
				for pb.Next() {
					clear(w.header)
					h.ServeHTTP(w, r)
				}
			})
		})
	}
}
