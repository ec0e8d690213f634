package luabind_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"rws/luabind"
)

// newApp loads a script, and files beside it, given as a txtar-like map.
func newApp(t *testing.T, source string, files map[string]string, flags ...string) *luabind.Program {
	t.Helper()
	p, err := load(t, source, files, flags...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func load(t *testing.T, source string, files map[string]string, flags ...string) (*luabind.Program, error) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "app.lua", source)
	for name, text := range files {
		write(t, dir, name, text)
	}
	o := luabind.Options{File: filepath.Join(dir, "app.lua"), Flags: map[string]string{}}
	for _, f := range flags {
		name, value, _ := strings.Cut(f, "=")
		o.Flags[name] = value
	}
	p, err := luabind.Load(o)
	if err == nil {
		t.Cleanup(func() { _ = p.Close(context.Background()) })
	}
	return p, err
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// do makes a request written as "GET /path" and returns the answer.
func do(t *testing.T, p *luabind.Program, request string, o ...luabind.Call) *luabind.Answer {
	t.Helper()
	c, err := p.Caller()
	if err != nil {
		t.Error(err)
		return &luabind.Answer{}
	}
	var call luabind.Call
	if len(o) > 0 {
		call = o[0]
	}
	call.Method, call.Target, _ = strings.Cut(request, " ")
	a, err := c.Do(t.Context(), call)
	if err != nil {
		t.Error(err)
		return &luabind.Answer{}
	}
	return a
}

// expires is the attribute that changes with the clock.
var expires = regexp.MustCompile(`Expires=[^;]+; `)

// summary is how the tests below write an answer: status, content type, body.
func summary(a *luabind.Answer) string {
	kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	if l := a.Header.Get("Location"); l != "" {
		kind = "-> " + l
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", a.Status, kind, a.Body))
}

func TestAnswers(t *testing.T) {
	p := newApp(t, `
		app:get("/string", function() return "hi" end)
		app:get("/table", function() return { a = 1 } end)
		app:get("/list", function() return { 1, 2.5, "x" } end)
		app:get("/empty", function() return {} end)
		app:get("/array", function() return rws.array() end)
		app:get("/null", function() return { a = rws.null } end)
		app:get("/number", function() return 418 end)
		app:get("/nil", function() end)
		app:get("/json", function(c) return c:json({ ok = true }, 201) end)
		app:get("/noreturn", function(c) c:json({ ok = true }) end)
		app:get("/text", function(c) return c:text("<b>") end)
		app:get("/html", function(c) return c:html("<b>x</b>") end)
		app:get("/redirect", function(c) return c:redirect("/x y") end)
		app:get("/moved", function(c) return c:redirect("/x", 301) end)
		app:get("/status", function(c) return c:status(204) end)
		app:get("/status-then-json", function(c) c:status(202) return { a = 1 } end)
		app:get("/header", function(c) c.res.headers["Content-Type"] = "text/csv" return "a,b" end)
		app:get("/fail", function(c) c:fail(409, "taken", { name = "is taken" }) end)
		app:get("/assert", function(c) return c:assert(nil, 404, "no such note") end)
		app:get("/assert-ok", function(c) return c:assert({ id = 1 }, 404) end)
		app:get("/bool", function() return true end)
		app:get("/big", function() return { n = 9007199254740991, f = 0.1, z = -0, e = 1e300 } end)
		app:get("/returns", { returns = 201 }, function() return { a = 1 } end)
	`, nil)
	for path, want := range map[string]string{
		"/string": "200 text/plain hi", "/table": `200 application/json {"a":1}`, "/list": `200 application/json [1,2.5,"x"]`,
		"/empty": "200 application/json {}", "/array": "200 application/json []", "/null": `200 application/json {"a":null}`,
		"/number": "418", "/nil": "204", "/json": `201 application/json {"ok":true}`, "/noreturn": `200 application/json {"ok":true}`,
		"/text": "200 text/plain <b>", "/html": "200 text/html <b>x</b>", "/redirect": "302 -> /x%20y", "/moved": "301 -> /x",
		"/status": "204", "/status-then-json": `202 application/json {"a":1}`, "/header": "200 text/csv a,b",
		"/assert-ok": `200 application/json {"id":1}`, "/returns": `201 application/json {"a":1}`,
		"/big": `200 application/json {"n":9007199254740991,"f":0.1,"z":0,"e":1e+300}`,
	} {
		if got := summary(do(t, p, "GET "+path)); got != want {
			t.Errorf("%s: %s\nwant %s", path, got, want)
		}
	}
	for path, want := range map[string][]string{
		"/fail":   {"409", "application/problem+json", `"detail":"taken"`, `"path":"name"`, `"message":"is taken"`},
		"/assert": {"404", "application/problem+json", `"detail":"no such note"`},
		"/bool":   {"500", "application/problem+json", "returned a boolean"},
		"/nobody": {"404", "application/problem+json"},
	} {
		got := summary(do(t, p, "GET "+path))
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %s\nlacks %s", path, got, part)
			}
		}
	}
}

func TestRequests(t *testing.T) {
	p := newApp(t, `
		app:get("/params/:id{int}/:name", function(c) return { c.params.id + 1, c.params.name, c.route } end)
		app:get("/all/:a/:b", function(c) local t = {} for k, v in pairs(c.params) do t[k] = v end return t end)
		app:get("/query", function(c) return { c.query.a, c.query.b or "none", c:queries("a") } end)
		app:get("/headers", function(c) return { c.headers.user_agent, c.headers["User-Agent"], c.headers["x-none"] or "none" } end)
		app:get("/cookies", function(c) c.cookies.theme = "dark" c.cookies:set("a", "b", { max_age = "1h", same_site = "strict" }) return c.cookies.seen or "none" end)
		app:post("/json", function(c) return c:read_json() end)
		app:post("/form", function(c) return { c.form.a, c.form.b } end)
		app:post("/body", function(c) return c.body end)
		app:post("/file", function(c) local f = c.files.doc return { f.name, f.size, f.type, f:read(), c.form.title } end)
		app:get("/info", function(c) return { c.method, c.path, c.url, c.host, c.scheme, c.ip } end)
		app:get("/store", function(c) c.user = { id = 1 } c.x = 2 return { c.user.id, c.x, c.nothing or "nil" } end)
	`, nil)
	for _, c := range []struct {
		request string
		call    luabind.Call
		want    string
	}{
		{"GET /params/41/a%2Fb", luabind.Call{}, `[42,"a/b","/params/:id{int}/:name"]`},
		{"GET /all/x/y", luabind.Call{}, `{"a":"x","b":"y"}`},
		{"GET /query?a=1&a=2", luabind.Call{}, `["1","none",["1","2"]]`},
		{"GET /headers", luabind.Call{Header: map[string]string{"User-Agent": "me"}}, `["me","me","none"]`},
		{"GET /cookies", luabind.Call{Cookies: map[string]string{"seen": "yes"}}, `yes`},
		{"POST /json", luabind.Call{JSON: []byte(`{"list":[],"n":12345678901234567890}`)}, `{"list":[],"n":"12345678901234567890"}`},
		{"POST /form", luabind.Call{Form: map[string]string{"a": "1", "b": "ü"}}, `["1","ü"]`},
		{"POST /body", luabind.Call{Body: "raw\x00"}, "raw\x00"},
		{"POST /file", luabind.Call{Form: map[string]string{"title": "t"}, Files: map[string]luabind.Upload{"doc": {Name: "../../a.txt", Content: "hello"}}}, `["a.txt",5,"text/plain","hello","t"]`},
		{"GET /info?x=1", luabind.Call{}, `["GET","/info","/info?x=1","localhost","http","127.0.0.1"]`},
		{"GET /store", luabind.Call{}, `[1,2,"nil"]`},
	} {
		a := do(t, p, c.request, c.call)
		if string(a.Body) != c.want {
			t.Errorf("%s: %d %s\nwant %s", c.request, a.Status, a.Body, c.want)
		}
		if strings.HasSuffix(c.request, "/cookies") {
			got := expires.ReplaceAllString(strings.Join(a.Header["Set-Cookie"], "; "), "")
			if got != "theme=dark; Path=/; HttpOnly; SameSite=Lax; a=b; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict" {
				t.Errorf("Set-Cookie: %s", got)
			}
		}
	}
	if a := do(t, p, "POST /json", luabind.Call{Body: `{"a":`}); a.Status != 400 || !strings.Contains(string(a.Body), "line 1") {
		t.Errorf("broken JSON: %s", summary(a))
	}
}

func TestRouting(t *testing.T) {
	p := newApp(t, `
		app:get("/a", function() return "a" end)
		app:post("/a", function() return "posted" end)
		app:all("/any", function(c) return c.method end)
		local api = app:group("/api", function(c, next) c.in_api = true return next() end)
		api:get("/", function(c) return "api " .. tostring(c.in_api) end)
		local deep = api:group("/v1")
		deep:get("/x", function(c) return "deep " .. tostring(c.in_api) end)
		app:host("b.example.com", function(h) h:get("/a", function() return "host b" end) end)
		app:host("*.example.org"):get("/a", function(c) return "wild " .. c.host end)
		app:resource("/notes", { index = function() return "index" end, show = function(c) return "show " .. c.params.id end,
			create = function() return "create" end, update = function(c) return "update " .. c.method end, destroy = function() return 204 end })
		app:get("/u/:name", function(c) return app:url("profile", { name = "a b", tab = "x" }) end):name("profile")
		app:mount("/blog", require("blog"))
		app:get("/opt(/:page{int})", function(c) return "page " .. tostring(c.params.page) end)
	`, map[string]string{"blog.lua": `
		local blog = rws.app()
		blog:use(function(c, next) c.blog = true return next() end)
		blog:get("/:slug", function(c) return "post " .. c.params.slug .. " " .. tostring(c.blog) end)
		return blog`})
	for request, want := range map[string]string{
		"GET /a": "200 text/plain a", "POST /a": "200 text/plain posted", "HEAD /a": "200 text/plain", "GET /a/": "308 -> /a",
		"PATCH /any": "200 text/plain PATCH", "GET /api": "200 text/plain api true", "GET /api/v1/x": "200 text/plain deep true",
		"GET http://b.example.com/a": "200 text/plain host b", "GET http://x.example.org/a": "200 text/plain wild x.example.org",
		"GET http://c.example.com/a": "200 text/plain a",
		"GET /notes":                 "200 text/plain index", "GET /notes/7": "200 text/plain show 7", "POST /notes": "200 text/plain create",
		"PATCH /notes/7": "200 text/plain update PATCH", "PUT /notes/7": "200 text/plain update PUT", "DELETE /notes/7": "204",
		"GET /u/ann": "200 text/plain /u/a%20b?tab=x", "GET /blog/hello": "200 text/plain post hello true",
		"GET /opt": "200 text/plain page nil", "GET /opt/3": "200 text/plain page 3",
	} {
		if got := summary(do(t, p, request)); got != want {
			t.Errorf("%s: %s\nwant %s", request, got, want)
		}
	}
	if a := do(t, p, "DELETE /a"); a.Status != 405 || a.Header.Get("Allow") != "GET, HEAD, OPTIONS, POST" {
		t.Errorf("405: %s, Allow %q", summary(a), a.Header.Get("Allow"))
	}
	if a := do(t, p, "OPTIONS /a"); a.Status != 204 || a.Header.Get("Allow") == "" {
		t.Errorf("OPTIONS: %s", summary(a))
	}
}

// What the whole app uses first sees every request; what comes behind a function or a route keeps
// the order in which it was written.
func TestMiddlewareBeforeTheRouting(t *testing.T) {
	for source, want := range map[string]map[string]bool{
		`app:use(rws.request_id()) app:get("/a", function() return "a" end)`: {"/a": true, "/none": true},
		`app:get("/a", function() return "a" end) app:use(rws.request_id())`: {"/a": false, "/none": true},
		`app:get("/a", rws.request_id(), function() return "a" end)`:         {"/a": true, "/none": false},
		`app:use(function(c, next) if c.path == "/a" then return "stopped" end return next() end, rws.request_id())
		 app:get("/a", function() return "a" end)`: {"/a": false, "/none": true},
	} {
		p := newApp(t, source, nil)
		for path, marked := range want {
			if got := do(t, p, "GET "+path).Header.Get("X-Request-Id") != ""; got != marked {
				t.Errorf("%s\nGET %s: marked: %v, want %v", source, path, got, marked)
			}
		}
	}
}

func TestMiddleware(t *testing.T) {
	p := newApp(t, `
		app:use(function(c, next)
			local res = next()
			res.headers["X-Outer"] = (res.headers["X-Inner"] or "") .. "+outer " .. res.status
			return res
		end)
		app:use(rws.request_id())
		app:use(function(c, next) c.res.headers["X-Inner"] = "inner" next() end)
		local function guard(c, next) if c.query.key ~= "k" then return c:text("no", 403) end return next() end
		app:get("/open", function() return "open" end)
		app:get("/closed", guard, function() return "closed" end)
		app:get("/twice", function(c, next) next() return next() end, function() return "x" end)
		app:get("/forgot", function(c, next) end, function() return "x" end)
		app:static("/files", "public")
	`, map[string]string{"public/a.txt": "static a"})
	for request, want := range map[string]string{
		"GET /open": "200 text/plain open", "GET /closed": "403 text/plain no", "GET /closed?key=k": "200 text/plain closed",
		"GET /files/a.txt": "200 text/plain static a",
	} {
		a := do(t, p, request)
		if got := summary(a); got != want {
			t.Errorf("%s: %s\nwant %s", request, got, want)
		}
		if got := a.Header.Get("X-Outer"); got != fmt.Sprintf("inner+outer %d", a.Status) {
			t.Errorf("%s: X-Outer: %q", request, got)
		}
		if a.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: no request id", request)
		}
	}
	for request, want := range map[string]string{"GET /twice": "second time", "GET /forgot": "did not call next"} {
		if a := do(t, p, request); a.Status != 500 || !strings.Contains(string(a.Body), want) {
			t.Errorf("%s: %s", request, summary(a))
		}
	}
	if a := do(t, p, "GET /nowhere"); a.Status != 404 || a.Header.Get("X-Outer") == "" {
		t.Errorf("a miss does not pass the middleware: %s %v", summary(a), a.Header)
	}
}

func TestMiddlewareAroundAStream(t *testing.T) {
	p := newApp(t, `
		app:use(function(c, next) local res = next() res.headers["X-A"] = "1" return res end)
		app:get("/stream", function(c) return c:stream(function(out) for i = 1, 3 do out:write(i, "\n") rws.sleep("1ms") end end) end)
		app:use(function(c, next) next() return c:text("replaced", 201) end)
		app:static("/big", "public")
	`, map[string]string{"public/big.txt": strings.Repeat("x", 1<<20)})
	if got := summary(do(t, p, "GET /stream")); got != "200 text/plain 1\n2\n3" {
		t.Errorf("stream: %q", got)
	}
	if got := summary(do(t, p, "GET /big/big.txt")); got != "201 text/plain replaced" {
		t.Errorf("replaced: %q", got)
	}
}

func TestErrorsOfAScript(t *testing.T) {
	script := `
		app:get("/nil", function(c) local user = nil return user.name end)
		app:get("/raise", function() error("plain") end)
		app:get("/table", function() error({ code = "x", message = "from a table", status = 409 }) end)
		app:get("/co", function() return coroutine.wrap(function() local t t.x = 1 end)() end)
		app:get("/tmpl", function(c) return c:render("bad.html") end)
		app:get("/required", function() return require("lib.helper").boom() end)
		app:get("/try", function() local ok, e = rws.try(function() error("caught") end) return { ok, e.message, e.at } end)
		app:on_error(404, function(c, err) return c:text("nothing here: " .. c.path) end)
	`
	files := map[string]string{"templates/bad.html": "line one\n{{ x.y.z }}\n", "lib/helper.lua": "return {\n  boom = function()\n    return nil .. 'x'\n  end }"}
	p := newApp(t, script, files)
	for path, want := range map[string]string{
		"/nil": "app.lua:2", "/raise": "plain", "/table": "from a table", "/co": "app.lua:5", "/tmpl": "bad.html", "/required": "lib/helper.lua:3",
		"/try": `[false,"caught","app.lua:8"]`, "/missing": "nothing here: /missing",
	} {
		if got := summary(do(t, p, "GET "+path)); !strings.Contains(got, want) {
			t.Errorf("%s: %s\nlacks %s", path, got, want)
		}
	}
	quiet := newApp(t, script, files, "env=production")
	a := do(t, quiet, "GET /nil")
	if a.Status != 500 || strings.Contains(string(a.Body), "app.lua") || !strings.Contains(string(a.Body), "request_id") {
		t.Errorf("production shows %s", summary(a))
	}
	page := do(t, p, "GET /nil", luabind.Call{Header: map[string]string{"Accept": "text/html"}})
	if !strings.Contains(page.Header.Get("Content-Type"), "text/html") || !strings.Contains(string(page.Body), "user") {
		t.Errorf("the page: %s", summary(page))
	}
}

func TestLoadErrors(t *testing.T) {
	for source, want := range map[string]string{
		`app:get("/", function() return 1 end`:                        "app.lua",
		`app:gett("/", function() end)`:                               `"get"`,
		`app.get("/", function() end)`:                                "colon",
		`app:get("/:id{imt}", function() end)`:                        "int",
		`app:get("/x")`:                                               "handler",
		`app:config { prot = 1 }`:                                     `"port"`,
		`app:config { timeout = 30 }`:                                 "unit",
		`app:config { port = "x" }`:                                   "port",
		`app:get("/", { query = { page = "imt" } }, function() end)`:  `"int"`,
		`app:get("/", { qery = {} }, function() end)`:                 `"query"`,
		`app:get("/", { body = {}, form = {} }, function() end)`:      "not both",
		`app:get("/a", function() end) app:get("/a", function() end)`: "/a",
		`require("nothing.here")`:                                     "nothing/here.lua",
		`rws.jsn.encode(1)`:                                           `"json"`,
		`local x = nil; x.y = 1`:                                      "app.lua:1",
		`app:static("/x", "no-such-folder")`:                          "no-such-folder",
		`app:on("strat", function() end)`:                             `"start"`,
		`app:resource("/x", { shwo = function() end })`:               `"show"`,
		`os.exit()`: "not available",
		`app:get("/", function() end):name("a") app:get("/b", function() end):name("a")`: "names the route",
	} {
		_, err := load(t, source, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %v\nlacks %s", source, err, want)
		}
	}
}

func TestValidation(t *testing.T) {
	p := newApp(t, `
		app:get("/q", { query = { page = "int 1.. = 1", q = "string ..5 = ''", tags = "[string] ..2 ?" } }, function(c) return { c.query.page, c.query.q, c.query.tags or "none" } end)
		app:get("/p/:id", { params = { id = "int 1..10" } }, function(c) return { id = c.params.id } end)
		app:post("/b", { body = { title = "string 1..10", meta = { color = "enum red|blue" }, items = { "[object] ..2", n = "int" } } }, function(c) return c.input end)
		app:post("/f", { form = { email = "email", age = "int 18.. ?" } }, function(c) return c.input end)
		app:post("/u", { upload = { image = "file image/* ..1kb" } }, function(c) return { c.files.image.name, c.input.image.size } end)
	`, nil)
	png := "\x89PNG\r\n\x1a\n0000"
	for _, c := range []struct {
		request string
		call    luabind.Call
		want    string
	}{
		{"GET /q", luabind.Call{}, `200 application/json [1,"","none"]`},
		{"GET /q?page=3&q=abc&tags=a&tags=b", luabind.Call{}, `200 application/json [3,"abc",["a","b"]]`},
		{"GET /p/5", luabind.Call{}, `200 application/json {"id":5}`},
		{"POST /f", luabind.Call{Form: map[string]string{"email": "a@example.com", "age": "20"}}, `200 application/json {"age":20,"email":"a@example.com"}`},
		{"POST /u", luabind.Call{Files: map[string]luabind.Upload{"image": {Name: "a.png", Content: png, Type: "image/png"}}}, `200 application/json ["a.png",12]`},
	} {
		if got := summary(do(t, p, c.request, c.call)); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.request, got, c.want)
		}
	}
	a := do(t, p, "POST /b", luabind.Call{JSON: []byte(`{"title":"t","meta":{"color":"red"},"items":[{"n":1}]}`)})
	if a.Status != 200 {
		t.Errorf("body: %s", summary(a))
	}
	for _, c := range []struct {
		request string
		call    luabind.Call
		status  int
		want    []string
	}{
		{"GET /q?page=0&q=toolong", luabind.Call{}, 422, []string{`"page"`, `"q"`}},
		{"GET /p/11", luabind.Call{}, 422, []string{`"id"`}},
		{"POST /b", luabind.Call{JSON: []byte(`{"meta":{"color":"green"},"items":[{"n":"x"}],"more":1}`)}, 422, []string{`"title"`, `"meta.color"`, `"items[0].n"`, `"more"`}},
		{"POST /b", luabind.Call{Form: map[string]string{"a": "b"}}, 415, nil},
		{"POST /f", luabind.Call{Form: map[string]string{"email": "x", "age": "3"}}, 422, []string{`"email"`, `"age"`}},
		{"POST /u", luabind.Call{Files: map[string]luabind.Upload{"image": {Name: "a.png", Content: "<html>", Type: "image/png"}}}, 422, []string{`"image"`}},
	} {
		a := do(t, p, c.request, c.call)
		if a.Status != c.status {
			t.Errorf("%s: %s", c.request, summary(a))
		}
		for _, part := range c.want {
			if !strings.Contains(string(a.Body), part) {
				t.Errorf("%s: %s\nlacks %s", c.request, a.Body, part)
			}
		}
	}
}

func TestConcurrency(t *testing.T) {
	p := newApp(t, `
		local hits = 0
		app:get("/hit", function() hits = hits + 1 return tostring(hits) end)
		app:get("/slow", function() rws.sleep("20ms") return "slow" end)
		app:get("/parallel", function()
			local a, b = rws.parallel(function() rws.sleep("10ms") return 1 end, function() rws.sleep("10ms") return 2 end)
			return { a, b }
		end)
		app:get("/race", function()
			local v, n = rws.race(function() rws.sleep("10s") return "slow" end, function() return "fast" end)
			return { v, n }
		end)
		app:get("/parallel-error", function() rws.parallel(function() rws.sleep("10s") end, function() error("second") end) end)
		app:get("/lock", function() rws.lock("x", function() local n = app.shared:get("n") or 0 rws.sleep("1ms") app.shared:set("n", n + 1) end) return 204 end)
		app:get("/update", function() app.shared:update("u", function(v) rws.sleep("1ms") return (v or 0) + 1 end) return 204 end)
		app:get("/counts", function() return { app.shared:get("n"), app.shared:get("u") } end)
		app:get("/deadline", { timeout = "30ms" }, function() while true do end end)
		app:get("/wait-deadline", { timeout = "30ms" }, function() rws.sleep("10s") end)
	`, nil)
	many(t, 10_000, func() { do(t, p, "GET /hit") })
	if got := summary(do(t, p, "GET /hit")); got != "200 text/plain 10001" {
		t.Errorf("the counter: %s", got)
	}
	many(t, 300, func() {
		if got := summary(do(t, p, "GET /slow")); got != "200 text/plain slow" {
			t.Error(got)
		}
	})
	many(t, 30, func() { do(t, p, "GET /lock"); do(t, p, "GET /update") })
	for path, want := range map[string]string{
		"/parallel": "200 application/json [1,2]", "/race": `200 application/json ["fast",2]`, "/counts": "200 application/json [30,30]",
	} {
		if got := summary(do(t, p, "GET "+path)); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
	if a := do(t, p, "GET /parallel-error"); a.Status != 500 || !strings.Contains(string(a.Body), "second") {
		t.Errorf("parallel-error: %s", summary(a))
	}
	for _, path := range []string{"/deadline", "/wait-deadline"} {
		if a := do(t, p, "GET "+path); a.Status != http.StatusGatewayTimeout {
			t.Errorf("%s: %s", path, summary(a))
		}
	}
}

func TestIsolates(t *testing.T) {
	p := newApp(t, `
		local greeting = "hi"
		app:get("/", function() return greeting .. app.shared:incr("hits") end)
		app:get("/slow", function() rws.sleep("5ms") return "x" end)
	`, nil, "isolates=3")
	if n := len(p.Isolates()); n != 3 {
		t.Fatalf("%d isolates", n)
	}
	many(t, 300, func() { do(t, p, "GET /") })
	if got := summary(do(t, p, "GET /")); got != "200 text/plain hi301" {
		t.Error(got)
	}
	for source, want := range map[string]string{
		"local n = 0\napp:get('/', function()\n  n = n + 1\nend)":                                                        "app.lua:3",
		"local cache = {}\napp:get('/', function(c)\n  cache[c.path] = 1\nend)":                                          "app.lua:3",
		"local list = {}\nlocal function add(x)\n  list[#list + 1] = x\nend\napp:get('/', function() add(1) end)":        "app.lua:3",
		"count = 0\napp:use(function(c, next)\n  count = count + 1\n  return next()\nend)\napp:get('/', function() end)": "app.lua:3",
	} {
		_, err := load(t, source, nil, "isolates=auto")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "isolates") {
			t.Errorf("%s\ngot %v", source, err)
		}
	}
}

func TestRunTests(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "app.lua", `
		local n = 0
		app:get("/n", function() n = n + 1 return { n = n } end)
		app:get("/out", function() return { rws.sleep("1h") } end)
		app:test("first", function(t) t.eq(t:get("/n"):json(), { n = 1 }) t.eq(t:get("/n"):json().n, 2) end)
		app:test("isolated", function(t) t:eq(t:get("/n").status, 200) t.eq(t:get("/n").headers.content_type, "application/json") end)
		app:test("fails", function(t) t.eq({ a = { 1, 2 } }, { a = { 1, 3 } }) end)
		app:test("errors", function(t) print("printed") local x x.y = 1 end)
	`)
	var results []string
	err := luabind.RunTests(t.Context(), luabind.Options{File: filepath.Join(dir, "app.lua")}, "", func(r luabind.TestResult) {
		results = append(results, fmt.Sprintf("%s: %v %s", r.Name, r.Err, r.Output))
	})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(results, "\n")
	for _, want := range []string{"first: <nil>", "isolated: <nil>", `fails: app.lua:7: got {"a":[1,2]}, expected {"a":[1,3]}`, "errors: app.lua:8:", "printed"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
}

func many(t *testing.T, n int, f func()) {
	t.Helper()
	var wg sync.WaitGroup
	gate := make(chan struct{}, 200)
	for range n {
		gate <- struct{}{}
		wg.Go(func() { defer func() { <-gate }(); f() })
	}
	wg.Wait()
}
