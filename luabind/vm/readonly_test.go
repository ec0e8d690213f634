package vm_test

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/vm"
)

// held is a script with values that a console must not change; changed() says whether one was.
const held = `
	local n, t, list = 0, { x = 1 }, { 2, 1 }
	declared = 1
	function write() n = n + 1 end
	function write_global() declared = 2 end
	function set(k) t[k or "x"] = 2 end
	function nested() return (function() return function() n = 1 end end)()() end
	table_of = function() return t end
	list_of = function() return list end
	every = coroutine.wrap(function() while true do coroutine.yield(n) n = n + 1 end end)
	going = coroutine.create(function() coroutine.yield() n = 1 end)
	coroutine.resume(going)
	Class = setmetatable({}, {
		__index = function(_, k) n = 1 return k end, __newindex = function(_, k, v) t[k] = v end,
		__call = function() n = 1 end, __add = function() n = 1 return 1 end, __concat = function() n = 1 return "" end,
		__eq = function() n = 1 return true end, __lt = function() n = 1 return true end, __le = function() n = 1 return true end,
		__unm = function() n = 1 return 1 end, __len = function() n = 1 return 1 end,
		__tostring = function() n = 1 return "" end, __pairs = function() n = 1 return {} end,
	})
	Other = setmetatable({}, getmetatable(Class))
	sink = setmetatable({}, { __newindex = t })
	function Memo() local cache = {} return function(k) cache[k] = cache[k] or 1 return cache[k] end end
	function sum(values) local s = 0 for _, v in ipairs(values) do s = s + v end return s end
	function counter() local at = 0 return function() at = at + 1 return at end end
	function object() local C = {} C.__index = C function C:set(v) self.v = v return self end return setmetatable({}, C):set(3).v end
	function changed() return not (n == 0 and t.x == 1 and t.y == nil and next(t, "x") == nil and list[1] == 2 and #list == 2 and declared == 1 and getmetatable(t) == nil) end
`

// console runs a line in a run that is read-only.
func console(t *testing.T, i *vm.Isolate, line string) error {
	t.Helper()
	return i.Do(&vm.Run{ReadOnly: true}, func(L *lua.LState) error {
		fn, err := L.Load(strings.NewReader(line), "repl")
		if err != nil {
			return err
		}
		_, err = vm.Call(L, fn)
		return err
	})
}

func TestAReadOnlyRunRefusesToWriteWhateverWay(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	compile(t, i, held+` return print`)
	run(t, i, func(L *lua.LState) error { i.Seal(L); return nil })
	for _, line := range []string{
		`write()`, `write_global()`, `set()`, `set("y")`, `nested()`, `declared = 3`, `table_of().x = 2`, `table_of()[1] = 2`, `list_of()[1] = 5`,
		`assert(pcall(write))`, `local ok, e = pcall(write) assert(not ok) error(e, 0)`, `local ok, e = xpcall(write, tostring) assert(not ok) error(e, 0)`,
		`coroutine.wrap(write)()`, `assert(coroutine.resume(coroutine.create(write)))`, `coroutine.wrap(function() pcall(write) write() end)()`,
		`every()`, `assert(coroutine.resume(going))`, `for _ in every do break end`,
		`string.gsub("x", "x", write)`, `string.gsub("x", "x", Class)`, `table.sort({ 2, 1 }, write)`, `for _ in write do end`,
		`return Class.x`, `Class.x = 1`, `rawset(Class, "x", 1)`, `Class()`, `return Class + 1`, `return Class .. ""`, `return Class == Other`,
		`return Class < Other`, `return Class <= Other`, `return -Class`, `return tostring(Class)`, `for _ in pairs(Class) do end`,
		`setmetatable({}, { __index = write })[1] = nil return setmetatable({}, { __index = write }).x`,
		`setmetatable({}, getmetatable(Class)).x = 1`, `sink.x = 2`, `sink.y = 2`, `setmetatable({}, { __newindex = table_of() }).y = 1`,
		`setmetatable({ x = 1 }, { __newindex = table_of() }).x = 1 setmetatable({}, { __newindex = setmetatable({}, { __newindex = table_of() }) }).y = 1`,
		`table.insert(list_of(), 3)`, `table.remove(list_of())`, `table.sort(list_of())`, `rawset(table_of(), "y", 1)`, `setmetatable(table_of(), {})`,
		`setfenv(write, {})`, `getfenv(1).declared = 2`, `_G.declared = 2`, `local f = write local g = function() f() end g()`,
		`Memo()("a") local m = {} m.x = 1 table_of()[m] = 1`,
	} {
		if err := console(t, i, line); err == nil || !strings.Contains(err.Error(), "read-only") && !strings.Contains(err.Error(), "protected") {
			t.Errorf("%s: %v", line, err)
		}
	}
	if err := console(t, i, `assert(not changed())`); err != nil {
		t.Errorf("something was changed: %v", err)
	}
}

func TestAReadOnlyRunMayChangeWhatItMakes(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	compile(t, i, held+` return print`)
	for _, line := range []string{
		`assert(sum { 1, 2 } == 3)`, `local c = counter() c() assert(c() == 2)`, `assert(object() == 3)`, `local m = Memo() m("a") assert(m("a") == 1)`,
		`local t = {} t.x = 1 t[1] = 2 table.insert(t, 3) table.sort(t) assert(table.remove(t) == 3 and t.x == 1)`,
		`local n = 0 local function up() n = n + 1 end pcall(up) coroutine.wrap(up)() string.gsub("x", "x", up) assert(n == 3)`,
		`local co = coroutine.wrap(function() local t = {} for i = 1, 2 do t[i] = i coroutine.yield(t) end end) co() assert(#co() == 2)`,
		`local seen = {} setmetatable({}, { __newindex = function(_, k, v) seen[k] = v end }).a = 1 assert(seen.a == 1)`,
		`local t = setmetatable({}, { __newindex = setmetatable({}, {}) }) t.x = 1 assert(rawget(t, "x") == nil)`,
		`local function fib(k) if k < 2 then return k end return fib(k - 1) + fib(k - 2) end assert(fib(12) == 144)`,
		`local fs = {} for k = 1, 3 do fs[k] = function() k = k + 1 return k end end assert(fs[1]() == 2 and fs[1]() == 3 and fs[2]() == 3)`,
	} {
		if err := console(t, i, line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if n, err := number(t, compile(t, i, `return function() write() return changed() and 1 or 0 end`), &vm.Run{}, 0); n != 1 || err != nil {
		t.Errorf("a run after it: %d, %v", n, err)
	}
}

func TestARefusedWriteNamesItsPlace(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	compile(t, i, "local n = 0\nfunction write()\n  n = 1\nend return print")
	if err := console(t, i, `write()`); err == nil || !strings.Contains(err.Error(), `app.lua:3: this console is read-only: it can't change the local "n"`) {
		t.Errorf("got %v", err)
	}
	if err := console(t, i, `rawget(_G, "string")["%d"] = 1`); err == nil || !strings.Contains(err.Error(), `the field "%d"`) {
		t.Errorf("got %v", err)
	}
}
