package router_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"rws/server/router"
)

// TestMatch asks one table for each rule. A request is "METHOD host/path"; the value of a route is its own text.
func TestMatch(t *testing.T) {
	type asks [][2]string // request, outcome
	for _, c := range []struct {
		rule   string
		routes []string
		asks   asks
	}{
		{"text matches exactly, with its case", []string{"GET /a/b", "GET /"}, asks{
			{"GET /a/b", "found GET /a/b"},
			{"GET /", "found GET /"},
			{"GET ", "found GET /"},
			{"GET /A/b", "not found"},
			{"GET /a", "not found"},
			{"GET /a/b/c", "not found"},
		}},
		{"text is compared with the decoded path", []string{"/café/a b", "/100%", `/v1/tasks\:run`, "/%zz"}, asks{
			{"GET /caf%C3%A9/a%20b", "found /café/a b"},
			{"GET /café/a b", "found /café/a b"},
			{"GET /100%25", "found /100%"},
			{"GET /v1/tasks:run", `found /v1/tasks\:run`},
			{"GET /%25zz", "found /%zz"},
		}},
		{"a parameter is one segment that is not empty", []string{"/u/:name"}, asks{
			{"GET /u/ann", "found /u/:name name=ann"},
			{"GET /u/a%20b", "found /u/:name name=a b"},
			{"GET /u/", "not found"},
			{"GET /u", "not found"},
			{"GET /u/a/b", "not found"},
			{"GET /u//", "not found"},
		}},
		{"an encoded slash stays inside its segment", []string{"/u/:name", "/f/*path", "/a/b"}, asks{
			{"GET /u/a%2Fb", "found /u/:name name=a/b"},
			{"GET /u/a%2fb%2F", "found /u/:name name=a/b/"},
			{"GET /f/a%2Fb/c", "found /f/*path path=a/b/c"},
			{"GET /a%2Fb", "not found"},
			{"GET /u%2Fann", "not found"},
		}},
		{"escapes are decoded once", []string{"/u/:name"}, asks{
			{"GET /u/%2541", "found /u/:name name=%41"},
			{"GET /u/%252e%252e", "found /u/:name name=%2e%2e"},
			{"GET /u/a+b", "found /u/:name name=a+b"},
		}},
		{"int", []string{"/n/:id{int}"}, asks{
			{"GET /n/7", "found /n/:id{int} id=7"},
			{"GET /n/007", "found /n/:id{int} id=007"},
			{"GET /n/-7", "found /n/:id{int} id=-7"},
			{"GET /n/%37", "found /n/:id{int} id=7"},
			{"GET /n/9007199254740991", "found /n/:id{int} id=9007199254740991"},
			{"GET /n/-9007199254740991", "found /n/:id{int} id=-9007199254740991"},
			{"GET /n/9007199254740992", "not found"},
			{"GET /n/-9007199254740992", "not found"},
			{"GET /n/99999999999999999999999999", "not found"},
			{"GET /n/00000000000000000000000000000009", "found /n/:id{int} id=00000000000000000000000000000009"},
			{"GET /n/+7", "not found"},
			{"GET /n/-", "not found"},
			{"GET /n/--7", "not found"},
			{"GET /n/7.0", "not found"},
			{"GET /n/1e3", "not found"},
			{"GET /n/%D9%A7", "not found"}, // Arabic digit seven
		}},
		{"uuid", []string{"/n/:id{uuid}"}, asks{
			{"GET /n/550e8400-e29b-41d4-a716-446655440000", "found /n/:id{uuid} id=550e8400-e29b-41d4-a716-446655440000"},
			{"GET /n/550E8400-E29B-41d4-A716-446655440000", "found /n/:id{uuid} id=550E8400-E29B-41d4-A716-446655440000"},
			{"GET /n/550e8400e29b41d4a716446655440000", "not found"},
			{"GET /n/550e8400-e29b-41d4-a716-44665544000g", "not found"},
			{"GET /n/550e8400-e29b-41d4-a716-4466554400000", "not found"},
			{"GET /n/550e8400-e29b-41d4-a71-6446655440000", "not found"},
		}},
		{"slug", []string{"/n/:id{slug}"}, asks{
			{"GET /n/a", "found /n/:id{slug} id=a"},
			{"GET /n/my-2nd-post", "found /n/:id{slug} id=my-2nd-post"},
			{"GET /n/-a", "not found"},
			{"GET /n/a-", "not found"},
			{"GET /n/a--b", "not found"},
			{"GET /n/A", "not found"},
			{"GET /n/a_b", "not found"},
		}},
		{"text around a parameter", []string{"/img/:name.png", "/v:major{int}", "/at@:name", "/:a{int}px/x"}, asks{
			{"GET /img/cat.png", "found /img/:name.png name=cat"},
			{"GET /img/cat.png.png", "found /img/:name.png name=cat.png"},
			{"GET /img/.png", "not found"},
			{"GET /img/cat.jpg", "not found"},
			{"GET /v2", "found /v:major{int} major=2"},
			{"GET /v", "not found"},
			{"GET /vx", "not found"},
			{"GET /at@ann", "found /at@:name name=ann"},
			{"GET /12px/x", "found /:a{int}px/x a=12"},
		}},
		{"text before and after may not overlap", []string{"/aba.:x.aba"}, asks{
			{"GET /aba.aba", "not found"},
			{"GET /aba..aba", "not found"},
			{"GET /aba.-.aba", "found /aba.:x.aba x=-"},
		}},
		{"a wildcard takes the rest, which may be empty", []string{"/static/*", "/files/*path"}, asks{
			{"GET /static/css/a.css", "found /static/* *=css/a.css"},
			{"GET /static/", "found /static/* *="},
			{"GET /static", "found /static/* *="},
			{"GET /static/a/", "found /static/* *=a/"},
			{"GET /static//a//", "found /static/* *=/a//"},
			{"GET /files/a", "found /files/*path path=a"},
			{"GET /statics", "not found"},
		}},
		{"a wildcard at the root takes everything", []string{"/*"}, asks{
			{"GET /", "found /* *="},
			{"GET ", "found /* *="},
			{"GET /a/b", "found /* *=a/b"},
			{"GET //", "found /* *=/"},
		}},
		{"optional parts may be left out, and nest", []string{"/posts(/:page{int})", "/a(/:b(/:c))", "/feed(.json)", "/(:lang/)about"}, asks{
			{"GET /posts", "found /posts(/:page{int})"},
			{"GET /posts/2", "found /posts(/:page{int}) page=2"},
			{"GET /posts/x", "not found"},
			{"GET /a", "found /a(/:b(/:c))"},
			{"GET /a/1", "found /a(/:b(/:c)) b=1"},
			{"GET /a/1/2", "found /a(/:b(/:c)) b=1 c=2"},
			{"GET /feed", "found /feed(.json)"},
			{"GET /feed.json", "found /feed(.json)"},
			{"GET /about", "found /(:lang/)about"},
			{"GET /de/about", "found /(:lang/)about lang=de"},
		}},
		{"an optional wildcard is absent when there is nothing", []string{"/f(/*path)"}, asks{
			{"GET /f", "found /f(/*path)"},
			{"GET /f/", "found /f(/*path) path="},
			{"GET /f/a", "found /f(/*path) path=a"},
		}},
		{"slashes are not merged", []string{"/a/b", "/a/:x/c", "/w/*"}, asks{
			{"GET //a/b", "not found"},
			{"GET /a//b", "not found"},
			{"GET /a//c", "not found"},
			{"GET /a/b//", "not found"},
			{"GET /w//x", "found /w/* *=/x"},
		}},
		{"text, int, uuid, slug, any, wildcard, in this order", []string{
			"/*", "/:any", "/:slug{slug}", "/:uuid{uuid}", "/:int{int}", "/new"}, asks{
			{"GET /new", "found /new"},
			{"GET /7", "found /:int{int} int=7"},
			{"GET /550e8400-e29b-41d4-a716-446655440000", "found /:uuid{uuid} uuid=550e8400-e29b-41d4-a716-446655440000"},
			{"GET /a-b", "found /:slug{slug} slug=a-b"},
			{"GET /A", "found /:any any=A"},
			{"GET /A/b", "found /* *=A/b"},
		}},
		{"the same, declared the other way round", []string{
			"/new", "/:int{int}", "/:uuid{uuid}", "/:slug{slug}", "/:any", "/*"}, asks{
			{"GET /new", "found /new"},
			{"GET /7", "found /:int{int} int=7"},
			{"GET /a-b", "found /:slug{slug} slug=a-b"},
			{"GET /A", "found /:any any=A"},
			{"GET /", "found /* *="},
		}},
		{"more text around a parameter is more specific", []string{"/:a", "/:a.png", "/v:a", "/v:a.png"}, asks{
			{"GET /x", "found /:a a=x"},
			{"GET /x.png", "found /:a.png a=x"},
			{"GET /vx", "found /v:a a=x"},
			{"GET /vx.png", "found /v:a.png a=x"},
			{"GET /v.png", "found /v:a a=.png"},
		}},
		{"the first segment decides", []string{"/:x/b", "/a/:y"}, asks{
			{"GET /a/b", "found /a/:y y=b"},
			{"GET /c/b", "found /:x/b x=c"},
		}},
		{"a choice that leads nowhere is taken back", []string{"/a/b/c", "/a/:x/d", "/:y/b/e", "/:p/:q/:r{int}", "/*z"}, asks{
			{"GET /a/b/c", "found /a/b/c"},
			{"GET /a/b/d", "found /a/:x/d x=b"},
			{"GET /a/b/e", "found /:y/b/e y=a"},
			{"GET /a/b/1", "found /:p/:q/:r{int} p=a q=b r=1"},
			{"GET /a/b/f", "found /*z z=a/b/f"},
			{"GET /a", "found /*z z=a"},
		}},
		{"the exact end is more specific than an empty wildcard", []string{"/s/*", "/s", "/s/"}, asks{
			{"GET /s", "found /s"},
			{"GET /s/", "found /s/"},
			{"GET /s/x", "found /s/* *=x"},
		}},
		{"methods", []string{"GET /a", "POST /a", "PURGE /a"}, asks{
			{"GET /a", "found GET /a"},
			{"POST /a", "found POST /a"},
			{"PURGE /a", "found PURGE /a"},
			{"PUT /a", "method not allowed GET, HEAD, OPTIONS, POST, PURGE"},
			{"get /a", "method not allowed GET, HEAD, OPTIONS, POST, PURGE"},
			{" /a", "method not allowed GET, HEAD, OPTIONS, POST, PURGE"},
			{"OPTIONS /a", "options GET, HEAD, OPTIONS, POST, PURGE"},
			{"OPTIONS /b", "not found"},
		}},
		{"HEAD is answered by GET, unless it has a route", []string{"GET /a", "GET /b", "HEAD /b", "HEAD /c", "GET /c", "POST /d"}, asks{
			{"HEAD /a", "found GET /a"},
			{"HEAD /b", "found HEAD /b"},
			{"HEAD /c", "found HEAD /c"},
			{"GET /c", "found GET /c"},
			{"HEAD /d", "method not allowed OPTIONS, POST"},
		}},
		{"any method comes after the method itself", []string{"/a", "GET /a", "OPTIONS /b", "GET /b"}, asks{
			{"GET /a", "found GET /a"},
			{"HEAD /a", "found GET /a"},
			{"POST /a", "found /a"},
			{"OPTIONS /a", "found /a"},
			{"OPTIONS /b", "found OPTIONS /b"},
			{"PUT /b", "method not allowed GET, HEAD, OPTIONS"},
		}},
		{"a less specific route answers the methods the other lacks", []string{"GET /n/new", "POST /n/:id", "DELETE /*"}, asks{
			{"GET /n/new", "found GET /n/new"},
			{"POST /n/new", "found POST /n/:id id=new"},
			{"DELETE /n/new", "found DELETE /* *=n/new"},
			{"PUT /n/new", "method not allowed DELETE, GET, HEAD, OPTIONS, POST"},
			{"PUT /n/x", "method not allowed DELETE, OPTIONS, POST"},
		}},
		{"a slash too many or too few redirects", []string{"GET /a", "GET /b/", "POST /c", "GET /u/:name", "GET /d/:x/"}, asks{
			{"GET /a/", "redirect /a"},
			{"HEAD /a/", "redirect /a"},
			{"GET /b", "redirect /b/"},
			{"GET /u/a%2Fb/", "redirect /u/a%2Fb"},
			{"GET /d/x%20y", "redirect /d/x%20y/"},
			{"POST /c/", "redirect /c"},
			{"GET /c/", "not found"},
			{"OPTIONS /a/", "not found"},
			{"GET /a//", "not found"},
			{"GET /b//", "not found"},
			{"GET //a/", "not found"},
			{"GET /a%2F", "not found"},
		}},
		{"a redirect never leads to another host", []string{"/:x", "/:x/:y"}, asks{
			{"GET //evil.example/", "not found"},
			{"GET /%2Fevil.example/", "redirect /%2Fevil.example"},
			{`GET /\evil.example/`, "bad path"},
			{"GET /%5Cevil.example/", "redirect /%5Cevil.example"},
		}},
		{"no redirect when something has the path", []string{"GET /a", "GET /*", "POST /p", "GET /p/"}, asks{
			{"GET /a/", "found GET /* *=a/"},
			{"GET /p", "found GET /* *=p"},
			{"POST /p/", "method not allowed GET, HEAD, OPTIONS"},
		}},
		{"hosts, the most specific first", []string{"api.example.com/x", "*.example.com/x", "*.deep.example.com/x", "/x"}, asks{
			{"GET api.example.com/x", "found api.example.com/x"},
			{"GET www.example.com/x", "found *.example.com/x"},
			{"GET a.b.example.com/x", "found *.example.com/x"},
			{"GET a.deep.example.com/x", "found *.deep.example.com/x"},
			{"GET deep.example.com/x", "found *.example.com/x"},
			{"GET example.com/x", "found /x"},
			{"GET notexample.com/x", "found /x"},
			{"GET /x", "found /x"},
		}},
		{"case, port and trailing dot of a host do not matter", []string{"API.Example.com:443/x", "*.Example.org./x", "[::1]:80/x", "127.0.0.1/x"}, asks{
			{"GET api.example.com/x", "found API.Example.com:443/x"},
			{"GET API.EXAMPLE.COM.:8443/x", "found API.Example.com:443/x"},
			{"GET a.example.org:1/x", "found *.Example.org./x"},
			{"GET [::1]:9/x", "found [::1]:80/x"},
			{"GET [::1]/x", "found [::1]:80/x"},
			{"GET 127.0.0.1:3000/x", "found 127.0.0.1/x"},
			{"GET api.example.com../x", "not found"},
			{"GET [::1/x", "not found"},
		}},
		{"a label is not empty, a host is ASCII and not endless", []string{"*.k.com/x", "k.com/x"}, asks{
			{"GET .k.com/x", "not found"},
			{"GET a..k.com/x", "not found"},
			{"GET \u212a.com/x", "not found"}, // the Kelvin sign, which Unicode lower-cases to k
			{"GET " + strings.Repeat("a.", 130) + "k.com/x", "not found"},
			{"GET a.k.com/x", "found *.k.com/x"},
		}},
		{"a host without the path leaves it to the next", []string{"GET a.x.com/only", "GET *.x.com/wild", "GET /any", "POST /only", "GET /any/:id"}, asks{
			{"GET a.x.com/only", "found GET a.x.com/only"},
			{"GET a.x.com/wild", "found GET *.x.com/wild"},
			{"GET a.x.com/any", "found GET /any"},
			{"POST a.x.com/only", "method not allowed GET, HEAD, OPTIONS"},
			{"POST b.x.com/only", "found POST /only"},
			{"GET a.x.com/only/", "redirect /only"},
			{"GET a.x.com/any/", "redirect /any"},
			{"GET b.x.com/only/", "not found"},
		}},
		{"bad paths", []string{"/*"}, asks{
			{"GET /%", "bad path"},
			{"GET /%4", "bad path"},
			{"GET /%zz", "bad path"},
			{"GET /%00", "bad path"},
			{"GET /a%0Ab", "bad path"},
			{"GET /%7F", "bad path"},
			{"GET /%C2%85", "bad path"}, // a control character beyond ASCII
			{"GET /%FF", "bad path"},
			{"GET /%C3", "bad path"},
			{"GET /%C3/%A9", "bad path"}, // a character may not reach over a slash
			{"GET /\xff", "bad path"},
			{"GET /a\tb", "bad path"},
			{"GET /a\x00b", "bad path"},
			{"GET /.", "bad path"},
			{"GET /..", "bad path"},
			{"GET /a/./b", "bad path"},
			{"GET /a/../b", "bad path"},
			{"GET /a/%2e%2E/b", "bad path"},
			{"GET /a/.%2e", "bad path"},
			{`GET /..%5Cetc`, "bad path"},
			{`GET /a%5C..%5Cetc`, "bad path"},
			{"GET /..%2Fetc", "bad path"},
			{"GET /a%2F..", "bad path"},
			{`GET /a\b`, "bad path"},
			{"GET /a?b", "bad path"},
			{"GET /a#b", "bad path"},
			{"GET /...", "found /* *=..."},
			{"GET /.well-known/x", "found /* *=.well-known/x"},
			{"GET /..a/b..", "found /* *=..a/b.."},
			{"GET /a%5Cb", `found /* *=a\b`},
			{"GET /a.b/c.", "found /* *=a.b/c."},
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			table := build(t, parseRoutes(c.routes...)...)
			for _, a := range c.asks {
				if got := ask(table, a[0]); got != a[1] {
					t.Errorf("%q: got %q, want %q", a[0], got, a[1])
				}
			}
		})
	}
}

func TestMatchOfWhatIsNoPath(t *testing.T) {
	table := build(t, router.Route{Pattern: "/*"})
	var m router.Match[string]
	for _, path := range []string{"*", "a", "http://example.com/", "example.com:443"} {
		if kind := table.Match("", "OPTIONS", path, &m); kind != router.BadPath {
			t.Errorf("%q: %v", path, kind)
		}
	}
}

func TestEmptyTableFindsNothing(t *testing.T) {
	if got := ask(build(t), "GET a.example.com/x/"); got != "not found" {
		t.Error(got)
	}
}

func TestMatchIsReusable(t *testing.T) {
	table := build(t, parseRoutes("GET /a/:x", "POST /b", "GET /c/")...)
	var m router.Match[string]
	for range 2 {
		for _, c := range [][2]string{
			{"/a/1", "found GET /a/:x x=1"},
			{"/b", "method not allowed OPTIONS, POST"},
			{"/c", "redirect /c/"},
			{"/..", "bad path"},
			{"/x", "not found"},
		} {
			kind := table.Match("", "GET", c[0], &m)
			if got := outcome(kind, &m); got != c[1] {
				t.Errorf("%s: got %q, want %q", c[0], got, c[1])
			}
			if (m.Route != nil) != (kind == router.Found) {
				t.Errorf("%s: route %v", c[0], m.Route)
			}
		}
	}
}

func TestParams(t *testing.T) {
	names := strings.Split("abcdefghijkl", "")
	table := build(t,
		router.Route{Pattern: "/:" + strings.Join(names, "/:")},
		router.Route{Pattern: "/x/:n{int}/:s{slug}/*rest"})
	var m router.Match[string]
	table.Match("", "GET", "/A/B/C/D/E/F/G/H/I/J/K/%4C", &m)
	if m.Params.Len() != len(names) {
		t.Fatalf("%d parameters", m.Params.Len())
	}
	i := 0
	for p := range m.Params.All() {
		if p != m.Params.At(i) || p.Name != names[i] || p.Value != strings.ToUpper(names[i]) {
			t.Errorf("parameter %d is %+v", i, p)
		}
		i++
	}
	if v, ok := m.Params.Get("k"); v != "K" || !ok {
		t.Errorf("k is %q, %v", v, ok)
	}
	for p := range m.Params.All() {
		if p.Name == "b" {
			break
		}
	}

	table.Match("", "GET", "/x/7/a-b/c/d", &m)
	want := []router.Param{{"n", "7", router.Int}, {"s", "a-b", router.Slug}, {"rest", "c/d", router.None}}
	if got := slices.Collect(m.Params.All()); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if v, ok := m.Params.Get("k"); ok {
		t.Errorf("k of the match before is still there: %q", v)
	}
	defer func() {
		if recover() == nil {
			t.Error("At beyond Len did not panic")
		}
	}()
	m.Params.At(3)
}

func TestTableDoesNotChangeAfterBuild(t *testing.T) {
	b := router.New[int]()
	b.Add(router.Route{Method: "POST", Pattern: "/a"}, 1)
	first := b.Build()
	b.Add(router.Route{Method: "GET", Pattern: "/a"}, 2)
	second := b.Build()
	var m router.Match[int]
	if kind := first.Match("", "GET", "/a", &m); kind != router.MethodNotAllowed {
		t.Errorf("the first table: %v", kind)
	}
	if kind := second.Match("", "GET", "/a", &m); kind != router.Found || m.Value != 2 {
		t.Errorf("the second table: %v, %d", kind, m.Value)
	}
}

func TestRoutesAreInOrderOfDeclaration(t *testing.T) {
	routes := parseRoutes("GET /z", "POST /a(/b)", "b.example.com/:x", "GET /*")
	var got []router.Route
	for r, v := range build(t, routes...).Routes() {
		if v != r.String() {
			t.Errorf("%v carries %q", r, v)
		}
		got = append(got, r)
	}
	if !slices.Equal(got, routes) {
		t.Errorf("got %v", got)
	}
	for range build(t, routes...).Routes() {
		break
	}
}

func TestConcurrentMatch(t *testing.T) {
	table := build(t, parseRoutes("GET /a/:x", "POST /a/:x", "GET *.example.com/b/*")...)
	var group sync.WaitGroup
	for _, c := range [][2]string{
		{"GET /a/1", "found GET /a/:x x=1"},
		{"PUT /a/1", "method not allowed GET, HEAD, OPTIONS, POST"},
		{"GET a.example.com/b/c%20d", "found GET *.example.com/b/* *=c d"},
		{"GET /a/1/", "redirect /a/1"},
	} {
		for range 4 {
			group.Go(func() {
				for range 200 {
					if got := ask(table, c[0]); got != c[1] {
						t.Errorf("%q: got %q, want %q", c[0], got, c[1])
						return
					}
				}
			})
		}
	}
	group.Wait()
}

func TestMatchAllocatesNothing(t *testing.T) {
	table := build(t, parseRoutes("GET /", "GET /notes/:id{int}", "GET /static/*", "api.example.com/v:n/x", "*.example.com/w", "POST /p", "GET /slashed/")...)
	var m router.Match[string]
	for _, request := range []string{
		"GET /", "GET /notes/7", "GET /static/a/b.css", "GET api.example.com:443/v2/x", "GET a.b.example.com./w",
		"GET /nothing/here", "GET /p", "OPTIONS /p", "GET /slashed/x",
	} {
		method, target, _ := strings.Cut(request, " ")
		slash := strings.IndexByte(target, '/')
		n := testing.AllocsPerRun(100, func() { table.Match(target[:slash], method, target[slash:], &m) })
		if n != 0 {
			t.Errorf("%s: %v allocations", request, n)
		}
	}
}
