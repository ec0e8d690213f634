package vm_test

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/vm"
)

func TestTheLibraryCannotBeChanged(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	run(t, i, func(L *lua.LState) error { i.Prepared(L); return nil })
	compile(t, i, `mine = 1 string.trim = function(s) return s end kept = setmetatable({}, { __newindex = string }) return print`)
	run(t, i, func(L *lua.LState) error { i.Seal(L); return nil })
	for _, source := range []string{
		`for k in pairs(string) do string[k] = nil end`, `_G["str" .. "ing"] = nil`, `local s = string s.format = nil`, `string = nil`, `print = nil`,
		`loadstring("table.insert = nil")()`, `loadstring("print = nil")()`, `local name = "insert" table[name] = nil`, `table.remove(string)`,
		`table.insert(string, 1)`, `table.sort(string)`, `rawset(string, "rep", nil)`, `rawset(_G, "x", 1)`, `table.insert(_G, 1)`,
		`setmetatable(string, {})`, `setmetatable(_G, nil)`, `("").format = 1`, `getmetatable("").__index = {}`, `getmetatable("").__index.format = 1`,
		`kept.format = nil`, `setmetatable({}, { __newindex = string }).format = nil`, `local e = setmetatable({}, { __newindex = _G }) setfenv(1, e) print = nil`,
		`setmetatable({}, { __newindex = setmetatable({}, { __newindex = math }) }).pi = 3`, `string.trim = nil`, `function string.rep() end`, `getfenv(0).print = nil`,
	} {
		fn := compile(t, i, "return function() "+source+" end")
		if _, err := number(t, fn, &vm.Run{}, 0); err == nil || !strings.Contains(err.Error(), "can't be set") && !strings.Contains(err.Error(), "protected") &&
			!strings.Contains(err.Error(), "non-table") {
			t.Errorf("%s: %v", source, err)
		}
	}
	for _, source := range []string{
		`assert(("x"):rep(2) == "xx" and string.format("%d", 1) == "1" and string.trim("a") == "a" and math.pi > 3.1)`, `mine = 2 _G.mine = 3 _G["mi" .. "ne"] = 4 assert(mine == 4)`,
		`local n = 0 for _ in pairs(string) do n = n + 1 end assert(n > 10 and next(string))`, `local t = setmetatable({}, { __index = string }) t.format = 1 assert(t.format == 1)`,
		`setfenv(0, {})`, `assert(getfenv(0) == _G)`,
	} {
		if _, err := number(t, compile(t, i, "return function() "+source+" return 1 end"), &vm.Run{}, 0); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}
