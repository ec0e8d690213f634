package command_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const shop = `local function auth(c, next) return next() end
app:config { port = 4000, timeout = "2s" }
app:use(rws.request_id())
app:get("/notes/:id{int}", auth, function() return "a" end):name("note")
app:get("/notes/:slug", function() return "b" end)
app:post("/notes/:id{int}", { summary = "change a note" }, function() return "c" end)
app:host("*.example.com", function(h) h:get("/", function() return "d" end) end)
`

func TestCheckSaysOK(t *testing.T) {
	app(t, "app.lua", shop+`app:test("a", function() end)`, "templates/a.html", "{{ a }}")
	r := rws(t, "check")
	r.expect(t, 0, "ok: 4 routes, 1 test, 1 template, 1 Lua file")
	r.refuse(t, "listening")
}

func TestCheckFindsAll(t *testing.T) {
	app(t, "app.lua", `require("lib.users")
app:get("/", function() return usr end)
app:get("/b", function() count = 1 end)
`, "lib/users.lua", "function user() return helper() end\n", "templates/a.html", "ok\n{% if x %}", "templates/b.html", "{{ x | upercase }}")
	r := rws(t, "check", "app.lua")
	r.expect(t, 1, "app.lua:2: the global `usr` is declared nowhere (did you mean \"user\"?)", "> 2 |",
		"app.lua:3: the global `count` is assigned in a function", "local count = …",
		"lib/users.lua:1: the global `helper`", "templates/a.html:2: ", "templates/b.html:1: ", "app.lua: 5 problems")
}

func TestCheckFindsGlobalsThoughTheScriptFails(t *testing.T) {
	app(t, "app.lua", hello+hello+"app:get(\"/x\", function() return nothing end)\n")
	rws(t, "check").expect(t, 1, "app.lua:2: ", "app.lua:3: the global `nothing`", "2 problems")
}

func TestCheckTakesSettings(t *testing.T) {
	app(t, "app.lua", `if env.RWS_X then error("no") end app:get("/", function() end)`)
	rws(t, "check", "--env", "production").expect(t, 0, "ok: 1 route")
	t.Setenv("RWS_X", "1")
	rws(t, "check").expect(t, 1, "app.lua:1: no")
}

func TestRoutes(t *testing.T) {
	app(t, "app.lua", shop)
	r := rws(t, "routes")
	r.expect(t, 0, "METHOD  HOST           PATTERN          NAME  MIDDLEWARE", "app.lua:4", "request_id, function app.lua:1",
		"*.example.com", "change a note")
	r.refuse(t, "_rws", "\x1b")
	rws(t, "routes", "--all").expect(t, 0, "/_rws/")
	lines := strings.Split(r.out, "\n")
	for _, line := range lines[1:5] {
		if !strings.HasPrefix(line[strings.Index(lines[0], "SOURCE"):], "app.lua:") {
			t.Errorf("not aligned: %q", line)
		}
	}
}

func TestRoutesAsJSON(t *testing.T) {
	app(t, "app.lua", shop+"print(\"loading\")\n")
	r := rws(t, "routes", "--json")
	var routes []struct {
		Method, Host, Pattern, Name, Source, Kind string
		Middleware                                []string
	}
	if err := json.Unmarshal([]byte(r.out), &routes); err != nil {
		t.Fatalf("%v in %s", err, r.out)
	}
	if len(routes) != 4 {
		t.Fatalf("%d routes", len(routes))
	}
	first := routes[0]
	if first.Method != "GET" || first.Pattern != "/notes/:id{int}" || first.Name != "note" || first.Source != "app.lua:4" || first.Kind != "lua" ||
		!slices.Equal(first.Middleware, []string{"request_id", "function app.lua:1"}) {
		t.Errorf("%+v", first)
	}
	app(t, "app.lua", "")
	rws(t, "routes", "--json").expect(t, 0, "[]")
	rws(t, "routes").expect(t, 0, "no routes", "app:get")
}

func TestWhy(t *testing.T) {
	app(t, "app.lua", shop, "many.lua", `for i = 1, 30 do app:get("/r" .. i, function() end) end`)
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"found", []string{"GET", "/notes/7"}, []string{"GET /notes/:id{int} (app.lua:4)", `id = "7"`, "runs request_id → function app.lua:1 → lua handler",
			"GET /notes/:slug (app.lua:5)", "shadowed by", "POST /notes/:id{int} (app.lua:6)", "method is GET", `host is "localhost"`}},
		{"method left out", []string{"/notes/7"}, []string{"GET /notes/7"}},
		{"small letters", []string{"post", "/notes/7"}, []string{"POST /notes/:id{int} (app.lua:6): "}},
		{"wrong method", []string{"DELETE", "/notes/x"}, []string{"405", "GET, HEAD, OPTIONS"}},
		{"no route", []string{"/nothing"}, []string{"404 Not Found", `segment 1 "nothing" is not "notes"`}},
		{"a slash too many", []string{"/notes/7/"}, []string{"308", `"/notes/7"`}},
		{"refused", []string{"/a/../b"}, []string{"400 Bad Request", "segment"}},
		{"another host", []string{"/", "--host", "a.example.com"}, []string{"GET *.example.com/ (app.lua:7): "}},
		{"a URL", []string{"http://a.example.com/?x=1", "app.lua"}, []string{"GET / on a.example.com", "*.example.com/ (app.lua:7): "}},
		{"many others", []string{"/r1", "many.lua"}, []string{"and 19 routes with another host or path"}},
		{"all others", []string{"/r1", "many.lua", "--all"}, []string{"GET /r30 ", "/_rws/"}},
	} {
		t.Run(c.name, func(t *testing.T) { rws(t, append([]string{"why"}, c.args...)...).expect(t, 0, c.want...) })
	}
}

func TestConfigTellsOrigins(t *testing.T) {
	app(t, "app.lua", shop, ".env", "RWS_STALL=3s\n")
	t.Setenv("RWS_MAX_BODY", "2mb")
	r := rws(t, "config", "app.lua", "--port", "5000", "--json")
	var rows []struct{ Name, Value, Origin, Doc string }
	if err := json.Unmarshal([]byte(r.out), &rows); err != nil {
		t.Fatalf("%v in %s", err, r.out)
	}
	got := make(map[string]string)
	for _, row := range rows {
		got[row.Name] = row.Value + " from " + row.Origin
		if row.Doc == "" {
			t.Errorf("%s has no text", row.Name)
		}
	}
	for name, want := range map[string]string{
		"port": "5000 from --port", "timeout": "2s from app:config", "max_body": "2mb from RWS_MAX_BODY",
		"stall": "3s from RWS_STALL", "env": "development from default",
	} {
		if got[name] != want {
			t.Errorf("%s is %s, want %s", name, got[name], want)
		}
	}
	rws(t, "config").expect(t, 0, "NAME", "ORIGIN", "app:config")
}

func TestConfigWithoutScript(t *testing.T) {
	app(t)
	rws(t, "config", "--env", "production").expect(t, 0, "production", "--env")
}
