package repl

import (
	"context"
	"io"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
)

// builtins gives a scope the functions of the console.
func (s *Session) builtins(L *lua.LState, sc *scope) {
	if original, ok := sc.globals.RawGetString("print").(*lua.LFunction); ok {
		sc.hidden["print"] = L.NewFunction(s.print(original))
	}
	openResponse(L)
	for name, fn := range s.requestFunctions(L, nil) {
		sc.helpers[name] = fn
	}
	sc.helpers["as"] = L.NewFunction(s.as)
	sc.helpers["curl"] = L.NewFunction(s.curl)
	sc.helpers["help"] = L.NewFunction(s.helpValue)
}

// stubs gives a scope that is only looked at the names of these functions.
func (s *Session) stubs(L *lua.LState, sc *scope) {
	stub := L.NewFunction(func(*lua.LState) int { return 0 })
	for name := range methods {
		sc.helpers[name] = stub
	}
	for _, name := range []string{"as", "curl", "help"} {
		sc.helpers[name] = stub
	}
}

// print writes to the session while one of its lines runs. A function that a line
// defined may be called later, by a handler: that prints where the app prints.
func (s *Session) print(original *lua.LFunction) lua.LGFunction {
	return func(L *lua.LState) int {
		if vm.Current(L).Owner != s {
			return original.GFunction(L)
		}
		parts := make([]string, L.GetTop())
		for n := range parts {
			parts[n] = L.ToStringMeta(L.Get(n + 1)).String()
		}
		s.write(L, clean(strings.Join(parts, "\t"))+"\n")
		return 0
	}
}

// write writes to the session while one of its lines runs. What a line defined may be
// called later, by a handler; then it writes nothing. The lock is released, since a
// terminal or a client may be slow to read.
func (s *Session) write(L *lua.LState, text string) {
	if vm.Current(L).Owner != s {
		return
	}
	err := vm.Wait(L, func(context.Context) error {
		_, err := io.WriteString(s.out, text)
		return err
	})
	if err != nil {
		bind.Raise(L, "print", err)
	}
}
