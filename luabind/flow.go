package luabind

import (
	"context"
	"errors"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

// flowFuncs are the functions that steer a script: waiting, doing several things at once,
// catching errors.
func flowFuncs() []bind.Func {
	return []bind.Func{
		bind.RawWait("sleep(duration)", sleep),
		bind.RawWait("parallel(...)", parallel),
		bind.RawWait("race(...)", race),
		bind.RawWait("lock(name, fn)", lock),
		bind.Raw("try(fn, ...)", try),
	}
}

func sleep(L *lua.LState) int {
	d := bind.Arg[time.Duration](L, "rws.sleep", 1)
	clock := stateOf(L).program.options.Clock
	if err := vm.Wait(L, func(ctx context.Context) error { return clock.Sleep(ctx, d) }); err != nil {
		bind.Raise(L, "rws.sleep", err)
	}
	return 0
}

// try returns true and the results of fn, or false and the error as an object.
func try(L *lua.LState) int {
	fn := L.CheckFunction(1)
	var args []lua.LValue
	for n := 2; n <= L.GetTop(); n++ {
		args = append(args, L.Get(n))
	}
	results, err := vm.Try(L, vm.OnError(L), fn, args...)
	if err != nil {
		L.Push(lua.LFalse)
		L.Push(fault.Value(L, asFault(vm.AsError(err))))
		return 2
	}
	L.Push(lua.LTrue)
	for _, v := range results {
		L.Push(v)
	}
	return len(results) + 1
}

// A branch is one function of parallel or race.
type branch struct {
	run   vm.Run
	fn    *lua.LFunction
	value lua.LValue
	err   error
}

// maxLevel bounds parallel in parallel: each level has threads and goroutines of its own.
const maxLevel = 16

// branches runs the functions on threads of their own and returns when all have ended.
// They run in the same isolate, so that they share its values, one at a time; only their
// waits overlap. ended is told of each, with no lock held and one call at a time.
func branches(L *lua.LState, name string, ended func(list []*branch, i int)) []*branch {
	list := make([]*branch, L.GetTop())
	parent := vm.Current(L)
	if parent.Level >= maxLevel {
		fault.Raisef(L, "nested", "%s: it is nested more than %d deep", name, maxLevel)
	}
	for n := range list {
		list[n] = &branch{fn: bind.Arg[*lua.LFunction](L, name, n+1), value: lua.LNil}
		list[n].run.Inherit(parent)
		list[n].run.Level = parent.Level + 1
	}
	iso, clock := vm.Of(L), stateOf(L).program.fakeClock()
	err := vm.Wait(L, func(ctx context.Context) error {
		var mu sync.Mutex
		var all sync.WaitGroup
		left := len(list)
		if clock != nil {
			clock.begin(left)
		}
		for _, b := range list {
			b.run.Context = ctx
		}
		for i, b := range list {
			all.Go(func() {
				b.err = iso.Do(&b.run, func(L *lua.LState) (err error) {
					b.value, err = vm.Call(L, b.fn)
					return err
				})
				mu.Lock()
				defer mu.Unlock()
				ended(list, i)
				left--
				if clock != nil {
					clock.end(left == 0)
				}
			})
		}
		all.Wait()
		return context.Cause(ctx)
	})
	if err != nil {
		bind.Raise(L, name, err)
	}
	return list
}

// errOther ends the branches that are not needed any more.
var errOther = errors.New("another function of the same call has decided the result")

// interrupt ends all branches but one.
func interrupt(list []*branch, but int) {
	for i, b := range list {
		if i != but {
			b.run.Interrupt(errOther)
		}
	}
}

// parallel returns the first result of each function, in order. The first error ends the
// others and is raised.
func parallel(L *lua.LState) int {
	failed := -1
	list := branches(L, "rws.parallel", func(list []*branch, i int) {
		if list[i].err != nil && failed < 0 {
			failed = i
			interrupt(list, i)
		}
	})
	if failed >= 0 {
		raiseAgain(L, list[failed].err)
	}
	for _, b := range list {
		L.Push(b.value)
	}
	return len(list)
}

// race returns the result and the number of the function that ends first, and ends the
// others. It raises when that one failed.
func race(L *lua.LState) int {
	bind.Arg[*lua.LFunction](L, "rws.race", 1)
	winner := -1
	list := branches(L, "rws.race", func(list []*branch, i int) {
		if winner < 0 {
			winner = i
			interrupt(list, i)
		}
	})
	if err := list[winner].err; err != nil {
		raiseAgain(L, err)
	}
	L.Push(list[winner].value)
	L.Push(lua.LNumber(winner + 1))
	return 2
}

// raiseAgain raises an error that was caught in another run, with its own place.
func raiseAgain(L *lua.LState, err error) { L.Error(fault.Value(L, asFault(err)), 0) }

// locks are the named locks of rws.lock.
type locks struct {
	mu   sync.Mutex
	held map[string]*namedLock
}

type namedLock struct {
	turn   chan struct{} // holds one token while the lock is free
	users  int
	holder *vm.Run // who is inside
}

// acquire waits for the lock called name. A run that holds it already, or is part of the work of
// one that does, would wait for itself.
func (l *locks) acquire(ctx context.Context, name string, run *vm.Run) error {
	l.mu.Lock()
	if l.held == nil {
		l.held = make(map[string]*namedLock)
	}
	n := l.held[name]
	if n == nil {
		n = &namedLock{turn: make(chan struct{}, 1)}
		n.turn <- struct{}{}
		l.held[name] = n
	}
	if run.Within(n.holder) {
		l.mu.Unlock()
		return bind.Errorf("held", "%q is already held by this request: it would wait for itself", name)
	}
	n.users++
	l.mu.Unlock()
	select {
	case <-n.turn:
		l.mu.Lock()
		n.holder = run
		l.mu.Unlock()
		return nil
	case <-ctx.Done():
		l.leave(name, n)
		return context.Cause(ctx)
	}
}

// release gives the lock back.
func (l *locks) release(name string) {
	l.mu.Lock()
	n := l.held[name]
	n.holder = nil
	l.mu.Unlock()
	n.turn <- struct{}{}
	l.leave(name, n)
}

func (l *locks) leave(name string, n *namedLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n.users--; n.users == 0 {
		delete(l.held, name)
	}
}

// lock runs fn while no other request of this process is inside a lock of that name.
func lock(L *lua.LState) int {
	name, fn := L.CheckString(1), L.CheckFunction(2)
	l := &stateOf(L).program.shared.locks
	run := vm.Current(L)
	if err := vm.Wait(L, func(ctx context.Context) error { return l.acquire(ctx, name, run) }); err != nil {
		bind.Raise(L, "rws.lock", err)
	}
	defer l.release(name)
	top := L.GetTop()
	L.Push(fn)
	vm.CallBack(L, 0, lua.MultRet)
	return L.GetTop() - top
}
