package fault_test

import (
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/luabind/vm"
)

// Each chunk returns 3. Compiled by gopher-lua as it is, some return something else and
// some never end.
func TestLoopsThatBeginWithAJump(t *testing.T) {
	for name, source := range map[string]string{
		"break in an inner for":   `local n = 0 for k in pairs({1,2,3}) do for j in pairs({1}) do break end n = n + 1 end return n`,
		"break in an inner while": `local n = 0 for k in pairs({1,2,3}) do while true do break end n = n + 1 end return n`,
		"if false with else":      `local n = 0 for k in pairs({1,2,3}) do if false then else n = n + 1 end end return n`,
		"if false":                `local n = 3 for k in pairs({1,2}) do if false then local x = 1 else end end return n`,
		"if not true":             `local n = 0 for k in pairs({1,2,3}) do if not true then else n = n + 1 end end return n`,
		"do break":                `local n = 0 for k in pairs({1,2,3}) do for j in pairs({1}) do do break end end n = n + 1 end return n`,
		"goto continue":           `local n = 0 for k in pairs({1,2,3}) do for j in pairs({1,2}) do goto continue ::continue:: end n = n + 1 end return n`,
		"a label before a jump":   `local n = 0 ::top:: if false then else n = n + 1 end if n < 3 then goto top end return n`,
		"repeat":                  `local n = 0 repeat if false then else n = n + 1 end until n == 3 return n`,
		"in a function":           `return (function() local n = 0 for _ in pairs({1,2,3}) do for _ in pairs({1}) do break end n = n + 1 end return n end)()`,
		"in a table":              `local t = { f = function() local n = 0 for _ in pairs({1,2,3}) do for _ in pairs({1}) do break end n = n + 1 end return n end } return t.f()`,
	} {
		t.Run(name, func(t *testing.T) {
			i := vm.New(vm.Options{})
			defer i.Close()
			r := &vm.Run{}
			r.SetDeadline(time.Now().Add(500 * time.Millisecond))
			err := i.Do(r, func(L *lua.LState) error {
				fault.Install(L)
				fn, err := fault.Load(L, "app.lua", source)
				if err != nil {
					return err
				}
				v, err := vm.Call(L, fn)
				if v != lua.LNumber(3) {
					t.Errorf("returned %v", v)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
