package luabind

import (
	"context"
	"math"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

const sharedType = "rws.Shared"

// Shared is the store of app.shared: values that all isolates of an app see, and that
// outlive a reload. It holds copies, so what a script reads it may change freely.
type Shared struct {
	mu     sync.Mutex
	values map[string]any
	locks  locks // of rws.lock and of app.shared:update
	kept   kept
}

// NewShared returns an empty store.
func NewShared() *Shared { return &Shared{values: make(map[string]any)} }

func (s *Shared) get(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key]
}

func (s *Shared) set(key string, v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v == nil {
		delete(s.values, key)
	} else {
		s.values[key] = v
	}
}

// incr adds by to a number, counting from 0.
func (s *Shared) incr(key string, by float64) (float64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n float64
	switch v := s.values[key].(type) {
	case nil:
	case int64:
		n = float64(v)
	case float64:
		n = v
	default:
		return 0, false
	}
	s.values[key] = bind.Number(lua.LNumber(n + by))
	return n + by, true
}

func (s *state) sharedValue(L *lua.LState) lua.LValue {
	return bind.New(L, sharedType, s.program.shared)
}

// sharedOfType describes app.shared.
func sharedOfType() bind.Type {
	return bind.Type{Name: sharedType, As: "app.shared", Methods: append(bind.Writing(
		bind.RawMethod("set(key, value)", func(L *lua.LState, s *Shared) int {
			s.set(L.CheckString(2), sharedCopy(L, "app.shared:set", L.Get(3)))
			return 0
		}),
		bind.RawMethod("del(key)", func(L *lua.LState, s *Shared) int { s.set(L.CheckString(2), nil); return 0 }),
		bind.RawMethod("incr(key, by?)", sharedIncr),
		bind.RawWaitMethod("update(key, fn)", sharedUpdate),
	),
		bind.RawMethod("get(key)", func(L *lua.LState, s *Shared) int {
			L.Push(bind.FromGo(L, s.get(L.CheckString(2))))
			return 1
		}),
	)}
}

func sharedCopy(L *lua.LState, name string, v lua.LValue) any {
	copied, err := bind.ToGo(L, v)
	if err != nil {
		bind.Raise(L, name, err)
	}
	return copied
}

func sharedIncr(L *lua.LState, s *Shared) int {
	key := L.CheckString(2)
	by := float64(L.OptNumber(3, 1))
	if math.IsNaN(by) || math.IsInf(by, 0) {
		bind.ArgError(L, "app.shared:incr", 2, "a finite number expected, got %v", by)
	}
	n, ok := s.incr(key, by)
	if !ok {
		fault.Raisef(L, "argument", "app.shared:incr: %q holds no number", key)
	}
	L.Push(lua.LNumber(n))
	return 1
}

// sharedUpdate replaces a value by what fn makes of it; no other update of that key runs
// meanwhile, in any isolate. fn may wait.
func sharedUpdate(L *lua.LState, s *Shared) int {
	key, fn := L.CheckString(2), L.CheckFunction(3)
	name := "app.shared:update " + key
	run := vm.Current(L)
	if err := vm.Wait(L, func(ctx context.Context) error { return s.locks.acquire(ctx, name, run) }); err != nil {
		bind.Raise(L, "app.shared:update", err)
	}
	defer s.locks.release(name)
	L.Push(fn)
	L.Push(bind.FromGo(L, s.get(key)))
	vm.CallBack(L, 1, 1)
	v := L.Get(-1)
	s.set(key, sharedCopy(L, "app.shared:update", v))
	L.Push(v)
	return 1
}
