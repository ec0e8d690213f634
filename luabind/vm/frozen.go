package vm

import lua "github.com/yuin/gopher-lua"

// maxNewindex is how many tables an assignment may pass on its way, by __newindex, to where it ends.
const maxNewindex = 100 // as in gopher-lua

// frozenMark is the metatable of the metatables of tables that can't be changed. No script gets
// hold of those: their __metatable is set.
var frozenMark = &lua.LTable{Metatable: lua.LNil}

// freeze makes t a table whose fields can't be changed. What reading it does stays; its metatable
// is replaced by a copy, because a script may have given the same one to a table of its own.
func (i *Isolate) freeze(L *lua.LState, t *lua.LTable, message func(key string) string) {
	mt := L.NewTable()
	if old, ok := t.Metatable.(*lua.LTable); ok {
		old.ForEach(func(k, v lua.LValue) { mt.RawSet(k, v) })
	}
	mt.RawSetString("__newindex", L.NewFunction(func(L *lua.LState) int {
		L.RaiseError("%s", message(L.Get(2).String()))
		return 0
	}))
	mt.RawSetString("__metatable", lua.LFalse)
	mt.Metatable = frozenMark
	t.Metatable = mt
}

// frozen returns the frozen table that an assignment to t may end in, or nil.
func frozen(t *lua.LTable) *lua.LTable {
	for range maxNewindex {
		mt, ok := t.Metatable.(*lua.LTable)
		if !ok {
			return nil
		}
		if mt.Metatable == frozenMark {
			return t
		}
		if t, ok = mt.RawGetString("__newindex").(*lua.LTable); !ok {
			return nil
		}
	}
	return nil
}

// checkFrozen raises if the key of a frozen table can't be assigned: any of the library; of the
// globals, those that the script has not declared itself.
func checkFrozen(L *lua.LState, t *lua.LTable, key lua.LValue) {
	i := Of(L)
	name := key.String()
	switch {
	case t != i.main.G.Global:
		L.RaiseError("%s", LibraryError(i.library[t]+"."+name))
	case i.builtin[name]:
		L.RaiseError("%s", LibraryError(name))
	}
}

// Change raises if t may not be changed in the run on L: it is a table of the library or, in a run
// that is read-only, one that the run has not made. Go functions that change a table which a
// script hands them call it first; name is theirs.
func Change(L *lua.LState, name string, t *lua.LTable) {
	if owner := owned(L, name, t); owner != "" {
		L.RaiseError("%s: %s", name, LibraryError(owner))
	}
}

// owned is Change, but for a table of the library, whose name it returns.
func owned(L *lua.LState, name string, t *lua.LTable) (library string) {
	i := Of(L)
	i.current.Load().owns(L, name, t)
	if !i.strict || t.Metatable == lua.LNil {
		return "" // what is frozen has one
	}
	if t == L.G.Global {
		L.RaiseError("%s: a global can't be set once the script has loaded: keep what requests share in app.shared", name)
	}
	return i.library[t]
}

// rawset is Lua's, but for the library.
func rawset(plain lua.LGFunction) lua.LGFunction {
	return func(L *lua.LState) int {
		if library := owned(L, "rawset", L.CheckTable(1)); library != "" {
			L.RaiseError("rawset: %s", LibraryError(library+"."+L.Get(2).String()))
		}
		return plain(L)
	}
}

// setmetatable is Lua's, but in a run that is read-only. The library is protected by __metatable.
func setmetatable(plain lua.LGFunction) lua.LGFunction {
	return func(L *lua.LState) int {
		Current(L).owns(L, "setmetatable", L.CheckTable(1))
		return plain(L)
	}
}
