package router_test

import (
	"slices"
	"testing"

	"rws/server/router"
)

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		method, host, path string
		kind               router.Kind
		reason             string
		routes             []string
		steps              []string // outcome: reason, one for each route
	}{
		{"GET", "", "/notes/new", router.Found, "GET /notes/new answers",
			[]string{"GET /notes/:id{int}", "GET /notes/:slug{slug}", "GET /notes/new", "POST /notes/new", "/*", "GET /n", "GET api.com/notes/new"},
			[]string{
				`path: segment 2 "new" is not {int}`,
				"shadowed: shadowed by GET /notes/new: more specific",
				"match: the most specific route",
				"method: method is GET",
				"shadowed: shadowed by GET /notes/new: more specific",
				`path: segment 1 "notes" is not "n"`,
				`host: host is ""`,
			}},
		{"HEAD", "api.com", "/x", router.Found, "GET api.com/x answers",
			[]string{"GET api.com/x", "GET /x", "/x", "api.com/x"},
			[]string{
				"match: the most specific route; GET answers HEAD",
				"shadowed: shadowed by GET api.com/x: its host is more specific",
				"shadowed: shadowed by GET api.com/x: its host is more specific",
				"shadowed: shadowed by GET api.com/x: its method is more specific",
			}},
		{"PUT", "", "/x", router.Found, "/x answers", []string{"/x"},
			[]string{"match: the most specific route; it takes any method"}},
		{"POST", "a.x.com", "/x", router.MethodNotAllowed, "routes have this path for other methods; allowed: GET, HEAD, OPTIONS",
			[]string{"GET *.x.com/x", "POST /x", "POST *.y.com/x"},
			[]string{
				"method: method is POST",
				"shadowed: a more specific host has this path for other methods",
				`host: host is "a.x.com"`,
			}},
		{"GET", "", "/a/b.jpg", router.NotFound, "no route has this path",
			[]string{"/a", "/a/:x.png", "/a/c:x", "/a/b.jpg:x", "/a/:x/:y", "/a/c(/d)", "/b/*", "/a/:id{int}.jpg"},
			[]string{
				"path: the path goes on after segment 1",
				`path: segment 2 "b.jpg" does not end with ".png"`,
				`path: segment 2 "b.jpg" does not start with "c"`,
				`path: segment 2 "b.jpg" leaves nothing for :x`,
				`path: the path ends before segment 3 ":y"`,
				`path: segment 2 "b.jpg" is not "c"`,
				`path: segment 1 "a" is not "b"`,
				`path: segment 2 "b.jpg" is not {int}`,
			}},
		{"GET", "", "/a", router.Redirect, `only "/a/" has a route; the slash at the end differs`, []string{"/a/"},
			[]string{"path: the pattern ends with a slash, the path does not"}},
		{"GET", "", "/a/", router.Redirect, `only "/a" has a route; the slash at the end differs`,
			[]string{"/a", "/a/:x", "/a/b/c"},
			[]string{
				"path: the path ends with a slash, the pattern does not",
				`path: segment 2 "" is empty`,
				`path: segment 2 "" is not "b"`,
			}},
		{"GET", "", "/a/c/x", router.NotFound, "no route has this path", []string{"/a(/c(/d))(/z)", "/posts(/:page)"},
			[]string{`path: segment 3 "x" is not "d"`, `path: segment 1 "a" is not "posts"`}},
		{"GET", "", "/posts/x", router.NotFound, "no route has this path", []string{"/posts(/:page{int})"},
			[]string{`path: segment 2 "x" is not {int}`}},
		{"GET", "", "/a%2Fb", router.NotFound, "no route has this path", []string{"/x"},
			[]string{`path: segment 1 "a%2Fb" is not "x"`}},
		{"OPTIONS", "", "/a", router.Options, "routes have this path for other methods; allowed: OPTIONS, PUT", []string{"PUT /a"},
			[]string{"method: method is OPTIONS"}},
		{"GET", "", "/a/../b", router.BadPath, `path "/a/../b" contains a "." or ".." segment`, []string{"/a"}, nil},
		{"GET", "", "/", router.NotFound, "no route is declared", nil, nil},
	} {
		table := build(t, parseRoutes(c.routes...)...)
		x := table.Explain(c.host, c.method, c.path)
		if x.Kind != c.kind || x.Reason != c.reason {
			t.Errorf("%s %s%s: got %v, %q", c.method, c.host, c.path, x.Kind, x.Reason)
		}
		var steps []string
		for _, s := range x.Steps {
			steps = append(steps, string(s.Outcome)+": "+s.Reason)
		}
		if !slices.Equal(steps, c.steps) {
			t.Errorf("%s %s%s:\ngot  %q\nwant %q", c.method, c.host, c.path, steps, c.steps)
		}
	}
}

func TestExplainHasParams(t *testing.T) {
	x := build(t, router.Route{Pattern: "/:a/*b"}).Explain("", "GET", "/1/2/3")
	want := []router.Param{{Name: "a", Value: "1"}, {Name: "b", Value: "2/3"}}
	if !slices.Equal(x.Params, want) {
		t.Errorf("got %v", x.Params)
	}
}
