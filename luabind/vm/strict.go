package vm

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// A Library names the tables that belong to all requests of an isolate, as "string" and
// "rws.json".
type Library map[*lua.LTable]string

// libraryOf collects the tables of the libraries in the globals, those within them too.
func libraryOf(L *lua.LState, names []string) Library {
	all := make(Library)
	var add func(name string, v lua.LValue)
	add = func(name string, v lua.LValue) {
		t, ok := v.(*lua.LTable)
		if !ok || all[t] != "" || t == L.G.Global {
			return
		}
		all[t] = name
		t.ForEach(func(k, v lua.LValue) { add(name+"."+k.String(), v) })
	}
	for _, name := range names {
		add(name, L.G.Global.RawGetString(name))
	}
	return all
}

// Library returns the tables that Seal has closed, and the globals that were there before the
// script ran. Valid once sealed; only to be read.
func (i *Isolate) Library() (tables Library, globals map[string]bool) { return i.library, i.builtin }

// Prepared tells the isolate that the globals which exist now are the library.
func (i *Isolate) Prepared(L *lua.LState) {
	i.builtin = make(map[string]bool)
	L.G.Global.ForEach(func(k, _ lua.LValue) { i.builtin[k.String()] = true })
}

// Seal ends the time in which the script may declare globals and extend the library: from now
// on assigning a name of the library, or a global that does not exist, is an error. Call it inside
// a run, after the script has loaded.
//
// A global that springs up in a handler is shared by all requests of the isolate,
// which is hardly ever what a forgotten "local" meant.
func (i *Isolate) Seal(L *lua.LState) {
	if i.strict {
		return
	}
	i.strict = true
	var names []string
	for name := range i.builtin {
		names = append(names, name)
	}
	i.library = libraryOf(L, names)
	for t, name := range i.library {
		i.freeze(L, t, func(key string) string { return LibraryError(name + "." + key) })
	}
	i.freeze(L, L.G.Global, undeclared)
	i.hideStrings(L)
}

func undeclared(name string) string {
	return fmt.Sprintf("assigning the undeclared global %q: write \"local %s = …\", or keep what requests share in app.shared", name, name)
}

// LibraryError says why a name of the library can't be assigned.
func LibraryError(name string) string {
	if strings.HasPrefix(name, "env.") {
		return fmt.Sprintf("%s can't be set: the environment belongs to all requests; keep the value in a local, or in app.shared", name)
	}
	return fmt.Sprintf("%s can't be set once the script has loaded: the library belongs to all requests; extend it at the top level of the script, or use a local or a table of your own", name)
}

// hideStrings gives scripts a copy of the metatable of strings, of which nothing can be set.
func (i *Isolate) hideStrings(L *lua.LState) {
	mt, ok := L.GetMetatable(lua.LString("")).(*lua.LTable)
	if !ok {
		return
	}
	shown := L.NewTable()
	mt.ForEach(func(k, v lua.LValue) { shown.RawSet(k, v) })
	inner := L.NewTable()
	inner.RawSetString("__index", shown)
	facade := L.NewTable()
	facade.Metatable = inner
	i.library[facade] = "the metatable of strings"
	i.freeze(L, facade, func(key string) string { return LibraryError("the metatable of strings, " + key + ",") })
	mt.RawSetString("__metatable", facade)
}
