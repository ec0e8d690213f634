package vm_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/vm"
)

// Every chunk asserts for itself.
func TestStringFunctions(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	for name, source := range map[string]string{
		"find":            `local a, b, c = ("hello world"):find("(o) w") assert(a == 5 and b == 7 and c == "o")`,
		"find plain":      `assert(("a.b"):find(".", 1, true) == 2)  assert(("a.b"):find("x") == nil)`,
		"find from":       `assert(("aXbX"):find("X", 3) == 4)  assert(("aXbX"):find("X", -1) == 4)`,
		"match":           `local y, m = ("2026-11"):match("^(%d+)-(%d+)$") assert(y == "2026" and m == "11") assert(("x"):match("%d") == nil)`,
		"match position":  `local p = ("abc"):match("()c") assert(p == 3)`,
		"gmatch":          `local n = 0 for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do n = n + v end assert(n == 3)`,
		"gsub string":     `local s, n = ("hello"):gsub("l", "[%0]") assert(s == "he[l][l]o" and n == 2)`,
		"gsub limit":      `assert(("aaa"):gsub("a", "b", 2) == "bba")`,
		"gsub table":      `assert(("$name $x"):gsub("%$(%w+)", { name = "ann" }) == "ann $x")`,
		"gsub function":   `assert(("abc"):gsub("%w", function(c) if c == "b" then return "B" end end) == "aBc")`,
		"gsub in gsub":    `assert(("ab"):gsub("%w", function(c) return (c:gsub(".", "<%0>")) end) == "<a><b>")`,
		"format":          `assert(("%d %s %5.2f %x %q %%"):format(3, nil, 1.5, 255, "a") == '3 nil  1.50 ff "a" %')`,
		"format, misfits": `for _, f in ipairs { "%d", "%y", "%s %s", "%" } do local ok, e = pcall(string.format, f, "x") assert(not ok and e:find("string.format", 1, true), f) end assert(not pcall(string.format, "%d", 1.5))`,
		"rep":             `assert(("ab"):rep(3) == "ababab" and ("ab"):rep(0) == "" and ("ab"):rep(-1) == "")`,
		"byte":            `local a, b = ("abc"):byte(2, -1) assert(a == 98 and b == 99 and ("abc"):byte() == 97 and ("abc"):byte(-1) == 99 and select("#", ("abc"):byte(9)) == 0 and select("#", ("abc"):byte(-9, 9)) == 3 and select("#", (""):byte(1, -1)) == 0)`,
		"unpack":          `local a, b, c = unpack({1, 2, nil, 4}, 2, 4) assert(a == 2 and b == nil and c == 4 and select("#", unpack({})) == 0 and select("#", unpack({}, -1, 1)) == 3)`,
		"concat":          `assert(table.concat({1, "b", 3}, "-", 1, 2) == "1-b")`,
		"hidden in pcall": `local ok, e = pcall(string.find, "a", "[") assert(not ok and e:find("malformed pattern", 1, true), e)`,
	} {
		t.Run(name, func(t *testing.T) {
			run(t, i, func(L *lua.LState) error {
				chunk, err := L.LoadString(source)
				if err != nil {
					return err
				}
				_, err = vm.Call(L, chunk)
				return err
			})
		})
	}
}

func TestBoundedFunctions(t *testing.T) {
	i := newIsolate(t, vm.Options{Stall: -1})
	for name, c := range map[string]struct{ source, want string }{
		"the 15-byte pattern": {`return function() return ("a"):rep(40):find("(.-)(.-)(.-)(.-)(.-)(.-)(.-)(.-)b") and 1 or 0 end`, ""},
		"rep":                 {`return function() return #("x"):rep(1e12) end`, "string.rep"},
		"concat":              {`return function() local s = ("x"):rep(1e6) local t = {} for k = 1, 100 do t[k] = s end return #table.concat(t) end`, "table.concat"},
		"gsub":                {`return function() return #(("x"):rep(1e4):gsub("x", ("y"):rep(1e5))) end`, "string.gsub"},
		"sparse":              {`return function() local t = {} t[60000000] = 1 error("kept " .. #t, 0) end`, "kept 0"},
	} {
		t.Run(name, func(t *testing.T) {
			f := compile(t, i, c.source)
			r := &vm.Run{}
			r.SetDeadline(time.Now().Add(2 * time.Second))
			start := time.Now()
			_, err := number(t, f, r, 1)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v after %v", err, time.Since(start))
			}
		})
	}
}

func TestAStringThatDoublesItselfIsStopped(t *testing.T) {
	i := newIsolate(t, vm.Options{Stall: -1, Growth: 64 << 20})
	f := compile(t, i, `return function() local s = ("x"):rep(1e6) while true do s = s .. s end end`)
	if _, err := number(t, f, &vm.Run{}, 1); err == nil || !strings.Contains(err.Error(), "64 MB") {
		t.Fatalf("got %v", err)
	}
}

func TestManyResultsAreRefused(t *testing.T) {
	i := newIsolate(t, vm.Options{Stall: -1})
	f := compile(t, i, `
		local t, s = {}, ("x"):rep(1e6)
		for n = 1, 1e6 do t[n] = n end
		return function()
			for _, call in ipairs {
				function() return unpack(t) end, function() return s:byte(1, -1) end, function() return math.max(unpack(t)) end,
				function() return select("#", unpack(t)) end, function() return { unpack(t) } end, function() return unpack({}, 1, 2^40) end,
			} do
				local ok, e = pcall(call)
				assert(not ok and e:find("too many results", 1, true), e)
			end
			local n = 0
			for k = 1, 10 do
				n = n + select("#", pcall(unpack, t, 1, 8000)) - 1 + #{ s:byte(1, 8000) } + #{ coroutine.wrap(function(...) return ... end)(unpack(t, 1, 8000)) }
			end
			return n
		end`)
	n, err := number(t, f, &vm.Run{}, 0)
	if n != 10*3*8000 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
}

func TestNothingBuildsAStringWithoutABound(t *testing.T) {
	i := newIsolate(t, vm.Options{Stall: -1})
	for name, c := range map[string]struct{ source, want string }{
		"..":                     {"local s = 'x'\nfor n = 1, 60 do\ns = s .. s end", "app.lua:3: ..: a string of 134217728 bytes; at most 64 MB"},
		".. of many":             {"local s = ('x'):rep(1e7) local t = s .. s .. 1 .. s .. s .. s .. s .. s", "..: a string of 70000000 bytes"},
		".. beside a metamethod": {"local s = ('x'):rep(5e7) local o = setmetatable({}, { __concat = function(a, b) return 'o' .. (type(a) == 'string' and a or b) end }) local t = s .. o .. s", "..: a string of 100000001 bytes"},
		"string.format":          {"local s = ('x'):rep(4e7) local t = ('%s%s'):format(s, s)", "string.format: a string of 80000004 bytes"},
		"string.format, wide":    {"local t = ('%999999d'):rep(70):format(unpack((function() local t = {} for n = 1, 70 do t[n] = n end return t end)()))", "string.format: a string of"},
		"string.gsub":            {"local s = ('x'):rep(1e6) local t = s:gsub('.*', ('%0'):rep(1e5))", "string.gsub: the result is longer than 64 MB"},
		"os.date":                {"local t = os.date(('%c'):rep(1e6))", "os.date: a format of 2000000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			f := compile(t, i, "return function() "+c.source+" return 1 end")
			before := allocated()
			_, err := number(t, f, &vm.Run{}, 1)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if mb := (allocated() - before) >> 20; mb > 400 {
				t.Errorf("it allocated %d MB", mb)
			}
		})
	}
}

// allocated is what the process ever allocated, in bytes.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestConcatenationGoesOnAsBefore(t *testing.T) {
	i := newIsolate(t, vm.Options{Stall: -1})
	f := compile(t, i, `return function(n)
		local o = setmetatable({}, { __concat = function(a, b) return "<" .. (type(a) == "table" and "o" or a) .. (type(b) == "table" and "o" or b) .. ">" end })
		assert("a" .. 1 .. 2.5 .. "b" == "a12.5b")
		assert("a" .. o == "<ao>" and o .. 1 == "<o1>" and "a" .. o .. "b" .. "c" == "a<obc>" or error("a" .. o .. "b" .. "c"))
		local ok, e = pcall(function() return "a" .. {} end)
		assert(not ok and e:find("concat", 1, true), e)
		return #(("x"):rep(2^25) .. ("x"):rep(2^25))
	end`)
	if n, err := number(t, f, &vm.Run{}, 1); n != vm.MaxString || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// A run that builds many large strings is looked at while it does: here, where the isolate is closed,
// no watchdog comes.
func TestLargeStringsEndARunInTime(t *testing.T) {
	for name, source := range map[string]string{
		"..":           "kept[n] = s .. n",
		"string.upper": "kept[n] = s:upper()",
		"table.concat": "kept[n] = table.concat { s, n }",
	} {
		t.Run(name, func(t *testing.T) {
			i := newIsolate(t, vm.Options{Stall: -1, Growth: 128 << 20})
			run(t, i, func(L *lua.LState) error {
				L.SetGlobal("close", L.NewFunction(func(*lua.LState) int { i.Close(); return 0 }))
				return nil
			})
			f := compile(t, i, "return function() close() local kept, s = {}, ('x'):rep(2^24)\nfor n = 1, 30 do "+source+" end return 1 end")
			runtime.GC()
			_, err := number(t, f, &vm.Run{}, 1)
			if err == nil || !strings.Contains(err.Error(), "128 MB of memory") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestHugeIsInfinite(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	f := compile(t, i, `return function() return math.huge == 1 / 0 and -math.huge == -1 / 0 and tostring(math.huge):lower():find("inf") or 0 end`)
	if n, err := number(t, f, &vm.Run{}, 1); n == 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
