package inspect_test

import (
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"rws/luabind/inspect"
)

func parsed(t testing.TB, script string) []ast.Stmt {
	t.Helper()
	chunk, err := parse.Parse(strings.NewReader(script), "app.lua")
	if err != nil {
		t.Fatal(err)
	}
	return chunk
}

func compiled(t testing.TB, script string) *lua.FunctionProto {
	t.Helper()
	p, err := lua.Compile(parsed(t, script), "app.lua")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestGlobalsAreListedWithPlaceAndUse(t *testing.T) {
	got := inspect.Globals(compiled(t, "x = 1\nlocal l = x + x\nfunction f()\n  y = x\n  return function() return print(l) end\nend\n"))
	want := []inspect.Global{
		{Name: "x", File: "app.lua", Line: 1, Write: true},
		{Name: "x", File: "app.lua", Line: 2},
		{Name: "f", File: "app.lua", Line: 3, Write: true},
		{Name: "x", File: "app.lua", Line: 4, InFunction: true},
		{Name: "y", File: "app.lua", Line: 4, Write: true, InFunction: true},
		{Name: "print", File: "app.lua", Line: 5, InFunction: true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUndeclared(t *testing.T) {
	known := func(name string) bool { return name == "print" || name == "app" }
	for _, c := range []struct {
		name, script string
		want         []string
	}{
		{"known", `print(app)`, nil},
		{"misspelt", `prnit(1)`, []string{"prnit"}},
		{"misspelt in a function", `function f() return function() prnit(1) end end`, []string{"prnit"}},
		{"declared later", `function f() return count end count = 1`, nil},
		{"a local forgotten", `function f() count = 1 end`, []string{"count"}},
		{"reading what a function assigns", `function f() count = 1 end print(count)`, []string{"count"}},
		{"declared, assigned in a function", `count = 0 function f() count = 1 end`, nil},
		{"a known name assigned in a function", `function f() print = 1 end`, nil},
		{"locals and parameters", `local a = 1 function f(b) a = b local c = a return c end`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, g := range inspect.Undeclared(compiled(t, c.script), known) {
				got = append(got, g.Name)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q in %s", got, c.want, c.script)
			}
		})
	}
}
