package luabind_test

import (
	"bytes"
	"html"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind"
	"rws/luabind/vm"
	"rws/server"
	"rws/server/logs"
)

func TestAModuleThatWaitsIsLoadedOnce(t *testing.T) {
	p := newApp(t, `app:get("/", function() return { require("slow").n } end)`, map[string]string{"slow.lua": `rws.sleep("20ms") return { n = app.shared:incr("loads") }`})
	many(t, 50, func() {
		if got := summary(do(t, p, "GET /")); got != "200 application/json [1]" {
			t.Error(got)
		}
	})
}

func TestWhatVisitorsSendIsTheirFault(t *testing.T) {
	p := newApp(t, `
		app:get("/q", function(c) return { c.query.a } end)
		app:get("/file", function(c) return c:file(c.query.name) end)
		app:post("/u", { upload = { f = "file image/*" } }, function(c) return { c.files.f.name, c.files.f.type } end)
	`, map[string]string{"a.txt": "a"})
	for request, want := range map[string]int{
		"GET /q?a=%ff": 400, "GET /q?%zz": 400, "GET /q?a=1": 200,
		"GET /file?name=../secret": 404, "GET /file?name=a.txt": 200, "GET /file?name=/etc/passwd": 404, "GET /file?name=no": 404,
	} {
		if a := do(t, p, request); a.Status != want {
			t.Errorf("%s: %s", request, summary(a))
		}
	}
	for content, want := range map[string]int{"\x7fELF\x02\x01\x01": 422, "<svg onload='x'/>": 422, "\x89PNG\r\n\x1a\n0000": 200} {
		if a := do(t, p, "POST /u", luabind.Call{Files: map[string]luabind.Upload{"f": {Name: "..", Content: content, Type: "image/png"}}}); a.Status != want {
			t.Errorf("%q: %s", content, summary(a))
		}
	}
}

func TestAReadOnlyRunChangesNothing(t *testing.T) {
	p := newApp(t, `app:get("/", function() end)`, map[string]string{"a.txt": "a"})
	for source, want := range map[string]string{
		`rws.fs["wri" .. "te"]("b.txt", "b")`:                                                 "read-only",
		`pcall(rws.fs.read, "a.txt") error(select(2, pcall(rws.fs.remove, "a.txt")), 0)`:      "read-only",
		`rws.parallel(function() rws.fs.mkdir("d") end)`:                                      "read-only",
		`rws.fs.open("a.txt", "w")`:                                                           "read-only",
		`app.shared:set("k", 1)`:                                                              "read-only",
		`rws.http.post("http://localhost:1/")`:                                                "read-only",
		`_G["raw" .. "set"](rws, "a", 1)`:                                                     "read-only",
		`assert(rws.fs.read("a.txt") == "a" and app.shared:get("k") == nil) error("fine", 0)`: "fine",
	} {
		err := p.Isolates()[0].Do(&vm.Run{ReadOnly: true}, func(L *lua.LState) error {
			fn, err := L.LoadString(source)
			if err != nil {
				return err
			}
			_, err = vm.Call(L, fn)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestAStreamThatFailsAtOnceIsAnError(t *testing.T) {
	p := newApp(t, `app:get("/", function(c) return c:stream(function() error("x") end) end)
		app:get("/empty", function(c) return c:stream(function() end) end)`, nil)
	if a := do(t, p, "GET /"); a.Status != 500 {
		t.Error(summary(a))
	}
	if a := do(t, p, "GET /empty"); a.Status != 200 {
		t.Error(summary(a))
	}
}

func TestMistakesAtLoad(t *testing.T) {
	for source, want := range map[string]string{
		`app:get("/:id", { params = { di = "int" } }, function() end)`: `"id"`,
		`app:post("/", { body = { "[int] 1..2" } }, function() end)`:   "fields have names",
		`app:get("/", { summary = 3 }, function() end)`:                `app.lua:1: app:get /: option "summary": string expected, got the number 3`,
		`app:post("/", { body = {
			items = { "[object]", 5, a = "int" } } }, function() end)`: `app.lua:2: app:post /: option "body": field "items": element [2]: fields have names`,
		`app:post("/", { body = { items = { 5, a = "int" } } }, function() end)`:  `element [1]: a type such as "[object] 1..50" expected, got number`,
		`app:post("/", { body = { items = { "", a = "int" } } }, function() end)`: "got an empty string",
		`app:post("/", { body = { [2] = "int" } }, function() end)`:               `option "body": fields have names`,
		`app:post("/", { body = { [true] = "int" } }, function() end)`:            `element [true]: fields have names`,
		`rws.schema.object { a = { b = "int", [3] = "x" } }`:                      `field "a": element [3]`,
		`app:get("/", { "x" }, function() end)`:                                   "options have names",
		`app:get("/", { timeout = true }, function() end)`:                        `option "timeout"`,
		`app:get("/", { returns = "200" }, function() end)`:                       `option "returns": integer expected`,
		`app:get("/", { query = "string" }, function() end)`:                      `option "query": a table of fields expected`,
		`app:group("/x"):on_error(404, function() end)`:                           "whole app",
		`app:static("/x", "../")`:                                                 "outside of the app's folder",
		`rws.array(5)`:                                                            "table expected",
		`local function f() return 1 + f() end f()`:                               "app.lua:1",
		`app:get("/", function(c) end) return string.format("%d", "x")`:           "string.format",
	} {
		_, err := load(t, source, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %v", source, err)
		}
	}
	p := newApp(t, `app:get("/", function(c) c.res.headers.content_length = "2" return "abcdef" end)`, nil)
	if a := do(t, p, "GET /"); a.Status != 500 || !strings.Contains(string(a.Body), "the server sets it itself") {
		t.Error(summary(a))
	}
}

func TestFieldsOfAFailureAreChecked(t *testing.T) {
	for fields, want := range map[string]string{
		`{ email = "is taken" }`: `"path":"email"`, `{ email = 5 }`: `"message":"5"`, `{}`: `"detail":"x"`, `nil`: `"detail":"x"`,
		`{ email = { code = "taken", message = "is taken" } }`:                `"code":"taken"`,
		`select(2, pcall(c.fail, c, 422, "y", { b = "no", a = "m" })).fields`: `"path":"b"`,
	} {
		p := newApp(t, `app:get("/", function(c) c:fail(422, "x", `+fields+`) end)`, nil)
		if a := do(t, p, "GET /"); a.Status != 422 || !strings.Contains(string(a.Body), want) {
			t.Errorf("%s: %s", fields, summary(a))
		}
	}
	for fields, want := range map[string]string{
		`"email"`: "argument 3: table expected, got the string", `{ "is taken" }`: "element 1 has no name", `{ email = true }`: `\"email\" is a boolean`,
		`{ email = { "a", "b" } }`: `\"email\" has the key \"1\"`, `{ email = {} }`: `\"email\" has no message`, `{ { message = "x" } }`: "element 1 has no path",
		`{ { path = "a", message = 5 } }`: "element 1 has a number as its message",
	} {
		p := newApp(t, `app:get("/", function(c) c:fail(422, "x", `+fields+`) end)`, nil)
		a := do(t, p, "GET /")
		if a.Status != 500 || !strings.Contains(string(a.Body), want) || !strings.Contains(string(a.Body), "app.lua:1") {
			t.Errorf("%s: %s", fields, summary(a))
		}
	}
}

func TestOptionsOfAnswersAreChecked(t *testing.T) {
	p := newApp(t, `
		app:get("/status", function(c) return c:stream(function(out) out:write("x") end, { status = 42 }) end)
		app:get("/second", function(c) c:file("a.txt", { type = "image/gif" }) return c:file("a.txt") end)
	`, map[string]string{"a.txt": "a"})
	if a := do(t, p, "GET /status"); a.Status != 500 || !strings.Contains(string(a.Body), "200 to 599") {
		t.Errorf("a stream with status 42: %s", summary(a))
	}
	if a := do(t, p, "GET /second"); !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("the second file has the type of the first: %s", summary(a))
	}
}

func TestFieldsOfARecordDoNotHideItsOwn(t *testing.T) {
	var out bytes.Buffer
	o := luabind.Options{File: "app.lua", Dir: t.TempDir(), Source: `rws.log.info("real", { level = "ERROR", msg = "forged", time = 1 })`}
	o.Logger = func(*luabind.Config) *slog.Logger { return logs.New(&out, logs.Options{Format: logs.JSON}) }
	p, err := luabind.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	for _, key := range []string{`"level":`, `"msg":`, `"time":`} {
		if n := strings.Count(out.String(), key); n != 1 {
			t.Errorf("%s stands %d times in %s", key, n, out.String())
		}
	}
}

func TestParamsCookiesAndHeadersAreLikeTheQuery(t *testing.T) {
	p := newApp(t, `
		app:get("/params/:a/:b{int}", function(c) return c.params end)
		app:get("/in/:a", function(c) return { p = c.params, k = c.cookies } end)
		app:get("/cookies", function(c) return c.cookies end)
		app:get("/pairs/:a", function(c)
			local n = {}
			for k, v in pairs(c.cookies) do n[#n + 1] = k .. v end
			for k, v in pairs(c.params) do n[#n + 1] = k .. v end
			table.sort(n)
			return table.concat(n, " ")
		end)
		app:get("/headers", function(c) return { c.headers.x_user or "none", c.headers["X_User"] or "none", c.headers["x-user"] or "none" } end)
		app:get("/all", function(c) return c.headers end)
	`, nil)
	for _, test := range []struct {
		request, want string
		call          luabind.Call
	}{
		{"GET /params/x/7", `{"a":"x","b":7}`, luabind.Call{}},
		{"GET /in/x", `{"p":{"a":"x"},"k":{"t":"1"}}`, luabind.Call{Cookies: map[string]string{"t": "1"}}},
		{"GET /cookies", `{"a":"1"}`, luabind.Call{Header: map[string]string{"Cookie": "a=1; a=2"}}},
		{"GET /cookies", "{\"a\":\"\u00fc\",\"b\":\"x y\",\"c\":\"\u00e9\"}", luabind.Call{Header: map[string]string{"Cookie": "a=\u00fc; b=\"x y\"; c=\xe9; d"}}},
		{"GET /pairs/x", "ax t1", luabind.Call{Cookies: map[string]string{"t": "1"}}},
		{"GET /headers", `["real","real","real"]`, luabind.Call{Header: map[string]string{"X-User": "real"}}},
	} {
		if a := do(t, p, test.request, test.call); a.Status != 200 || string(a.Body) != test.want {
			t.Errorf("%s: %s, want %s", test.request, summary(a), test.want)
		}
	}
	if a := do(t, p, "GET /all", luabind.Call{Header: map[string]string{"X-Odd": "caf\xe9"}}); a.Status != 200 || !strings.Contains(string(a.Body), "\"x-odd\":\"caf\u00e9\"") {
		t.Error(summary(a))
	}
	h, err := server.Compile(p.App)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/headers", nil)
	r.Header["X_user"] = []string{"spoof"}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := w.Body.String(); got != `["none","none","none"]` {
		t.Error(got)
	}
}

func TestMistypedNamesOfObjectsGetAHint(t *testing.T) {
	for source, want := range map[string]string{
		`c:jsn({})`:                 "did you mean `c:json`?",
		`c.qury.x = 1`:              "did you mean `c.query`?",
		`return c.qury.x`:           "did you mean `c.query`?",
		`return c.reed_json()`:      "did you mean `c:read_json`?",
		`c.res.heders.x = 1`:        `did you mean "headers"?`,
		`c.cookies:sett("a", "b")`:  "did you mean `c.cookies:set`?",
		`app:gte("/x")`:             `did you mean "get"?`,
		`rws.jsn.encode({})`:        `did you mean "json"?`,
		`rws.json.encod({})`:        `did you mean "encode"?`,
		`rws.regex("x"):mtach("x")`: `did you mean "match"?`,
	} {
		p := newApp(t, `app:get("/", function(c) `+source+` end)`, nil)
		if a := do(t, p, "GET /", luabind.Call{Header: map[string]string{"Accept": "text/html"}}); a.Status != 500 || !strings.Contains(html.UnescapeString(string(a.Body)), want) {
			t.Errorf("%s: %d: no %s in %s", source, a.Status, want, a.Body)
		}
	}
}

func TestSecretsInTablesAreNotLogged(t *testing.T) {
	for _, format := range []logs.Format{logs.JSON, logs.Pretty} {
		var out bytes.Buffer
		o := luabind.Options{File: "app.lua", Dir: t.TempDir(), Source: `rws.log.info("x", { password = "hush", t = { password = "hush", n = 1, l = { { api_key = "hush" } } } })`}
		o.Logger = func(*luabind.Config) *slog.Logger { return logs.New(&out, logs.Options{Format: format}) }
		p, err := luabind.Load(o)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close(t.Context())
		if got := out.String(); strings.Contains(got, "hush") || strings.Count(got, "[redacted]") != 3 || !strings.Contains(got, `"n":1`) {
			t.Error(got)
		}
	}
}

func TestHandlersCannotChangeTheLibrary(t *testing.T) {
	for body, want := range map[string]string{
		`string.rep = nil`:                            "string.rep can't be set",
		`rws.http = nil`:                              "rws.http can't be set",
		`rws.json.encode = print`:                     "rws.json.encode can't be set",
		`os.clock = nil`:                              "os.clock can't be set",
		`local s = string s.format = nil`:             "string.format can't be set",
		`env.HOME = 1`:                                "env.HOME can't be set",
		`string = nil`:                                "string can't be set",
		`print = nil`:                                 "print can't be set",
		`rawset(string, "rep", nil)`:                  "string.rep can't be set",
		`local function f() table.sort = nil end f()`: "table.sort can't be set",
	} {
		_, err := load(t, "app:get('/', function(c)\n"+body+"\nend)", nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "app.lua:2: ") {
			t.Errorf("%s: %v", body, err)
		}
	}
	for body, want := range map[string]string{
		`_G['str' .. 'ing'].trim = print`:                  "string.trim can't be set once the script has loaded",
		`_G['rw' .. 's'].mine = 1`:                         "rws.mine can't be set once the script has loaded",
		`_G['en' .. 'v'].NEW_NAME = 1`:                     "env.NEW_NAME can't be set",
		`getmetatable("").__index = nil`:                   "the metatable of strings",
		`getmetatable("").__index = {}`:                    "the metatable of strings",
		`rawset(_G, "zzz", 1)`:                             "a global can't be set once the script has loaded",
		`local s = _G["str" .. "ing"] rawset(s, 1, 2)`:     "rawset: string.1 can't be set",
		`setmetatable(string, {})`:                         "protected metatable",
		`debug.setmetatable("", {})`:                       "debug.setmetatable",
		`for k in pairs(string) do string[k] = nil end`:    "can't be set once the script has loaded",
		`require("rws").sleep = 3`:                         "rws.sleep can't be set",
		`require("string").upper = 3`:                      "string.upper can't be set",
		`loadstring("table.insert = nil")()`:               "table.insert can't be set",
		`loadstring("string = nil")()`:                     "string can't be set",
		`table.remove(string)`:                             "table.remove: string can't be set",
		`table.insert(rws.json, 1)`:                        "table.insert: rws.json can't be set",
		`table.sort(env)`:                                  "table.sort: env can't be set",
		`_G['en' .. 'v'].PATH = nil`:                       "env.PATH can't be set: the environment belongs to all requests",
		`rws.array(string)`:                                "rws.array: string can't be set",
		`setmetatable(rws, nil)`:                           "protected metatable",
		`setmetatable({}, { __newindex = rws }).sleep = 1`: "rws.sleep can't be set",
		`_G["pr" .. "int"] = nil`:                          "print can't be set",
	} {
		p := newApp(t, "function string.twice(s) return s .. s end app:get('/', function(c)\n"+body+"\nend) app:get('/fine', function() return getmetatable('').__index.upper(('a'):twice()) .. tostring(env.PATH == nil) end)", nil)
		if a := do(t, p, "GET /"); a.Status != 500 || !strings.Contains(string(a.Body), want) {
			t.Errorf("%s: %s", body, summary(a))
		}
		if a := do(t, p, "GET /fine"); !strings.HasPrefix(string(a.Body), "AA") {
			t.Errorf("after %s: %s", body, summary(a))
		}
	}
}

func TestMistakesOfSpecsAreAtTheirOwnLine(t *testing.T) {
	for source, want := range map[string]string{
		"app:post('/', {\n  query = { a = 'int' },\n  body = {\n    title = 'string 1..5',\n    n = 'itn',\n  },\n}, function() end)": "app.lua:5: ",
		"app:post('/', {\n  query = { n = 'int' },\n  body = {\n    n = 'itn' } }, function() end)":                                   "app.lua:4: ",
		"app:post('/', {\n  body = {\n    user = {\n      ['first name'] = 'strin' } } }, function() end)":                            "app.lua:4: ",
		"app:post('/', {\n  body = { a = 'int' },\n  timout = '1s' }, function() end)":                                                "app.lua:3: ",
		"local s = { body = {\n a = 'itn' } }\napp:post('/', s, function() end)":                                                      "app.lua:3: ",
	} {
		_, err := load(t, source, nil)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestWhatCannotBeMeantIsRefusedAtLoad(t *testing.T) {
	for source, want := range map[string]string{
		`app:post("/", { upload = { a = "int" } }, function() end)`:      "an upload has files only",
		`app:post("/", { upload = { a = "[string]" } }, function() end)`: "an upload has files only",
		`app:get("/", { body = { a = "int" } }, function() end)`:         "a GET request has no body",
		`app:head("/", { form = { a = "int" } }, function() end)`:        "a HEAD request has no body",
		`app:host("exa mple")`:                        `host "exa mple" is not a name`,
		`app:host("http://a")`:                        "leave out the scheme",
		`app:host("a.com:80")`:                        `leave out ":80", as in "a.com"`,
		`app:host("[::1]:80")`:                        `leave out ":80"`,
		`app:host("")`:                                "the host is empty",
		`app:config { metrics = { path = "/m" } }`:    `app:metrics("/m")`,
		`app:config { access_log = { format = "" } }`: "the setting access_log.format (app:config): it is empty",
		`app:config { fs = { alow = {} } }`:           `did you mean "fs.allow"?`,
		`app:config { fs = { allow = { "/nope" } } }`: `"/nope": stat /nope: no such file`,
		`app:static("/x", "nope")`:                    "app:static: stat",
	} {
		_, err := load(t, source, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", source, err)
		}
	}
	for _, source := range []string{`app:post("/", { upload = { a = "file", b = "[file]?" } }, function() end)`, `app:host("*.example.com")`, `app:host("[::1]")`, `app:config { metrics = { path = "/m", listen = "127.0.0.1:9100" } }`, `app:config { fs = { allow = {} } }`} {
		if _, err := load(t, source, nil); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestRequireKnowsTheLibrariesOfLua(t *testing.T) {
	newApp(t, `for _, name in ipairs { "string", "os", "table", "math", "coroutine" } do assert(require(name) == _G[name]) end
		assert(require("marked") == 7 and require("run") == 8)`, map[string]string{"marked.lua": "\uFEFFreturn 7", "run.lua": "#!/usr/bin/env rws\nreturn 8"})
}

func TestALockIsNotTakenTwice(t *testing.T) {
	p := newApp(t, `
		app:get("/", function() rws.lock("a", function() rws.lock("a", function() end) end) end)
		app:get("/parallel", function() rws.lock("a", function() rws.parallel(function() rws.lock("a", function() end) end) end) end)
		app:get("/deep", function() rws.lock("a", function() rws.race(function() pcall(rws.parallel, function() rws.sleep("1ms") end) rws.lock("a", function() end) end) end) end)
		app:get("/update", function() app.shared:update("k", function() app.shared:update("k", function() end) end) end)
		app:get("/fine", function()
			rws.lock("a", function() rws.lock("b", function() end) end)
			rws.parallel(function() rws.lock("a", function() rws.sleep("1ms") end) end, function() rws.lock("a", function() end) end)
			rws.lock("a", function() rws.parallel(function() rws.lock("b", function() end) end, function() rws.lock("b", function() end) end) end)
			return "fine"
		end)`, nil)
	for _, path := range []string{"/", "/parallel", "/deep", "/update"} {
		if a := do(t, p, "GET "+path); a.Status != 500 || !strings.Contains(string(a.Body), "already held by this request") {
			t.Error(summary(a))
		}
	}
	if a := do(t, p, "GET /fine"); string(a.Body) != "fine" {
		t.Error(summary(a))
	}
}

func TestRedirectsGoToPages(t *testing.T) {
	p := newApp(t, `app:get("/", function(c) return c:redirect(c.query.to) end)`, nil)
	for to, want := range map[string]int{
		"/a": 302, "a?b=c:d": 302, "https://x.example/": 302, "HTTP://x": 302, "//x/y": 302, "?a=b:c": 302, "./a:b": 302,
		"javascript:alert(1)": 500, "JavaScript:alert(1)": 500, "data:text/html,x": 500, "file:///etc": 500,
	} {
		if a := do(t, p, "GET /?to="+url.QueryEscape(to)); a.Status != want {
			t.Errorf("%s: %s", to, summary(a))
		}
	}
}
