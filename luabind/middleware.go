package luabind

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
)

// middlewareFuncs make the engine's middleware, which runs in Go: no Lua is on its path.
func middlewareFuncs() []bind.Func {
	return slices.Concat(
		headerFuncs(),
		admissionFuncs(),
		placeFuncs(),
		bodyFuncs(),
	)
}

// String is the name with what it allows, as listings show it.
func (m *Middleware) String() string {
	if m.Limit == "" {
		return m.Name
	}
	return m.Name + " " + m.Limit
}

// native pushes a middleware of the engine. make runs in the first isolate only: requests pass
// through what that one declared, so the others hold the place. An error of make is raised as
// one of the options that the script gave, at the line of the call; what make opens it hands to
// the stores of the program to close.
func native(L *lua.LState, name string, make func(p *Program) (func(http.Handler) http.Handler, error)) int {
	return push(L, &Middleware{Name: name}, make)
}

// push is native for a middleware of which more is known than its name.
func push(L *lua.LState, m *Middleware, make func(p *Program) (func(http.Handler) http.Handler, error)) int {
	s := stateOf(L)
	s.root.mustLoad(L, "rws."+m.Name)
	if s.isolate.Number() == 0 {
		wrap, err := make(s.program)
		if err != nil {
			raiseOption(L, "rws."+m.Name, err)
		}
		m.Wrap = wrap
	}
	L.Push(bind.New(L, middlewareType, m))
	return 1
}

// raiseOption raises an error about the options of the function called name, at the option that
// the error names. The engine's errors begin with its name in words, as "ip filter: ", where the
// script has a name of its own for it.
func raiseOption(L *lua.LState, name string, err error) {
	words := strings.ReplaceAll(strings.TrimPrefix(name, "rws."), "_", " ") + ": "
	fault.Raise(L, &fault.Error{Code: "option", At: stateOf(L).placeOf(fault.Where(L), err), Message: name + ": " + strings.TrimPrefix(err.Error(), words), Cause: err})
}

// options is bind.Options for what can't do without.
func options[T any](L *lua.LState, name, example string) T {
	if L.Get(1) == lua.LNil {
		raiseOption(L, "rws."+name, errors.New("a table of options expected, as in rws."+name+" "+example))
	}
	return bind.Options[T](L, "rws."+name, 1)
}

// rules reads a table that is one rule, or a list of them.
func rules[T any](L *lua.LState, name, example string) []T {
	t, ok := L.Get(1).(*lua.LTable)
	if !ok || t.Len() == 0 {
		return []T{options[T](L, name, example)}
	}
	list := make([]T, t.Len())
	t.ForEach(func(k, v lua.LValue) {
		n, isNumber := k.(lua.LNumber)
		rule, isTable := v.(*lua.LTable)
		if !isNumber || !isTable || n < 1 || int(n) > len(list) {
			raiseOption(L, "rws."+name, errors.New("one rule, or a list of rules, each a table, expected, as in rws."+name+" { "+example+" }"))
		}
		if err := bind.Decode(L, rule, &list[int(n)-1]); err != nil {
			raiseOption(L, "rws."+name, errors.New("rule "+n.String()+": "+err.Error()))
		}
	})
	return list
}

// mustWork raises for a middleware that does nothing where the function called name puts it.
func (l link) mustWork(L *lua.LState, name string) {
	if l.native == nil || !l.native.Early {
		return
	}
	fault.Raise(L, &fault.Error{Code: "order", Message: name + ": rws." + l.native.Name + " changes where a request goes, and the route is found already when this runs",
		Hint: "give rws." + l.native.Name + " to app:use before the first route and before the first middleware that is a function"})
}
