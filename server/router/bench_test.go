package router_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"rws/server/router"
)

// api is a table of 200 routes: 40 resources with 5 routes each.
func api() []router.Route {
	var list []router.Route
	for i := range 40 {
		base := fmt.Sprintf("/api/v1/resource%d", i)
		list = append(list,
			router.Route{Method: "GET", Pattern: base},
			router.Route{Method: "POST", Pattern: base},
			router.Route{Method: "GET", Pattern: base + "/:id"},
			router.Route{Method: "PUT", Pattern: base + "/:id"},
			router.Route{Method: "GET", Pattern: base + "/:id/items/:item"},
		)
	}
	return list
}

func get(patterns ...string) []router.Route {
	var list []router.Route
	for _, p := range patterns {
		list = append(list, router.Route{Method: "GET", Pattern: p})
	}
	return list
}

// cases name tables and a request for each; mux has the same patterns for http.ServeMux, nil when it cannot say them.
var benchmarks = []struct {
	name   string
	routes []router.Route
	path   string
	mux    []string
}{
	{"static", get("/", "/notes", "/notes/new", "/about"), "/notes/new",
		[]string{"/{$}", "/notes", "/notes/new", "/about"}},
	{"one param", get("/", "/notes", "/notes/new", "/notes/:id"), "/notes/8271",
		[]string{"/{$}", "/notes", "/notes/new", "/notes/{id}"}},
	{"int param", get("/", "/notes", "/notes/new", "/notes/:id{int}"), "/notes/8271", nil},
	{"200 routes", api(), "/api/v1/resource31/8271/items/17", muxAPI()},
	{"200 routes static", api(), "/api/v1/resource31", muxAPI()},
	{"wildcard", get("/", "/notes", "/static/*path"), "/static/css/site.min.css",
		[]string{"/{$}", "/notes", "/static/{path...}"}},
	{"escaped", get("/", "/notes", "/notes/:id"), "/notes/caf%C3%A9", []string{"/{$}", "/notes", "/notes/{id}"}},
}

func muxAPI() []string {
	var list []string
	for i := range 40 {
		base := fmt.Sprintf("/api/v1/resource%d", i)
		list = append(list, base, "POST "+base, base+"/{id}", "PUT "+base+"/{id}", base+"/{id}/items/{item}")
	}
	return list
}

func BenchmarkMatch(b *testing.B) {
	for _, c := range benchmarks {
		b.Run(c.name, func(b *testing.B) {
			table := build(b, c.routes...)
			var m router.Match[string]
			b.ReportAllocs()
			for b.Loop() {
				if table.Match("example.com", "GET", c.path, &m) != router.Found {
					b.Fatal("not found")
				}
			}
		})
	}
}

// BenchmarkServeMux routes the same requests with net/http, for context. Its handler does nothing.
func BenchmarkServeMux(b *testing.B) {
	for _, c := range benchmarks {
		if c.mux == nil {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			mux := http.NewServeMux()
			found := false
			for _, p := range c.mux {
				mux.HandleFunc(p, func(http.ResponseWriter, *http.Request) { found = true })
			}
			r := httptest.NewRequest("GET", c.path, nil)
			b.ReportAllocs()
			for b.Loop() {
				mux.ServeHTTP(nil, r)
			}
			if !found {
				b.Fatal("not found")
			}
		})
	}
}

func BenchmarkHost(b *testing.B) {
	table := build(b,
		router.Route{Host: "api.example.com", Pattern: "/a"},
		router.Route{Host: "*.example.com", Pattern: "/b"},
		router.Route{Pattern: "/c"})
	for _, c := range []struct{ name, path string }{{"exact", "/a"}, {"wildcard", "/b"}, {"any", "/c"}} {
		b.Run(c.name, func(b *testing.B) {
			var m router.Match[string]
			b.ReportAllocs()
			for b.Loop() {
				if table.Match("api.example.com:8443", "GET", c.path, &m) != router.Found {
					b.Fatal("not found")
				}
			}
		})
	}
}

func BenchmarkRefusal(b *testing.B) {
	table := build(b, api()...)
	for _, c := range []struct {
		name, path string
		want       router.Kind
	}{
		{"not found", "/wp-login.php", router.NotFound},
		{"bad path", "/a/%2e%2e/b", router.BadPath},
		{"method", "/api/v1/resource31/8271/items/17", router.MethodNotAllowed},
	} {
		b.Run(c.name, func(b *testing.B) {
			var m router.Match[string]
			b.ReportAllocs()
			for b.Loop() {
				if table.Match("example.com", "DELETE", c.path, &m) != c.want {
					b.Fatal("unexpected outcome")
				}
			}
		})
	}
}
