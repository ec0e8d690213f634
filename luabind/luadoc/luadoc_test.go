package luadoc_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"rws/luabind/luadoc"
)

func faces(t testing.TB) *luadoc.Package {
	t.Helper()
	p, err := luadoc.ParseFS(os.DirFS("testdata/faces"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parse(files ...string) (*luadoc.Package, error) {
	fsys := fstest.MapFS{}
	for i, src := range files {
		fsys[string(rune('a'+i))+".lua"] = &fstest.MapFile{Data: []byte(src)}
	}
	return luadoc.ParseFS(fsys)
}

func lookup[T luadoc.Symbol](t *testing.T, p *luadoc.Package, name string) T {
	t.Helper()
	s, _ := p.Lookup(name)
	found, ok := s.(T)
	if !ok {
		t.Fatalf("looking up %s: got %T, want %T", name, s, found)
	}
	return found
}

func TestAFunctionIsReadWhole(t *testing.T) {
	got := lookup[*luadoc.Function](t, faces(t), "app:get")
	want := luadoc.Function{
		Doc: luadoc.Doc{
			Name: "rws.App:get",
			Pos:  luadoc.Pos{File: "app.lua", Line: 25},
			Text: got.Text,
			Examples: []luadoc.Example{{
				Code: "app:get(\"/hello/:name\", function(c)\n  return \"hello \" .. c.params.name\nend)\n",
				Pos:  luadoc.Pos{File: "app.lua", Line: 16},
			}},
			See:  []string{"app:post"},
			Meta: true,
		},
		Owner: "rws.App", Member: "get", Method: true, Call: "app:get",
		Params: []luadoc.Param{
			{Name: "path", Type: "string", Text: "must start with a slash; parameters as `:name`, a rest of the path as `*rest`"},
			{Name: "...", Type: "rws.Handler|rws.Middleware|rws.Spec", Text: "middleware and a spec may come before the handler"},
		},
		Returns: []luadoc.Return{{Type: "rws.Route", Name: "route"}},
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(got.Text, "Answers GET requests.\n\nA parameter of the path") {
		t.Errorf("text: %q", got.Text)
	}
}

func TestFlagsOverloadsAndGenerics(t *testing.T) {
	p := faces(t)
	one := lookup[*luadoc.Function](t, p, "db:one")
	if !one.Async || one.NoDiscard || !slices.Equal(one.Generics, []string{"T"}) ||
		!slices.Equal(one.Overloads, []string{"fun(self, sql: string): table?"}) {
		t.Errorf("db:one: %+v", one)
	}
	want := []luadoc.Return{{Type: "table<string, any>?", Name: "row", Text: "nil when no row matches"}}
	if diff := cmp.Diff(want, one.Returns); diff != "" {
		t.Error(diff)
	}
	if first := lookup[*luadoc.Function](t, p, "db:first"); !first.Deprecated || first.Reason != "use db:one" {
		t.Errorf("db:first: %+v", first)
	}
	if json := lookup[*luadoc.Function](t, p, "c:json"); !json.NoDiscard || json.Async || !json.Params[1].Optional {
		t.Errorf("c:json: %+v", json)
	}
	encode := lookup[*luadoc.Function](t, p, "rws.json.encode")
	if diff := cmp.Diff([]luadoc.Return{{Type: "string", Text: "the text"}}, encode.Returns); diff != "" {
		t.Error(diff)
	}
}

func TestFieldsAndAliases(t *testing.T) {
	p := faces(t)
	timeout := lookup[*luadoc.Field](t, p, "rws.Spec.timeout")
	if !timeout.Optional || timeout.Type != "string" || timeout.Text != "How long a request may take.\na duration, such as \"2s\"" {
		t.Errorf("timeout: %+v", timeout)
	}
	if null := lookup[*luadoc.Field](t, p, "rws.null"); null.Type != "userdata" || null.Text != "The explicit null." {
		t.Errorf("rws.null: %+v", null)
	}
	method := lookup[*luadoc.Alias](t, p, "rws.Method")
	want := []luadoc.Value{{Type: `"GET"`, Text: "reads"}, {Type: `"POST"`, Text: "changes"}}
	if diff := cmp.Diff(want, method.Values); diff != "" {
		t.Error(diff)
	}
	if m := lookup[*luadoc.Alias](t, p, "rws.Middleware"); m.Type != "fun(c: rws.Context, next: fun(): rws.Response): any" {
		t.Errorf("rws.Middleware is %q", m.Type)
	}
}

func TestExamplesKnowTheirLine(t *testing.T) {
	got := lookup[*luadoc.Function](t, faces(t), "rws.json.encode").Examples
	want := []luadoc.Example{
		{Code: "local text = rws.json.encode { a = 1 }\nassert(text == '{\"a\":1}')\n", Pos: luadoc.Pos{File: "json.lua", Line: 9}},
		{Code: "rws.json.encode(1)\n", Info: "no-run", Pos: luadoc.Pos{File: "json.lua", Line: 15}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnImplementationShowsOnlyItsFace(t *testing.T) {
	p := faces(t)
	var got []string
	for _, m := range p.Members("rws.slug") {
		got = append(got, m.Head().Name)
	}
	if want := []string{"rws.slug.make", "rws.slug.max"}; !slices.Equal(got, want) {
		t.Errorf("members: %v, want %v", got, want)
	}
	if make := lookup[*luadoc.Function](t, p, "rws.slug.make"); make.Meta {
		t.Error("a file without ---@meta counts as implemented in Go")
	}
	if max := lookup[*luadoc.Field](t, p, "rws.slug.max"); max.Type != "number" {
		t.Errorf("rws.slug.max is %q", max.Type)
	}
}

func TestLookup(t *testing.T) {
	p := faces(t)
	for name, want := range map[string]string{
		"app:get": "rws.App:get", "app.get": "rws.App:get", "rws.App.get": "rws.App:get", "App:get": "rws.App:get",
		"db.one": "rws.Db:one", "rws.json.encode": "rws.json.encode", "rws.json:encode": "rws.json.encode",
		"rws.json": "rws.json", "rws.App": "rws.App", "app": "rws.App", "c.path": "rws.Context.path",
		"c:unset":           "rws.Message:unset", // inherited
		"c.headers":         "rws.Message.headers",
		"c.session.renew":   "rws.Session:renew", // through the type of a field
		"context.session":   "rws.Context.session",
		"rws.sleep":         "rws.sleep",
		" rws.Method ":      "rws.Method",
		"rws.Spec[integer]": "rws.Spec[integer]", "rws.nothing": "", "nothing": "", "": "", ".": "", "app.get.x": "", "rws.Method.x": "",
	} {
		s, ok := p.Lookup(name)
		got := ""
		if ok {
			got = s.Head().Name
		}
		if got != want {
			t.Errorf("Lookup(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestMembers(t *testing.T) {
	p := faces(t)
	for class, want := range map[string]string{
		"rws.Context": "path session json headers unset",
		"c":           "path session json headers unset",
		"rws":         "json null sleep slug",
		"rws.json":    "encode",
		"app":         "get db",
		"nothing":     "",
	} {
		var got []string
		for _, m := range p.Members(class) {
			name := m.Head().Name
			got = append(got, name[strings.LastIndexAny(name, ".:")+1:])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("Members(%q) = %v, want %s", class, got, want)
		}
	}
}

func TestAChildReplacesWhatItInherits(t *testing.T) {
	p, err := parse("---@class A: B\n---@field x string\n\n---@class B: A\n---@field x number\n---@field y number\n")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range p.Members("A") {
		got = append(got, m.Head().Name)
	}
	if want := []string{"A.x", "B.y"}; !slices.Equal(got, want) {
		t.Errorf("members: %v, want %v", got, want)
	}
}

func TestSuggest(t *testing.T) {
	p := faces(t)
	for name, want := range map[string]string{
		"app:gte": "app:get", "rws.json.encod": "rws.json.encode", "encode": "rws.json.encode", "db.on": "db:one",
		"rws.jsn.encode": "rws.json.encode", "c.sesion": "c.session", "rws.Metod": "rws.Method", "zzzzzz": "", "": "",
	} {
		got := p.Suggest(name)
		if want == "" && len(got) > 0 || want != "" && !slices.Contains(got, want) {
			t.Errorf("Suggest(%q) = %v, want %q", name, got, want)
		}
		if len(got) > 3 {
			t.Errorf("Suggest(%q) gives %d names", name, len(got))
		}
	}
}

func TestMistakesAreErrorsWithTheirPlace(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"---@parm x string\nfunction f(x) end", "a.lua:1: unknown tag @parm: did you mean param?"},
		{"---@param y string\nfunction f(x) end", "a.lua:1: @param y is no parameter of f(x)"},
		{"---@param pth string\nfunction f(path) end", "did you mean path?"},
		{"---@param x string\n---@param x string\nfunction f(x) end", "a.lua:2: @param x is there twice"},
		{"---@param x\nfunction f(x) end", "a.lua:1: @param x: a type is missing"},
		{"---@param x table<string\nfunction f(x) end", "a.lua:1: @param x: a type is missing or not closed"},
		{"---@param 9 string\nfunction f(x) end", `a.lua:1: @param: "9" is no name`},
		{"\n---@param x string\n\nfunction f(x) end", "a.lua:2: @param belongs to a function, but none follows"},
		{"---@return string\nlocal x = 1", "a.lua:1: @return belongs to a function"},
		{"---@return\nfunction f() end", "a.lua:1: @return: a type is missing"},
		{"---@overload string\nfunction f() end", "a.lua:1: @overload wants fun(…)"},
		{"---@overload fun()\n", "a.lua:1: @overload belongs to a function or a class"},
		{"---@async yes\nfunction f() end", `a.lua:1: @async takes nothing, got "yes"`},
		{"---@generic 1\nfunction f() end", "a.lua:1: @generic wants a name"},
		{"---@type string\nfunction f() end", "a.lua:1: @type belongs to a variable"},
		{"---@field x string\n", "a.lua:1: @field outside a class"},
		{"---@class A\n---@field x\n", "a.lua:2: @field x: a type is missing"},
		{"---@class A\n---@field x string\n---@field x string\n", "a.lua:3: A.x is declared at a.lua:2 too"},
		{"---@class A\n\n---@class A\n", "a.lua:3: A is declared at a.lua:1 too"},
		{"---@class A B\n", "a.lua:1: @class \"A B\""},
		{"---@class A: <\n", "a.lua:1: @class A: the parent \"<\""},
		{"function a.f() end\n\nfunction a:f() end", "a.lua:3: a:f is declared at a.lua:1 too"},
		{"---@alias A string\n\n---@class A\n", "A is declared at a.lua:"},
		{"---@alias 1 string", "a.lua:1: @alias: \"1\" is no name"},
		{"---@alias A\n---| <\n", "a.lua:2: @alias A: a type is missing"},
		{"---@class A\nfunction f() end", "a.lua:2: function f follows ---@class A"},
		{"---@class A\n---@private\nlocal A = {}", "@private belongs to a function or a field"},
		{"---@meta\nlocal M = {}\nfunction M.f() end", "a.lua:3: function M.f belongs to a local table: write ---@class"},
		{"app = {} ---@type rws.App", "a.lua:1: @type after code: write it on the line before"},
		{"---text\n---```lua\n---x = 1\nfunction f() end", "a.lua:3: a code block is not closed"},
	} {
		p, err := parse(c.src)
		if err == nil || !strings.Contains(err.Error(), c.want) || p != nil {
			t.Errorf("%q:\n got %v\nwant %s", c.src, err, c.want)
		}
	}
}

func TestAllMistakesAreReported(t *testing.T) {
	_, err := parse("---@foo\n\n---@bar\n", "---@baz\n")
	for _, want := range []string{"a.lua:1:", "a.lua:3:", "b.lua:1:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
}

func TestFacesThatAreSpreadAndOdd(t *testing.T) {
	p, err := parse(`---@meta
---@type rws.App
app = {}

---Declared on the global itself.
function app:host(name,
                  fn) end

---@class rws.regex
---@overload fun(pattern: string): rws.Regex
rws.regex = {}

rws.regex.escape = function(text) end

---@param value string|integer|fun(a: string, ...: any): string, integer   the value
---@param mode "a" | 'b # c' | `+"`T`"+` # how
---@return boolean ok, whatever
---@return (string|number)[]? list # the list
function rws.many(value, mode) end
`, "---@meta\n---@class rws.App\n", "---@class rws.Regex\n")
	if err != nil {
		t.Fatal(err)
	}
	host := lookup[*luadoc.Function](t, p, "app.host")
	if host.Owner != "rws.App" || host.Call != "app:host" || len(host.Params) != 2 || host.Params[1].Name != "fn" {
		t.Errorf("app:host: %+v", host)
	}
	lookup[*luadoc.Function](t, p, "rws.regex.escape")
	if c := lookup[*luadoc.Class](t, p, "rws.regex"); !slices.Equal(c.Calls, []string{"fun(pattern: string): rws.Regex"}) {
		t.Errorf("rws.regex can be called as %v", c.Calls)
	}
	many := lookup[*luadoc.Function](t, p, "rws.many")
	wantParams := []luadoc.Param{
		{Name: "value", Type: "string|integer|fun(a: string, ...: any): string, integer", Text: "the value"},
		{Name: "mode", Type: "\"a\" | 'b # c' | `T`", Text: "how"},
	}
	wantReturns := []luadoc.Return{
		{Type: "boolean", Text: "ok, whatever"},
		{Type: "(string|number)[]?", Name: "list", Text: "the list"},
	}
	if diff := cmp.Diff(wantParams, many.Params); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantReturns, many.Returns); diff != "" {
		t.Error(diff)
	}
}

func TestUndefinedTypesAreFound(t *testing.T) {
	if errs := faces(t).Undefined(); len(errs) > 0 {
		t.Errorf("the faces name types that are not there: %v", errs)
	}
	p, err := parse("---@class rws.App: rws.Bas\n\n---@class rws.Base\n\n---@param x string|rws.Nothing[]\nfunction f(x) end\n")
	if err != nil {
		t.Fatal(err)
	}
	got := p.Undefined()
	want := []string{
		"a.lua:1: rws.App: the type rws.Bas is not declared: did you mean rws.Base?",
		"a.lua:6: f: the type rws.Nothing is not declared",
	}
	if len(got) != 2 || got[0].Error() != want[0] || got[1].Error() != want[1] {
		t.Errorf("got %v\nwant %v", got, want)
	}
}
