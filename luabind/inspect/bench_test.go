package inspect_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rws/luabind/inspect"
)

// BenchmarkSharedWrites gives the cost of a usual handler, of 1000 instructions in a
// row, and of 1000 functions that are called once (3 instructions and an empty function
// each).
func BenchmarkSharedWrites(b *testing.B) {
	var defs, calls strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&defs, "function M.f%d() end ", i)
		fmt.Fprintf(&calls, "M.f%d() ", i)
	}
	for _, bench := range []struct{ name, script string }{
		{"handler", `local users, list = {}, {} local function find(id) for _, u in ipairs(list) do if u.id == id then return u end end end
handle(function(c) local u = find(c.params.id) if not u then return c:fail(404) end u.seen = true users[u.id] = u return c:json({id = u.id, name = u.name or "?"}) end)`},
		{"1000 instructions", `handle(function(c) local x ` + strings.Repeat("x = c.a ", 1000) + ` end)`},
		{"1000 calls", `local M = {} ` + defs.String() + `handle(function() ` + calls.String() + ` end)`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			fn := handler(b, bench.script)
			b.ReportAllocs()
			for b.Loop() {
				inspect.SharedWrites(fn, inspect.Options{})
			}
		})
	}
}

// Code made to have no end of different calls, and a list longer than any set.
func TestTheWorkIsBounded(t *testing.T) {
	for name, script := range map[string]string{
		"closures handed to a recursive function": `local function f(a, b) local x = function() return f(b, function() return a end) end
if a then return f(x, function() f(x, b) end) end return f(b, x) end handle(function() f(function() end, f) end)`,
		"a long list":         `local l = {} for i = 1, 100000 do l = {next = l} end handle(function() local x = l while x do x = x.next end end)`,
		"a deep call":         `local t = {} local f = function() end for i = 1, 10000 do local g = f f = function() g() end end handle(function() f() end)`,
		"closures in a cycle": `handle(function() local f, g while true do f = function() return g, f end g = function() return f, g end end end)`,
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan []inspect.Write)
			fn := handler(t, script)
			go func() { done <- inspect.SharedWrites(fn, inspect.Options{}) }()
			select {
			case got := <-done:
				if len(got) > 0 {
					t.Errorf("got %v", got)
				}
			case <-time.After(time.Minute):
				t.Fatal("no end after a minute")
			}
		})
	}
}
