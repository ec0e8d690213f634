package luabind_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"rws/luabind"
	"rws/server"
)

// BenchmarkLibrary measures calls in batches of 100, so that the request around them, some
// 2 µs, does not count: divide by 100.
func BenchmarkLibrary(b *testing.B) {
	for name, call := range map[string]string{
		"empty":          ``,
		"now-elapsed":    `rws.now():elapsed("ms")`,
		"time-format":    `t:format("%Y-%m-%d %H:%M")`,
		"regex-match":    `rws.regex([[(\d+)-(\d+)]]):match("on 2026-03-01")`,
		"sha256":         `rws.crypto.sha256("hello")`,
		"uuid":           `rws.uuid()`,
		"url-parse":      `rws.url.parse("https://example.com/a?b=c")`,
		"log-off":        `rws.log.debug("cache missed", fields)`,
		"log":            `rws.log.info("signed in", fields)`,
		"fs-exists":      `rws.fs.exists("checks.lua")`,
		"markdown-short": `rws.markdown("Hi *there*")`,
	} {
		b.Run(name, func(b *testing.B) {
			p := script(b, fmt.Sprintf(`
				local t, fields = rws.now(), { user = 7, method = "password" }
				app:get("/", function() for _ = 1, 100 do %s end return 204 end)`, call),
				func(o *luabind.Options) {
					o.Logger = func(*luabind.Config) *slog.Logger {
						return slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelInfo}))
					}
				})
			h, err := server.Compile(p.App)
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/", nil)
			w := &discard{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}
