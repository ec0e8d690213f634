package vm_test

import (
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
