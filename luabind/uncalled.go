package luabind

import (
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
)

// constructors are the functions of the library that make middleware, by their whole names.
func constructors() []string {
	var names []string
	for prefix, funcs := range map[string][]bind.Func{
		"rws.":         slices.Concat(middlewareFuncs(), guardFuncs(), httpCacheFuncs()),
		"rws.auth.":    authModule().Funcs,
		"rws.webhook.": {bind.Raw("guard(provider, options)", webhookGuard)},
	} {
		for _, f := range funcs {
			names = append(names, prefix+f.Name())
		}
	}
	return names
}

// mustBeCalled raises for a function of the library in the place of middleware or of a handler: the
// guard that it would have made is missing there.
func mustBeCalled(L *lua.LState, v lua.LValue) {
	fn, ok := v.(*lua.LFunction)
	if !ok {
		return
	}
	called := libraryName(L, fn)
	if called == "" {
		return
	}
	call := called + " { … }"
	if called == "rws.webhook.guard" {
		call = called + `("github", { … })`
	}
	fault.Raise(L, &fault.Error{Code: "option", Message: called + " was not called: write " + call})
}

// libraryName is the name of fn if it is a constructor, else "".
func libraryName(L *lua.LState, fn *lua.LFunction) string {
	if !fn.IsG {
		return ""
	}
	for _, name := range constructors() {
		if lookUp(L, name) == fn {
			return name
		}
	}
	return ""
}

// lookUp returns the value of a name of the library, nil if the script has replaced a table on the way.
func lookUp(L *lua.LState, name string) lua.LValue {
	v := stateOf(L).globals["rws"]
	for _, part := range strings.Split(name, ".")[1:] {
		t, ok := v.(*lua.LTable)
		if !ok {
			return nil
		}
		v = t.RawGetString(part)
	}
	return v
}
