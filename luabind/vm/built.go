package vm

import (
	"time"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// Strings of this size count towards what makes the watchdog's look come early.
const (
	largeString = 64 << 10
	lookEvery   = 16 << 20
)

// Built notes a string of n bytes that the function called name has made for the run on L. It
// raises when that is more than MaxString. Many large ones bring on the look at the run's memory
// and time that the watchdog else takes every 20 ms, in which gigabytes can be built.
func Built(L *lua.LState, name string, n int) {
	if n < largeString {
		return
	}
	checkLength(L, name, n)
	i := Of(L)
	r := i.current.Load()
	if i.built += n; r == nil || i.built < lookEvery {
		return
	}
	i.built = 0
	i.look(time.Now(), r)
}

// checkLength raises if a string of n bytes is too long.
func checkLength(L *lua.LState, name string, n int) {
	if n > MaxString {
		L.RaiseError("%s: a string of %d bytes; at most %d MB, as in string.rep: work in smaller pieces, or stream with c:stream", name, n, MaxString>>20)
	}
}

// Bounded is fn, called name, with a bound on the strings that it returns.
func Bounded(name string, fn lua.LGFunction) lua.LGFunction {
	return func(L *lua.LState) int {
		n := fn(L)
		for k := 1; k <= n; k++ {
			if s, ok := L.Get(-k).(lua.LString); ok && len(s) >= largeString {
				Built(L, name, len(s))
			}
		}
		return n
	}
}

// bound puts Bounded around the functions of a library table.
func bound(L *lua.LState, library string, t *lua.LTable, names ...string) {
	for _, name := range names {
		t.RawSetString(name, L.NewFunction(Bounded(library+"."+name, t.RawGetString(name).(*lua.LFunction).GFunction)))
	}
}

// concatenate is .. with a bound. The lengths of operands that lie together are summed before
// anything is built; what metamethods bring in shows in the result.
func concatenate(L *lua.LState, inst uint32, base unsafe.Pointer) int {
	f := frameOf(L)
	values := (*at[*registry](L, layout.reg)).array[f.local:]
	n := 0
	for _, v := range values[opB(inst) : opC(inst)+1] {
		switch v := v.(type) {
		case lua.LString:
			n += len(v)
		case lua.LNumber:
		default:
			n = 0
		}
		if n > MaxString {
			checkLength(L, "..", n)
		}
	}
	end := plain[lua.OP_CONCAT](L, inst, base)
	if s, ok := frameOf(L).register(L, opA(inst)).(lua.LString); ok && len(s) >= largeString {
		Built(L, "..", len(s))
	}
	return end
}
