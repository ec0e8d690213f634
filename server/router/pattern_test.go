package router_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"rws/server/router"
)

func TestPatternErrorsTeach(t *testing.T) {
	for _, c := range []struct {
		pattern string
		pos     int
		has     string
	}{
		{"", 1, `must start with "/"`},
		{"notes", 1, `must start with "/"`},
		{"(/:lang)/about", 1, `"/(:lang/)about"`},
		{"(/a)", 1, `must start with "/"`},
		{"/notes/{id}", 8, `write ":id" instead of "{id}"`},
		{"/notes/{id:[0-9]+}", 8, `write ":id" instead of "{id:[0-9]+}"; a type follows as in ":id{int}"`},
		{"/files/{path...}", 8, `write "*path" instead of "{path...}"`},
		{"/{$}", 2, `is no parameter; write ":id"`},
		{"/{id", 2, `"{" without "}"`},
		{"/posts/:id?", 11, `write "(/:id)" instead of "/:id?"`},
		{"/posts/:id{int}?/x", 16, `write "(/:id{int})" instead of "/:id{int}?"`},
		{"/posts/?", 8, "in parentheses"},
		{"/search?q=x", 8, "leave out the query"},
		{"/n/:id{number}", 7, "unknown type {number}; the types are {int}, {uuid}, {slug}"},
		{"/n/:id{integer}", 7, `did you mean "int"?`},
		{"/n/:id{Int}", 7, `did you mean "int"?`},
		{"/n/:id{uid}", 7, `did you mean "uuid"?`},
		{"/n/:id{slugs}", 7, `did you mean "slug"?`},
		{"/n/:id{}", 7, "unknown type {}"},
		{"/n/:id{int", 7, `"{" without "}"`},
		{"/n/:", 4, `":" needs a name`},
		{"/n/:/x", 4, `":" needs a name`},
		{"/n/:1", 4, `":" needs a name`},
		{"/n/:naïve", 7, "a name has only"},
		{"/:a/:a", 5, `parameter "a" appears twice`},
		{"/:a/*a", 5, `parameter "a" appears twice`},
		{"/x(/:a)(/:a)", 10, `parameter "a" appears twice`},
		{"/:a:b", 4, "one parameter"},
		{"/:a-:b", 5, "one parameter"},
		{"/:a*b", 4, "one parameter"},
		{"/:a(.:b)", 6, "one parameter"},
		{"/*/x", 3, "takes the rest"},
		{"/*path/:x", 7, "takes the rest"},
		{"/*a.png", 4, "takes the rest"},
		{"/(*a/)x", 5, "takes the rest"},
		{"/a*", 3, "must be a whole segment"},
		{"/files/*.png", 9, "takes the rest"},
		{"/*a{int}", 4, "takes no type"},
		{"/a(b", 3, `"(" without ")"`},
		{"/a)b", 3, `")" closes nothing`},
		{"/a}b", 3, `"}" closes nothing`},
		{"/a()", 3, "is empty"},
		{"/a//b", 3, `"//" matches no request`},
		{"//", 1, `"//" matches no request`},
		{"/a/:b//", 6, `"//" matches no request`},
		{"/a/../b", 4, `".." segment`},
		{"/.", 2, `"." or ".." segment`},
		{`/a/..\\:x`, 4, `"." or ".." segment`},
		{"/a/%20b", 4, `write the character itself instead of "%20"`},
		{"/a\nb", 3, "control character"},
		{"/a\u0085", 3, "control character"},
		{"/a\xff", 3, "UTF-8"},
		{`/a\b`, 3, `"\" stands only before`},
		{`/a\`, 3, `"\" stands only before`},
		{"/x(/:a)(/:b)", 1, `both "/x/:a" and "/x/:b"`},
		{"/" + strings.Repeat("(a)", 7), 1, "more than 64 paths"},
		{"/" + strings.Repeat("(a", 9) + strings.Repeat(")", 9), 18, "nest deeper than 8"},
	} {
		_, err := router.Parse(c.pattern)
		var e *router.PatternError
		if !errors.As(err, &e) {
			t.Errorf("%q: got %v", c.pattern, err)
			continue
		}
		if e.Pos != c.pos || !strings.Contains(e.Problem, c.has) || e.Pattern != c.pattern {
			t.Errorf("%q: got byte %d: %s\nwant byte %d: …%s…", c.pattern, e.Pos, e.Problem, c.pos, c.has)
		}
	}
}

func TestPatternErrorText(t *testing.T) {
	_, err := router.Parse("/notes/{id}")
	const want = `pattern "/notes/{id}", byte 8: write ":id" instead of "{id}"`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestPatternDescribesItself(t *testing.T) {
	p, err := router.Parse("/:lang{slug}/posts(/:page{int}(.:format))/x\\*(/*)")
	if err == nil {
		t.Fatal("two parameters in a segment were accepted", p)
	}
	p, err = router.Parse(`/v:major{int}/posts(/:page{int}(/as/:format))(/x\*/*)`)
	if err != nil {
		t.Fatal(err)
	}
	want := []router.ParamInfo{
		{Name: "major", Type: router.Int},
		{Name: "page", Type: router.Int, Optional: true},
		{Name: "format", Optional: true},
		{Name: "*", Optional: true, Rest: true},
	}
	if got := p.Params(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	templates := []string{
		"/v{major}/posts",
		"/v{major}/posts/{page}",
		"/v{major}/posts/{page}/as/{format}",
		"/v{major}/posts/x*/{*}",
		"/v{major}/posts/{page}/x*/{*}",
		"/v{major}/posts/{page}/as/{format}/x*/{*}",
	}
	if got := p.Templates(); !slices.Equal(got, templates) {
		t.Errorf("got %q", got)
	}
	if p.String() != `/v:major{int}/posts(/:page{int}(/as/:format))(/x\*/*)` {
		t.Errorf("got %s", p)
	}
}

func TestBuildPath(t *testing.T) {
	type values = map[string]string
	for _, c := range []struct {
		pattern string
		params  values
		want    string // a path, or a part of the error
	}{
		{"/", nil, "/"},
		{"/café/a b", nil, "/caf%C3%A9/a%20b"},
		{`/v1\:run/100%`, nil, "/v1:run/100%25"},
		{"/u/:name", values{"name": "ann"}, "/u/ann"},
		{"/u/:name", values{"name": "a/b c?d#e%"}, "/u/a%2Fb%20c%3Fd%23e%25"},
		{"/img/:name.png", values{"name": "ä"}, "/img/%C3%A4.png"},
		{"/n/:id{int}", values{"id": "007"}, "/n/007"},
		{"/f/*path", values{"path": "a b/c"}, "/f/a%20b/c"},
		{"/f/*", values{"*": ""}, "/f/"},
		{"/posts(/:page{int})", nil, "/posts"},
		{"/posts(/:page{int})", values{"page": "2"}, "/posts/2"},
		{"/a(/:b(/:c))", values{"b": "1"}, "/a/1"},
		{"/a(/:b(/:c))", values{"b": "1", "c": "2"}, "/a/1/2"},
		{"/feed(.json)", nil, "/feed"},

		{"/a(/:b(/:c))", values{"c": "2"}, `parameter "b" is missing`},
		{"/a(/:b/:c)", values{"b": "2"}, `parameter "c" is missing`},
		{"/u/:name", nil, `parameter "name" is missing`},
		{"/f/*path", nil, `parameter "path" is missing`},
		{"/u/:name", values{"name": ""}, `parameter "name" is empty`},
		{"/u/:name", values{"nmae": "ann", "name": "x"}, `no parameter "nmae"; did you mean "name"?`},
		{"/n/:id{int}", values{"id": "x"}, `parameter "id" is "x", not {int}`},
		{"/n/:id{uuid}", values{"id": "7"}, `parameter "id" is "7", not {uuid}`},
		{"/n/:id{slug}", values{"id": "A"}, `parameter "id" is "A", not {slug}`},
		{"/u/:name", values{"name": ".."}, `".." segment`},
		{"/u/:name", values{"name": "../x"}, `".." segment`},
		{"/u/:name", values{"name": "a\nb"}, "control character"},
		{"/u/:name", values{"name": "\xff"}, "UTF-8"},
		{"/f/*path", values{"path": "../etc"}, `".." segment`},
		{"/*", values{"*": "/evil.example"}, "would name another host"},
	} {
		p, err := router.Parse(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Build(c.params)
		if err == nil && got == c.want {
			continue
		}
		if err == nil || c.want[0] == '/' || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q with %q: got %q, %v, want %q", c.pattern, c.params, got, err, c.want)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	r := func(line, source string) router.Route {
		route := parseRoutes(line)[0]
		route.Source = source
		return route
	}
	for _, c := range []struct {
		routes []router.Route
		want   string
	}{
		{[]router.Route{r("GET /notes/:id{int}", "app.lua:9"), r("GET /notes/:id{int}", "app.lua:14")},
			"app.lua:14: route GET /notes/:id{int} (app.lua:14) is already declared: GET /notes/:id{int} (app.lua:9)"},
		{[]router.Route{r("GET /:a", "app.lua:1"), r("GET /:b", "app.lua:2")},
			"app.lua:2: route GET /:b (app.lua:2) and route GET /:a (app.lua:1) both match /:b, and neither is more specific; " +
				"drop one, or tell them apart by a type or by text"},
		{[]router.Route{r("/:a/x/*", ""), r("/:b/x/*c", "")}, "both match /:b/x/*c"},
		{[]router.Route{r("/posts", ""), r("/posts(/:page)", "")}, "both match /posts,"},
		{[]router.Route{r("/v:a{int}.x", ""), r("/v:b{int}.x", "")}, "both match"},
		{[]router.Route{r("A.example.com/x", ""), r("a.example.com:80/x", "")}, "already declared"},
		{[]router.Route{{Pattern: "/{id}", Source: "app.lua:3"}}, `app.lua:3: pattern "/{id}", byte 2: write ":id"`},
		{[]router.Route{r("get /", "")}, `method "get": methods are case-sensitive; did you mean "GET"?`},
		{[]router.Route{{Method: "GE T", Pattern: "/"}}, `" " is not allowed in a method`},
		{[]router.Route{{Method: "GÉT", Pattern: "/"}}, "is not allowed in a method"},
		{[]router.Route{r("*/x", "")}, `host "*" is not a name: leave the host out`},
		{[]router.Route{r("a.*.com/x", "")}, `"*" stands only at the start`},
		{[]router.Route{r("*.*.com/x", "")}, `"*" stands only at the start`},
		{[]router.Route{r("*a.com/x", "")}, `"*" stands only at the start`},
		{[]router.Route{{Host: "https://a.com", Pattern: "/"}}, "leave out the scheme"},
		{[]router.Route{r("müller.de/x", "")}, "ASCII form"},
		{[]router.Route{r("a..com/x", "")}, "is not a name"},
		{[]router.Route{r("*./x", "")}, "is not a name"},
		{[]router.Route{r("a.com:x/x", "")}, "is not a name"},
		{[]router.Route{{Host: "a b.com", Pattern: "/x"}}, "is not a name"},
		{[]router.Route{r("[::g]/x", "")}, "is not a name"},
		{[]router.Route{r("[1.2.3.4]/x", "")}, "is not a name"},
	} {
		b := router.New[int]()
		var err error
		for _, route := range c.routes {
			err = b.Add(route, 0)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v:\ngot  %v\nwant %s", c.routes, err, c.want)
		}
	}
}

func TestConflictNamesBothRoutes(t *testing.T) {
	b := router.New[int]()
	first := router.Route{Method: "GET", Pattern: "/x(/:a)", Source: "app.lua:1"}
	second := router.Route{Method: "GET", Pattern: "/x/:b", Source: "app.lua:2"}
	if err := b.Add(first, 1); err != nil {
		t.Fatal(err)
	}
	var e *router.ConflictError
	if err := b.Add(second, 2); !errors.As(err, &e) || e.Old != first || e.New != second || e.Path != "/x/:b" {
		t.Errorf("got %+v", e)
	}
	var m router.Match[int]
	if kind := b.Build().Match("", "GET", "/x/1", &m); kind != router.Found || m.Value != 1 {
		t.Errorf("the refused route left a trace: %v, %d", kind, m.Value)
	}
}

func TestRoutesThatDoNotConflict(t *testing.T) {
	build(t, parseRoutes(
		"GET /:a", "POST /:b", "/:c", "GET x.com/:d", "GET /:e{int}", "GET /:f.png", "GET /v:g",
		"GET /:h/x", "GET /:i/y", "GET /:j/", "GET /*k", "GET /:l/*m",
	)...)
}
