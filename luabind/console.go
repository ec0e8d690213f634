package luabind

import (
	"context"
	"net/http"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
)

// Chunk returns the compiled main file, for a console that looks at its locals.
func (p *Program) Chunk() *lua.FunctionProto { return p.states[0].main }

// Functions returns everything the script gave to the first isolate to run later. Call it
// inside a run of that isolate.
func (p *Program) Functions() []*lua.LFunction {
	s := p.states[0]
	fns := s.functions()
	for _, event := range events {
		fns = append(fns, s.hooks[event]...)
	}
	fns = append(fns, s.migrators...)
	for _, t := range s.tests {
		fns = append(fns, t.fn)
	}
	for _, v := range s.modules {
		if fn, ok := v.(*lua.LFunction); ok {
			fns = append(fns, fn)
		}
	}
	return slices.Clip(fns)
}

// As returns r for a user: c.user is a copy of the value, which is one of the first
// isolate's. No lock may be held.
func (p *Program) As(r *http.Request, user lua.LValue) (*http.Request, error) {
	var v any
	err := p.states[0].isolate.Do(&vm.Run{Context: r.Context()}, func(L *lua.LState) (err error) {
		v, err = bind.ToGo(L, user)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.WithContext(context.WithValue(r.Context(), asKey{}, v)), nil
}
