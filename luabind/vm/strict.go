package vm

import lua "github.com/yuin/gopher-lua"

// Seal ends the time in which the script may declare globals: from now on assigning
// one that does not exist is an error. Call it inside a run, after the script has
// loaded.
//
// A global that springs up in a handler is shared by all requests of the isolate,
// which is hardly ever what a forgotten "local" meant.
func (i *Isolate) Seal(L *lua.LState) {
	if i.strict {
		return
	}
	i.strict = true
	globals := L.G.Global
	mt := L.NewTable()
	mt.RawSetString("__newindex", L.NewFunction(func(L *lua.LState) int {
		name := L.Get(2).String()
		L.RaiseError("assigning the undeclared global %q: write \"local %s = …\", or keep what requests share in app.shared", name, name)
		return 0
	}))
	mt.RawSetString("__metatable", lua.LFalse)
	globals.Metatable = mt
}
