package inspect_test

import (
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/inspect"
)

func TestTopLocals(t *testing.T) {
	got := inspect.TopLocals(parsed(t, "local a, b = 1\ndo local inner = 2 end\nlocal function f(x) local y end\nfor i = 1, 2 do local z end\nlocal a\nglobal = 1\n"))
	want := []inspect.Local{{"a", 1}, {"b", 1}, {"f", 3}, {"a", 5}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// captured runs the script, which hands functions to handle, and returns the cells they
// hold.
func captured(t *testing.T, script string) (*lua.LState, []*lua.LFunction, map[string][]inspect.Cell) {
	t.Helper()
	L := lua.NewState()
	t.Cleanup(L.Close)
	var fns []*lua.LFunction
	L.SetGlobal("handle", L.NewFunction(func(L *lua.LState) int { fns = append(fns, L.CheckFunction(1)); return 0 }))
	main, err := L.Load(strings.NewReader(script), "app.lua")
	if err != nil {
		t.Fatal(err)
	}
	L.Push(main)
	if err := L.PCall(0, 0, nil); err != nil {
		t.Fatal(err)
	}
	return L, fns, inspect.Captured(fns, main.Proto)
}

func TestAssigningACapturedCellChangesWhatTheHandlerSees(t *testing.T) {
	L, fns, cells := captured(t, "local count = 1\nhandle(function() return count end)\nhandle(function() count = count + 1 end)")
	if len(cells["count"]) != 1 {
		t.Fatalf("got %v", cells)
	}
	c := cells["count"][0]
	if c.Value() != lua.LNumber(1) || c.File != "app.lua" || c.Line != 3 || !c.Top {
		t.Errorf("got %v at %s:%d, top %v", c.Value(), c.File, c.Line, c.Top)
	}
	c.SetValue(lua.LNumber(100))
	L.Push(fns[0])
	L.Call(0, 1)
	if got := L.Get(-1); got != lua.LNumber(100) {
		t.Errorf("the handler sees %v", got)
	}
}

func TestCellsAreFoundHoweverNested(t *testing.T) {
	for name, script := range map[string]string{
		"directly":             `local x = 1 handle(function() return x end)`,
		"by a nested function": `local x = 1 handle(function() return function() return x end end)`,
		"by a local function":  `local x = 1 local function f() return x end handle(function() return f() end)`,
		"in a table":           `local x = 1 local M = {a = {f = function() return x end}} handle(function() return M end)`,
		"in a metatable":       `local x = 1 local M = setmetatable({}, {__index = function() return x end}) handle(function() return M end)`,
		"over a cycle":         `local x = 1 local M = {} M.M = M local f, g function f() return M, g, x end function g() return f end handle(function() return g end)`,
	} {
		t.Run(name, func(t *testing.T) {
			_, _, cells := captured(t, script)
			if list := cells["x"]; len(list) != 1 || list[0].Value() != lua.LNumber(1) || !list[0].Top {
				t.Errorf("got %v in %s", list, script)
			}
		})
	}
}

func TestTopLevelCellsArePreferred(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         []int // values of the cells named x
		top          []bool
	}{
		{"over a function's", "local function make() local x = 1 return function() return x end end\nlocal x = 2\nhandle(function() return x end)\nhandle(make())", []int{2, 1}, []bool{true, false}},
		{"over a function's that captures in the chunk's", "local y = 0\nlocal function make() local x = 1 return function() return x + y end end\nlocal x = 2\nhandle(make())\nhandle(function() return function() return x end end)", []int{2, 1}, []bool{true, false}},
		{"over a block's before it", "do local x = 1\nhandle(function() return x end) end\nlocal x = 2\nhandle(function() return x end)", []int{2, 1}, []bool{true, true}},
		{"over the one it hides", "local x = 1\nhandle(function() return x end)\nlocal x = 2\nhandle(function() return x end)", []int{2, 1}, []bool{true, true}},
		{"one per call of a factory", "local function make(x) return function() return x end end\nhandle(make(1))\nhandle(make(2))", []int{1, 2}, []bool{false, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, cells := captured(t, c.script)
			var values []int
			var top []bool
			for _, cell := range cells["x"] {
				values = append(values, int(cell.Value().(lua.LNumber)))
				top = append(top, cell.Top)
			}
			if c.name == "one per call of a factory" {
				slices.Sort(values)
			}
			if !slices.Equal(values, c.want) || !slices.Equal(top, c.top) {
				t.Errorf("got %v %v, want %v %v", values, top, c.want, c.top)
			}
		})
	}
}

func TestWithoutTheChunkNoCellIsTop(t *testing.T) {
	_, fns, _ := captured(t, `local x = 1 handle(function() return x end)`)
	if list := inspect.Captured(fns)["x"]; len(list) != 1 || list[0].Top {
		t.Errorf("got %v", list)
	}
}
