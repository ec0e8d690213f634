package vm

import lua "github.com/yuin/gopher-lua"

func (i *Isolate) openString(L *lua.LState) {}
