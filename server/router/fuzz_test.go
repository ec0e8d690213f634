package router_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"rws/server/router"
)

// FuzzParse: a pattern is refused with a position inside it, or it works: what Build makes of it, Match finds.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"/", "/a/:b", "/:id{int}/x", "/:u{uuid}", "/:s{slug}.png", "/f/*", "/f/*path", "/posts(/:page{int}(/:x))", `/a\:b`,
		"/{id}", "/:id?", "/a?b", "/%41", "/é", "/(((((((((", "/(a)(b)(c)(d)(e)(f)(g)", "//", "/a/..", "/:a:b", "/\x00", "/x(/:a)(/:b)", `/\\.`,
	} {
		f.Add(s)
	}
	values := map[router.Type]string{
		router.None: "a b/ü%", router.Int: "-007", router.UUID: "550e8400-e29b-41d4-a716-446655440000", router.Slug: "a-1",
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		p, err := router.Parse(pattern)
		if err != nil {
			e, ok := err.(*router.PatternError)
			if !ok || e.Pos < 1 || e.Pos > len(pattern)+1 || e.Problem == "" {
				t.Fatalf("%q: %#v", pattern, err)
			}
			return
		}
		if n := len(p.Templates()); n < 1 || n > 64 {
			t.Fatalf("%q has %d templates", pattern, n)
		}
		params := map[string]string{}
		for _, info := range p.Params() {
			params[info.Name] = values[info.Type]
		}
		path, err := p.Build(params)
		if err != nil {
			t.Fatalf("%q: %v", pattern, err)
		}
		table := build(t, router.Route{Pattern: pattern})
		var m router.Match[string]
		if kind := table.Match("", "GET", path, &m); kind != router.Found {
			t.Fatalf("%q built %q, which is %v", pattern, path, kind)
		}
		if strings.Contains(pattern, "(") {
			return // with parts that touch, another variant may take the text
		}
		for name, want := range params {
			if got, _ := m.Params.Get(name); got != want {
				t.Fatalf("%q built %q, where %q is %q", pattern, path, name, got)
			}
		}
	})
}

// FuzzMatch: whatever the request is, values are clean text, a Location stays on the host and is found there, and
// Explain agrees.
func FuzzMatch(f *testing.F) {
	for _, path := range []string{
		"/", "", "*", "/a/1", "/a/%2e%2e", "/a/..%5c", "/%2F%2F", "//a//", "/a%00", "/%", "/%C0%AF", "/files/..%2f..%2fetc", "/\\evil", "/a/b/",
		"/files/a%2Fb", "/img/.png", "/post/a-b/", "/x?y", "/a#b", "/.%2e/", "/%252e%252e", "/\u0085", strings.Repeat("/a", 300),
	} {
		f.Add("a.example.com:80", "GET", path)
	}
	f.Add("[::1", "HEAD", "/a/1")
	f.Add(strings.Repeat(".", 300), "OPTIONS", "/files")
	f.Add("A.EXAMPLE.COM..", "", "/a/1/")
	table := build(f, parseRoutes("GET /", "GET /a/:id{int}", "POST /a/:x", "GET /a/:x/b/", "/files/*path", "GET /img/:name.png",
		"GET /post(/:slug{slug}(/:n{int}))", "a.example.com/:x/:y", "GET *.example.com/w", "PUT /:u{uuid}/:z")...)
	f.Fuzz(func(t *testing.T, host, method, path string) {
		var m router.Match[string]
		kind := table.Match(host, method, path, &m)
		if (kind == router.BadPath) != (router.CheckPath(path) != nil) {
			t.Fatalf("%q: %v, but CheckPath says %v", path, kind, router.CheckPath(path))
		}
		for p := range m.Params.All() {
			if !utf8.ValidString(p.Value) || strings.ContainsFunc(p.Value, unicode.IsControl) {
				t.Fatalf("%q gave %s=%q", path, p.Name, p.Value)
			}
			for part := range strings.FieldsFuncSeq(p.Value, func(r rune) bool { return r == '/' || r == '\\' }) {
				if part == "." || part == ".." {
					t.Fatalf("%q gave %s=%q", path, p.Name, p.Value)
				}
			}
		}
		if kind == router.Redirect {
			var again router.Match[string]
			if strings.HasPrefix(m.Location, "//") || table.Match(host, method, m.Location, &again) != router.Found {
				t.Fatalf("%q redirects to %q", path, m.Location)
			}
		}
		checkExplanation(t, table, method, host, path)
	})
}
