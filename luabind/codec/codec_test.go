package codec_test

import (
	"testing"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/codec"
)

// newState returns a Lua state that has null and array.
func newState(t testing.TB) *lua.LState {
	L := lua.NewState()
	t.Cleanup(L.Close)
	bind.Prepare(L)
	L.SetGlobal("null", bind.Null(L))
	L.SetGlobal("array", L.NewFunction(func(L *lua.LState) int {
		L.Push(bind.MarkArray(L, L.CheckTable(1)))
		return 1
	}))
	return L
}

func decode(t testing.TB, L *lua.LState, text string) lua.LValue {
	t.Helper()
	v, err := codec.Decode(L, []byte(text), codec.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}
