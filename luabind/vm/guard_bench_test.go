package vm_test

import (
	"testing"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/vm"
)

// BenchmarkGuard shows what it costs that the library can't be changed and strings are bounded:
// 1,000 rounds of what scripts do to tables and strings.
func BenchmarkGuard(b *testing.B) {
	for name, source := range map[string]string{
		"set a field":         `local t = { n = 0 } return function() for i = 1, 1000 do t.n = i end end`,
		"set an element":      `local t = {} return function() for i = 1, 1000 do t[i] = i end end`,
		"set of an object":    `local C = {} C.__index = C local t = setmetatable({ n = 0 }, C) return function() for i = 1, 1000 do t.n = i end end`,
		"make a table":        `return function() for i = 1, 1000 do local t = { a = i, b = i } end end`,
		"assign a global":     `n = 0 return function() for i = 1, 1000 do n = i end end`,
		"assign an upvalue":   `local n = 0 return function() for i = 1, 1000 do n = i end end`,
		"call of the library": `return function() for i = 1, 1000 do local _ = string.format("%d", i) end end`,
		"concatenate two":     `local a = "abc" return function() for i = 1, 1000 do local _ = a .. "def" end end`,
		"concatenate numbers": `return function() for i = 1, 1000 do local _ = "n" .. i .. "/" .. i end end`,
		"insert and remove":   `local t = {} return function() for i = 1, 1000 do table.insert(t, i) table.remove(t) end end`,
	} {
		b.Run(name, func(b *testing.B) {
			i := newIsolate(b, vm.Options{Stall: -1})
			f := compile(b, i, source)
			run(b, i, func(L *lua.LState) error {
				i.Seal(L)
				b.ReportAllocs()
				for b.Loop() {
					L.Push(f.Func())
					L.Call(0, 0)
				}
				return nil
			})
		})
	}
}
