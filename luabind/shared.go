package luabind

import (
	"context"
	"math"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
	"rws/server/cache"
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

// incr adds by to a number, counting from 0. Where the sum is no number that is exact, or the number is
// too large for what is added to show, all stays as it was.
func (s *Shared) incr(key string, by float64) (float64, error) {
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
		return 0, bind.Errorf("argument", "%q holds no number", key)
	}
	sum := n + by
	if !(math.Abs(sum) <= cache.MaxCount) || sum == n && by != 0 {
		return 0, bind.Errorf("range", "%q is at %s, and adding %s would not be exact (counters go to ±%d): it stays as it is; set it to another number, or count under another key",
			key, lua.LNumber(n), lua.LNumber(by), cache.MaxCount)
	}
	s.values[key] = bind.Number(lua.LNumber(sum))
	return sum, nil
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
	n, err := s.incr(key, by)
	if err != nil {
		bind.Raise(L, "app.shared:incr", err)
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
