package repl

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/luabind/vm"
)

// A scope is what the names of a session mean in one isolate. Functions that lines
// define keep it as their environment, so it may outlive the session.
type scope struct {
	isolate  *vm.Isolate
	readOnly bool
	env      *lua.LTable // of the lines; stays empty, so that each access comes by
	own      *lua.LTable // the value of sessionName
	globals  *lua.LTable
	cells    map[string]*lua.Upvalue // top-level locals of the script
	fns      map[string]lua.LValue   // other top-level functions of the script
	hidden   map[string]lua.LValue   // replace globals: print
	helpers  map[string]lua.LValue   // stand behind globals: get, post, help

	// vars are the variables of the session; one that is nil hides the others too. The
	// other fields are guarded by the isolate's lock, vars by mu as well, because a
	// session takes what it can to the next isolate.
	mu   sync.Mutex
	vars map[string]lua.LValue
}

// newScope makes a scope in L's isolate.
func newScope(L *lua.LState, readOnly bool) *scope {
	s := &scope{
		isolate: vm.Of(L), readOnly: readOnly, globals: L.G.Global, env: L.NewTable(), own: L.NewTable(),
		vars: make(map[string]lua.LValue), hidden: make(map[string]lua.LValue), helpers: make(map[string]lua.LValue),
	}
	s.env.Metatable = s.meta(L, s.index, s.assign)
	s.own.Metatable = s.meta(L, s.index, func(_ *lua.LState, name string, v lua.LValue) { s.set(name, v) })
	return s
}

func (s *scope) meta(L *lua.LState, index func(string) lua.LValue, assign func(*lua.LState, string, lua.LValue)) *lua.LTable {
	mt := L.NewTable()
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		L.Push(index(L.Get(2).String()))
		return 1
	}))
	mt.RawSetString("__newindex", L.NewFunction(func(L *lua.LState) int {
		assign(L, L.Get(2).String(), L.Get(3))
		return 0
	}))
	mt.RawSetString("__metatable", lua.LString("session"))
	return mt
}

// index returns the value of a name.
func (s *scope) index(name string) lua.LValue {
	if name == sessionName {
		return s.own
	}
	if v, ok := s.variable(name); ok {
		return v
	}
	if up := s.cells[name]; up != nil {
		return up.Value()
	}
	if v, ok := s.fns[name]; ok {
		return v
	}
	if v, ok := s.hidden[name]; ok {
		return v
	}
	if v := s.globals.RawGetString(name); v != lua.LNil {
		return v
	}
	if v, ok := s.helpers[name]; ok {
		return v
	}
	return lua.LNil
}

// assign gives a name a new value: where it exists already, else in the session.
func (s *scope) assign(L *lua.LState, name string, v lua.LValue) {
	if _, ok := s.variable(name); ok {
		s.set(name, v)
		return
	}
	up := s.cells[name]
	global := s.globals.RawGetString(name) != lua.LNil
	if s.readOnly && (up != nil || global) {
		kind := "a local of the script"
		if up == nil {
			kind = "a global"
		}
		fault.Raise(L, &fault.Error{Code: "read_only", Message: fmt.Sprintf("this session is read-only: %q is %s", name, kind),
			Hint: fmt.Sprintf("write `local %s = …` to have a variable of the session by that name", name)})
	}
	switch {
	case up != nil:
		up.SetValue(v)
	case global && s.library(name):
		fault.Raise(L, &fault.Error{Code: "library", Message: vm.LibraryError(name)})
	case global:
		s.globals.RawSetString(name, v)
	default:
		s.set(name, v)
	}
}

// library reports whether a global is one of the library's.
func (s *scope) library(name string) bool {
	_, globals := s.isolate.Library()
	return globals[name]
}

func (s *scope) variable(name string) (lua.LValue, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.vars[name]
	return v, ok
}

func (s *scope) set(name string, v lua.LValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vars[name] = v
}

// names returns all names that mean something, in order.
func (s *scope) names() []string {
	seen := make(map[string]bool)
	s.mu.Lock()
	for name := range s.vars {
		seen[name] = true
	}
	s.mu.Unlock()
	for name := range s.cells {
		seen[name] = true
	}
	for name := range s.fns {
		seen[name] = true
	}
	s.globals.ForEach(func(k, _ lua.LValue) {
		if name, ok := k.(lua.LString); ok {
			seen[string(name)] = true
		}
	})
	for name := range s.helpers {
		seen[name] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// plain returns the variables whose values mean the same in every isolate, and the
// names of the others.
func (s *scope) plain() (kept map[string]lua.LValue, lost []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept = make(map[string]lua.LValue)
	for name, v := range s.vars {
		switch v.(type) {
		case lua.LString, lua.LNumber, lua.LBool, *lua.LNilType:
			kept[name] = v
		default:
			lost = append(lost, name)
		}
	}
	slices.Sort(lost)
	return kept, lost
}
