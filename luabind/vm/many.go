package vm

import lua "github.com/yuin/gopher-lua"

// maxResults is how many values unpack and string.byte return at most, as in C Lua 5.1. Each
// value has a place on the stack of the thread, and whoever takes them copies them.
const maxResults = 8000

// makeRoom makes the stack large enough for n more values at once: gopher-lua enlarges it by
// a fixed step, copying all, so that pushing n values takes the square of n.
func makeRoom(L *lua.LState, n int) {
	top := L.GetTop()
	L.SetTop(top + n)
	L.SetTop(top)
}

// unpack is Lua's with a bound.
func unpack(L *lua.LState) int {
	t := L.CheckTable(1)
	from := L.OptInt(2, 1)
	to := L.OptInt(3, t.Len())
	if to < from {
		return 0
	}
	if uint(to)-uint(from) >= maxResults {
		L.RaiseError("unpack: too many results, %d; at most %d values can be unpacked: go through the table with ipairs, or use table.concat", uint(to)-uint(from)+1, maxResults)
	}
	makeRoom(L, to-from+1)
	for n := from; ; n++ {
		L.Push(t.RawGetInt(n))
		if n == to {
			return to - from + 1
		}
	}
}

// stringByte is string.byte of Lua with a bound.
func stringByte(L *lua.LState) int {
	s := L.CheckString(1)
	from := L.OptInt(2, 1)
	to := L.OptInt(3, from)
	from, to = fromEnd(from, len(s)), min(fromEnd(to, len(s)), len(s))
	from = max(from, 1)
	if to < from {
		return 0
	}
	n := to - from + 1
	if n > maxResults {
		L.RaiseError("string.byte: too many results, %d; at most %d bytes can be taken at once: go through the string in pieces, or use gmatch", n, maxResults)
	}
	makeRoom(L, n)
	for _, c := range []byte(s[from-1 : to]) {
		L.Push(lua.LNumber(c))
	}
	return n
}

// fromEnd is the position in a string of n bytes that a negative one counts from its end.
func fromEnd(at, n int) int {
	switch {
	case at >= 0:
		return at
	case -at > n:
		return 0
	}
	return n + at + 1
}
