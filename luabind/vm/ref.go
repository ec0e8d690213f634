package vm

import (
	lua "github.com/yuin/gopher-lua"
)

// A Ref is a Lua function that outlives the run that made it: a route's handler, a
// job, a subscription. It is the only form in which Go keeps one.
type Ref struct {
	iso *Isolate
	fn  *lua.LFunction
}

// NewRef returns a Ref to fn of L's isolate.
func NewRef(L *lua.LState, fn *lua.LFunction) *Ref { return &Ref{iso: Of(L), fn: fn} }

// Isolate returns where the function lives.
func (f *Ref) Isolate() *Isolate { return f.iso }

// Func returns the function; touch it only inside a run of its isolate.
func (f *Ref) Func() *lua.LFunction { return f.fn }

// Call runs the function as r and hands its first result to then, both with the lock
// held. args makes the arguments; it and then may be nil.
func (f *Ref) Call(r *Run, args func(L *lua.LState) []lua.LValue, then func(L *lua.LState, v lua.LValue) error) error {
	return f.iso.Do(r, func(L *lua.LState) error {
		var list []lua.LValue
		if args != nil {
			list = args(L)
		}
		v, err := Call(L, f.fn, list...)
		if err != nil || then == nil {
			return err
		}
		return then(L, v)
	})
}
