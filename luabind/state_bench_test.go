package luabind_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkSession asks for pages of a client that has a session in memory.
func BenchmarkSession(b *testing.B) {
	h := handler(b, `
		app:get("/login", function(c) c.session.uid = 7 c.session.n = 0 c.session.cart = { 1, 2, 3 } return "in" end)
		app:get("/none", function(c) return "hi" end)
		app:get("/read", function(c) return c.session.uid and "hi" end)
		app:get("/table", function(c) return c.session.cart[1] and "hi" end)
		app:get("/write", function(c) c.session.n = c.session.n + 1 return "hi" end)
	`)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/login", nil))
	cookie := w.Result().Cookies()[0]
	for _, path := range []string{"none", "read", "table", "write"} {
		b.Run(path, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/"+path, nil)
			r.AddCookie(cookie)
			d := &discard{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				clear(d.header)
				h.ServeHTTP(d, r)
			}
		})
	}
}

// BenchmarkCache asks for what is in the cache in memory.
func BenchmarkCache(b *testing.B) {
	h := handler(b, `
		app:get("/none", function() return "hi" end)
		app:get("/get", function() app.cache:get("none") return "hi" end)
		app:get("/set", function() app.cache:set("key", "value", "1m") return "hi" end)
		app:get("/fetch", function() return app.cache:fetch("text", "1m", function() return "hi" end) end)
		app:get("/fetch-table", function() app.cache:fetch("table", "1m", function() return { name = "ann", age = 33 } end) return "hi" end)
		app:get("/miss", function() app.cache:del("gone") return app.cache:fetch("gone", "1m", function() return "hi" end) end)
	`)
	for _, path := range []string{"none", "get", "set", "fetch", "fetch-table", "miss"} {
		b.Run(path, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/"+path, nil)
			d := &discard{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				clear(d.header)
				h.ServeHTTP(d, r)
			}
		})
	}
}
