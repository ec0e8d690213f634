package luabind

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/luabind/inspect"
	"rws/luabind/vm"
)

// checkShareable refuses handlers that write what only their own isolate sees: with more
// than one, each request would find another copy.
func (s *state) checkShareable() error {
	var lines []string
	seen := make(map[string]bool)
	first, required := "", s.requiredBy()
	for _, fn := range s.functions() {
		for _, w := range inspect.SharedWrites(fn, inspect.Options{Field: stateField, Call: required}) {
			at := fmt.Sprintf("%s:%d", w.File, w.Line)
			if seen[at+w.Name] {
				continue // reached from another handler too
			}
			seen[at+w.Name] = true
			lines = append(lines, w.String())
			if first == "" {
				first = at
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &fault.Error{
		Code: "isolates", At: first,
		Message: fmt.Sprintf("with isolates = %s each isolate has its own copy of what this writes:\n    %s", showIsolates(s.program.Config), strings.Join(lines, "\n    ")),
		Hint:    "keep what requests share in app.shared (app.shared:incr(\"hits\")), in a database, or use isolates = 1",
	}
}

// checkLibrary refuses handlers that change the library: each later request would find it
// changed.
func (s *state) checkLibrary() error {
	tables, globals := s.isolate.Library()
	o := inspect.Options{Library: func(t *lua.LTable, key string) (string, bool) {
		if t == nil {
			return key, globals[key]
		}
		return tables[t] + "." + key, tables[t] != ""
	}}
	for _, fn := range s.functions() {
		for _, w := range inspect.SharedWrites(fn, o) {
			if w.Kind == inspect.LibraryWrite {
				return &fault.Error{Code: "library", At: fmt.Sprintf("%s:%d", w.File, w.Line), Message: vm.LibraryError(w.Name)}
			}
		}
	}
	return nil
}

// requiredBy returns what require would give a handler for a name: the module, or a table that
// stands for one which nobody has required yet. What the functions of such a module write is not
// known before it runs.
func (s *state) requiredBy() func(fn *lua.LFunction, name lua.LValue) lua.LValue {
	unborn := make(map[string]*lua.LTable)
	return func(fn *lua.LFunction, argument lua.LValue) lua.LValue {
		name, ok := argument.(lua.LString)
		if !ok || fn != s.requires {
			return nil
		}
		if v, ok := s.modules[string(name)]; ok {
			return v
		}
		if s.globals[string(name)] != nil || standard[string(name)] {
			return nil // of the library: see checkLibrary
		}
		if unborn[string(name)] == nil {
			unborn[string(name)] = &lua.LTable{Metatable: lua.LNil}
		}
		return unborn[string(name)]
	}
}

// stateField is app.state, of which each isolate has its own.
func stateField(object *lua.LUserData, name string) *lua.LTable {
	a, ok := object.Value.(*App)
	if !ok || name != "state" {
		return nil
	}
	if a.state.root.data == nil {
		return &lua.LTable{Metatable: lua.LNil} // nobody has asked for it yet
	}
	return a.state.root.data
}

// functions returns everything the script gave to run later.
func (s *state) functions() []*lua.LFunction {
	var fns []*lua.LFunction
	for _, r := range s.routes {
		for _, l := range r.chain {
			if l.fn != nil {
				fns = append(fns, l.fn)
			}
		}
		if r.handler != nil {
			fns = append(fns, r.handler)
		}
	}
	for _, status := range slices.Sorted(maps.Keys(s.errors)) {
		fns = append(fns, s.errors[status])
	}
	return fns
}
