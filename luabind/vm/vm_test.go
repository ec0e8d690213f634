package vm_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	"go.uber.org/goleak"

	"rws/luabind/vm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newIsolate returns an isolate with a global wait(seconds), closed with the test.
func newIsolate(t testing.TB, o vm.Options) *vm.Isolate {
	t.Helper()
	i := vm.New(o)
	t.Cleanup(i.Close)
	run(t, i, func(L *lua.LState) error {
		L.SetGlobal("wait", L.NewFunction(func(L *lua.LState) int {
			d := time.Duration(float64(L.OptNumber(1, 0.001)) * float64(time.Second))
			err := vm.Wait(L, func(ctx context.Context) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(d):
					return nil
				}
			})
			if err != nil {
				L.RaiseError("%s", err.Error())
			}
			L.Push(L.Get(1))
			return 1
		}))
		return nil
	})
	return i
}

func run(t testing.TB, i *vm.Isolate, f func(L *lua.LState) error) {
	t.Helper()
	if err := i.Do(&vm.Run{}, f); err != nil {
		t.Fatal(err)
	}
}

// compile returns a Ref to the function that source returns.
func compile(t testing.TB, i *vm.Isolate, source string) *vm.Ref {
	t.Helper()
	var ref *vm.Ref
	run(t, i, func(L *lua.LState) error {
		chunk, err := L.Load(strings.NewReader(source), "app.lua")
		if err != nil {
			return err
		}
		v, err := vm.Call(L, chunk)
		if err != nil {
			return err
		}
		ref = vm.NewRef(L, v.(*lua.LFunction))
		return nil
	})
	return ref
}

// number runs f with one argument and returns its numeric result.
func number(t testing.TB, f *vm.Ref, r *vm.Run, arg int) (n int, err error) {
	err = f.Call(r, func(*lua.LState) []lua.LValue { return []lua.LValue{lua.LNumber(arg)} },
		func(_ *lua.LState, v lua.LValue) error {
			num, ok := v.(lua.LNumber)
			if !ok {
				return errors.New("not a number: " + v.String())
			}
			n = int(num)
			return nil
		})
	return n, err
}

// Each of these functions waits in a place where an interpreter that yields would
// fail, and must return its argument plus one.
var waitingPlaces = map[string]string{
	"plain":         `return function(n) wait() return n + 1 end`,
	"pcall":         `return function(n) local ok, v = pcall(function() wait() return n end) assert(ok) return v + 1 end`,
	"failing pcall": `return function(n) local ok = pcall(function() wait() error("no") end) assert(not ok) wait() return n + 1 end`,
	"xpcall":        `return function(n) local ok, v = xpcall(function() wait() error("no") end, function() wait() return n end) assert(not ok) return v + 1 end`,
	"__index":       `return function(n) local t = setmetatable({}, {__index = function(_, k) wait() return k end}) return t[n] + 1 end`,
	"__add":         `return function(n) local t = setmetatable({}, {__add = function(_, b) wait() return n + b end}) return t + 1 end`,
	"__newindex":    `return function(n) local got local t = setmetatable({}, {__newindex = function(_, k, v) wait() got = v end}) t.x = n + 1 return got end`,
	"__call":        `return function(n) return setmetatable({}, {__call = function(_, v) wait() return v + 1 end})(n) end`,
	"__tostring":    `return function(n) return tonumber(tostring(setmetatable({}, {__tostring = function() wait() return tostring(n + 1) end}))) end`,
	"gsub":          `return function(n) local out = string.gsub("x", "x", function() wait() return tostring(n + 1) end) return tonumber(out) end`,
	"gmatch":        `return function(n) local k = 0 for w in ("a b c"):gmatch("%a") do wait() k = k + 1 end return n + k - 2 end`,
	"sort":          `return function(n) local t = {3, 2, n + 1, 1} table.sort(t, function(a, b) wait() return a > b end) for _, v in ipairs(t) do if v == n + 1 then return v end end end`,
	"iterator":      `return function(n) local sum = 0 for i in function(_, i) wait() i = (i or 0) + 1 if i <= 3 then return i end end do sum = sum + i end return n + sum - 5 end`,
	"coroutine": `return function(n) local co = coroutine.create(function(a) wait() local b = coroutine.yield(a) wait() return b + 1 end)
		local ok, a = coroutine.resume(co, n) wait() assert(ok and a == n) local ok, b = coroutine.resume(co, a) assert(ok, b) return b end`,
	"wrap": `return function(n) local next = coroutine.wrap(function() for i = 1, 3 do wait() coroutine.yield(i) end return n + 1 end)
		local last for i = 1, 4 do last = next() wait() end return last end`,
	"coroutine in coroutine": `return function(n) local outer = coroutine.wrap(function()
		local inner = coroutine.wrap(function() wait() coroutine.yield(n) wait() return n + 1 end)
		wait() local a = inner() wait() coroutine.yield(a) return inner() end) outer() wait() return outer() end`,
	"tail call": `return function(n) local function f(m) wait() if m == 0 then return n + 1 end return f(m - 1) end return f(3) end`,
	"varargs":   `return function(n) local function f(...) wait() return select("#", ...), ... end local k, v = f(n, nil, n) assert(k == 3) return v + 1 end`,
}

func TestRunsMayWaitAnywhere(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	for place, source := range waitingPlaces {
		t.Run(place, func(t *testing.T) {
			f := compile(t, i, source)
			concurrently(t, 50, func(n int) error {
				got, err := number(t, f, &vm.Run{}, n)
				if err == nil && got != n+1 {
					t.Errorf("f(%d) = %d", n, got)
				}
				return err
			})
		})
	}
}

func TestAllWaitingPlacesAtOnce(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	var refs []*vm.Ref
	for _, source := range waitingPlaces {
		refs = append(refs, compile(t, i, source))
	}
	concurrently(t, 600, func(n int) error {
		got, err := number(t, refs[n%len(refs)], &vm.Run{}, n)
		if err == nil && got != n+1 {
			t.Errorf("f(%d) = %d", n, got)
		}
		return err
	})
}

func TestACounterLocalIsExact(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	f := compile(t, i, `local hits = 0 return function() hits = hits + 1 return hits end`)
	concurrently(t, 10_000, func(n int) error { _, err := number(t, f, &vm.Run{}, n); return err })
	if got, err := number(t, f, &vm.Run{}, 0); err != nil || got != 10_001 {
		t.Fatalf("the counter is %d, %v", got, err)
	}
}

func TestAPanicInABindingLeavesNoLock(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	run(t, i, func(L *lua.LState) error {
		L.SetGlobal("boom", L.NewFunction(func(L *lua.LState) int {
			_ = vm.Wait(L, func(context.Context) error { panic("boom") })
			return 0
		}))
		return nil
	})
	f := compile(t, i, `return function(n) if n == 1 then boom() end return n end`)
	for range 20 {
		if _, err := number(t, f, &vm.Run{}, 1); err == nil || !strings.Contains(err.Error(), "boom") {
			t.Fatalf("got %v", err)
		}
	}
	if n, err := number(t, f, &vm.Run{}, 2); n != 2 || err != nil {
		t.Fatalf("after the panic: %d, %v", n, err)
	}
}

func TestDeadlines(t *testing.T) {
	for name, source := range map[string]string{
		"a loop":                   `return function() while true do end end`,
		"a loop of pcalls":         `return function() while true do pcall(function() while true do end end) end end`,
		"a loop in a coroutine":    `return function() coroutine.wrap(function() while true do end end)() end`,
		"an old coroutine":         `local co = coroutine.wrap(function() coroutine.yield() while true do end end) co() return function() co() end`,
		"a wait":                   `return function() wait(60) end`,
		"a loop of failing waits":  `return function() while true do pcall(wait, 60) end end`,
		"a loop in a metamethod":   `return function() return setmetatable({}, {__index = function() while true do end end}).x end`,
		"a sort that never agrees": `return function() local t = {} for i = 1, 1000 do t[i] = i end while true do table.sort(t, function(a, b) return a > b end) end end`,
	} {
		t.Run(name, func(t *testing.T) {
			i := newIsolate(t, vm.Options{Stall: -1})
			f := compile(t, i, source)
			r := &vm.Run{}
			r.SetDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := number(t, f, r, 1); err == nil || !strings.Contains(err.Error(), vm.ErrDeadline.Error()) {
				t.Fatalf("got %v", err)
			}
			ok := compile(t, i, `return function(n) return n end`)
			if n, err := number(t, ok, &vm.Run{}, 7); n != 7 || err != nil {
				t.Fatalf("the isolate is spoilt: %d, %v", n, err)
			}
		})
	}
}

func TestAStallNamesTheLine(t *testing.T) {
	i := newIsolate(t, vm.Options{Stall: 60 * time.Millisecond})
	f := compile(t, i, "return function()\n  while true do end\nend")
	_, err := number(t, f, &vm.Run{}, 1)
	if err == nil || !strings.Contains(err.Error(), "app.lua:2:") || !strings.Contains(err.Error(), "without waiting") {
		t.Fatalf("got %v", err)
	}
	waits := compile(t, i, `return function(n) for k = 1, 5 do wait(0.03) end return n end`)
	if n, err := number(t, waits, &vm.Run{}, 3); n != 3 || err != nil {
		t.Fatalf("waiting counted as a stall: %d, %v", n, err)
	}
}

func TestALoopStopsOnlyItsOwnIsolate(t *testing.T) {
	busy, free := newIsolate(t, vm.Options{Stall: -1}), newIsolate(t, vm.Options{})
	loop := compile(t, busy, `return function() while true do end end`)
	f := compile(t, free, `return function(n) return n end`)
	r := &vm.Run{}
	ended := make(chan error, 1)
	go func() { _, err := number(t, loop, r, 1); ended <- err }()
	concurrently(t, 100, func(n int) error { _, err := number(t, f, &vm.Run{}, n); return err })
	r.Interrupt(vm.ErrStopped)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Fatalf("got %v", err)
	}
}

func TestTheLockIsFair(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	first := &vm.Run{}
	if err := i.Enter(first); err != nil {
		t.Fatal(err)
	}
	var order []int
	var done sync.WaitGroup
	for n := range 20 {
		done.Go(func() {
			r := &vm.Run{}
			if err := i.Enter(r); err != nil {
				t.Error(err)
				return
			}
			order = append(order, n)
			i.Leave(r)
		})
		for i.Queue() != n+1 {
			time.Sleep(time.Microsecond)
		}
	}
	i.Leave(first)
	done.Wait()
	for n, got := range order {
		if got != n {
			t.Fatalf("served in the order %v", order)
		}
	}
}

func TestAWaiterGivesUpWithItsContext(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	first := &vm.Run{}
	if err := i.Enter(first); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- i.Enter(&vm.Run{Context: ctx}) }()
	for i.Queue() != 1 {
		time.Sleep(time.Microsecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	i.Leave(first)
	run(t, i, func(*lua.LState) error { return nil })
}

func TestDeepRecursionIsAClearError(t *testing.T) {
	i := newIsolate(t, vm.Options{Stall: -1})
	for name, source := range map[string]string{
		"calls":      `return function(n) local function f(k) return 1 + f(k + 1) end return f(1) end`,
		"pcalls":     `return function(n) local function f() local ok, e = pcall(f) if not ok then error(e, 0) end return 1 end return f() end`,
		"coroutines": `return function(n) local function f() coroutine.wrap(f)() end f() end`,
		"tables":     `return function(n) local t = {} setmetatable(t, {__index = function(t, k) return t[k .. "x"] end}) return t.a end`,
	} {
		t.Run(name, func(t *testing.T) {
			f := compile(t, i, source)
			if _, err := number(t, f, &vm.Run{}, 1); err == nil || !strings.Contains(err.Error(), "stack overflow") {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestACaughtErrorLeavesLocalsAndClosuresTogether(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	for name, source := range map[string]string{
		"pcall":                 `return function(n) local k = 0 local inc = function() k = k + 1 end pcall(error, "x") inc() return n + k end`,
		"pcall, run-time error": `return function(n) local k = 0 local inc = function() k = k + 1 end pcall(function() local t t.x = 1 end) inc() return n + k end`,
		"xpcall":                `return function(n) local k = 0 local inc = function() k = k + 1 end xpcall(error, function(e) return e end) inc() return n + k end`,
		"a closure of the failed call": `return function(n) local f xpcall(function() local x = n + 1 f = function() return x end error("e") end, function(e) return e end)
			local function use(a, b, c, d, e) local q, w, r, y, u = 1, 2, 3, 4, 5 return f() end return use(7, 7, 7, 7, 7) end`,
		"coroutine": `return function(n) local k = 0 local inc = function() k = k + 1 end coroutine.resume(coroutine.create(function() error("x") end)) inc() return n + k end`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := number(t, compile(t, i, source), &vm.Run{}, 4); got != 5 || err != nil {
				t.Fatalf("got %d, %v", got, err)
			}
		})
	}
}

func TestYieldAcrossPcallIsAClearError(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	f := compile(t, i, `return function(n) local ok, e = coroutine.resume(coroutine.create(function() local ok, e = pcall(coroutine.yield, 1) error(e, 0) end)) error(e, 0) end`)
	if _, err := number(t, f, &vm.Run{}, 1); err == nil || !strings.Contains(err.Error(), "yield") {
		t.Fatalf("got %v", err)
	}
}

func TestYieldFromWhereItCannotIsAnErrorAndSpoilsNothing(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	for _, source := range []string{
		`return function() assert(coroutine.resume(coroutine.create(function() return setmetatable({}, { __index = function() coroutine.yield(1) end }).x end))) error("no result") end`,
		`return function() coroutine.wrap(function() ("x"):gsub("x", function() coroutine.yield(1) end) end)() end`,
	} {
		f := compile(t, i, source)
		for range 3 {
			if _, err := number(t, f, &vm.Run{}, 1); err == nil {
				t.Errorf("no error from %s", source)
			}
		}
	}
	for place, source := range waitingPlaces {
		if n, err := number(t, compile(t, i, source), &vm.Run{}, 4); n != 5 || err != nil {
			t.Errorf("afterwards, %s: %d, %v", place, n, err)
		}
	}
}

func TestUndeclaredGlobals(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	f := compile(t, i, `declared = 1 return function(n) if n == 1 then declared = 2 return declared end oops = 1 return 0 end`)
	run(t, i, func(L *lua.LState) error { i.Seal(L); return nil })
	if n, err := number(t, f, &vm.Run{}, 1); n != 2 || err != nil {
		t.Fatalf("a declared global: %d, %v", n, err)
	}
	if _, err := number(t, f, &vm.Run{}, 2); err == nil || !strings.Contains(err.Error(), `"oops"`) {
		t.Fatalf("got %v", err)
	}
}

func TestAClosedIsolateRefusesWork(t *testing.T) {
	i := vm.New(vm.Options{})
	i.Close()
	if err := i.Enter(&vm.Run{}); !errors.Is(err, vm.ErrClosed) {
		t.Fatalf("got %v", err)
	}
}

func concurrently(t *testing.T, n int, f func(n int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for k := range n {
		wg.Go(func() {
			if err := f(k); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkCall(b *testing.B) {
	i := newIsolate(b, vm.Options{})
	f := compile(b, i, `return function(n) return n end`)
	b.ReportAllocs()
	for b.Loop() {
		r := &vm.Run{}
		if err := i.Enter(r); err != nil {
			b.Fatal(err)
		}
		if _, err := vm.Call(r.Thread(), f.Func(), lua.LNil); err != nil {
			b.Fatal(err)
		}
		i.Leave(r)
	}
}

func BenchmarkWait(b *testing.B) {
	i := newIsolate(b, vm.Options{})
	b.ReportAllocs()
	r := &vm.Run{}
	if err := i.Enter(r); err != nil {
		b.Fatal(err)
	}
	defer i.Leave(r)
	for b.Loop() {
		_ = vm.Wait(r.Thread(), func(context.Context) error { return nil })
	}
}

// BenchmarkLoop shows what the guard rails cost a loop: 10,000 rounds of an addition.
func BenchmarkLoop(b *testing.B) {
	const source = `local n = 0 for i = 1, 10000 do n = n + i end`
	loop := func(b *testing.B, L *lua.LState) {
		fn, err := L.LoadString(source)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			L.Push(fn)
			L.Call(0, 0)
		}
	}
	b.Run("bare", func(b *testing.B) { L := lua.NewState(); defer L.Close(); loop(b, L) })
	b.Run("context", func(b *testing.B) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		L := lua.NewState()
		defer L.Close()
		L.SetContext(ctx)
		loop(b, L)
	})
	b.Run("isolate", func(b *testing.B) {
		i := newIsolate(b, vm.Options{Stall: -1})
		run(b, i, func(L *lua.LState) error { loop(b, L); return nil })
	})
}

func BenchmarkContended(b *testing.B) {
	i := newIsolate(b, vm.Options{})
	f := compile(b, i, `return function(n) local t = {} for k = 1, 10 do t[k] = n end return n end`)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := &vm.Run{}
			if err := i.Enter(r); err != nil {
				b.Error(err)
				return
			}
			if _, err := vm.Call(r.Thread(), f.Func(), lua.LNil); err != nil {
				b.Error(err)
			}
			i.Leave(r)
		}
	})
}

func TestARunThatGrowsOverTheMemoryLimitEnds(t *testing.T) {
	i := newIsolate(t, vm.Options{Stall: -1})
	grow := compile(t, i, "return function(n)\n  local kept = {}\n  while true do\n    kept[#kept + 1] = (\"x\"):rep(2^18) .. #kept\n    wait(0.001)\n  end\nend")
	fine := compile(t, i, `return function(n) return n end`)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	limit := before.Sys - before.HeapReleased + 64<<20
	i.SetMemoryLimit(int64(limit))
	_, err := number(t, grow, &vm.Run{}, 1)
	if err == nil || !strings.Contains(err.Error(), "memory limit") || !strings.Contains(err.Error(), "app.lua:") {
		t.Fatalf("got %v", err)
	}
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	if used := after.Sys - after.HeapReleased; used > limit+96<<20 {
		t.Errorf("%d MB with a limit of %d", used>>20, limit>>20)
	}
	i.SetMemoryLimit(1)
	if n, err := number(t, fine, &vm.Run{}, 7); n != 7 || err != nil {
		t.Errorf("a run that uses little: %d, %v", n, err)
	}
}

func TestAWaitThatEndsSaysWhyOnce(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	f := compile(t, i, `return function(n) local ok, e = pcall(wait, 60) error(e, 0) end`)
	r := &vm.Run{}
	r.SetDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := number(t, f, r, 1); err == nil || strings.Count(err.Error(), "the deadline passed") != 1 {
		t.Errorf("got %v", err)
	}
}
