package vm_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	lua "github.com/yuin/gopher-lua"

	"rws/luabind/vm"
	"rws/server/cancel"
)

// enter begins a run that ends with the test.
func enter(t *testing.T, i *vm.Isolate, r *vm.Run) *lua.LState {
	t.Helper()
	require.NoError(t, i.Enter(r))
	t.Cleanup(func() { i.Leave(r) })
	return r.Thread()
}

func TestABriefWaitKeepsTheIsolate(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	var others atomic.Int64
	done := make(chan struct{})
	kept := 0
	for range 200 {
		run(t, i, func(L *lua.LState) error {
			before := others.Load()
			go func() {
				_ = i.Do(&vm.Run{}, func(*lua.LState) error { others.Add(1); return nil })
				done <- struct{}{}
			}()
			assert.Eventually(t, func() bool { return i.Queue() == 1 }, 10*time.Second, 10*time.Microsecond)
			_ = vm.WaitBriefly(L, func(context.Context) error { return nil })
			if others.Load() == before {
				kept++
			}
			return nil
		})
		<-done
	}
	assert.Greater(t, kept, 150, "a machine that is busy may take some away")
}

func TestALongBriefWaitLetsOthersExecute(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	L := enter(t, i, &vm.Run{})
	start := time.Now()
	err := vm.WaitBriefly(L, func(context.Context) error {
		// Only a run that gets the isolate while this waits can end the wait.
		return i.Do(&vm.Run{}, func(*lua.LState) error { return nil })
	})
	require.NoError(t, err)
	assert.Less(t, time.Since(start), 5*time.Second, "some 1 ms")
	assert.Same(t, L, vm.Current(L).Thread(), "and it has the isolate again")
}

func TestALoopOfBriefWaitsLetsOthersExecute(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	L := enter(t, i, &vm.Run{})
	var executed atomic.Bool
	done := make(chan error, 1)
	go func() { done <- i.Do(&vm.Run{}, func(*lua.LState) error { executed.Store(true); return nil }) }()
	for start := time.Now(); !executed.Load(); {
		require.NoError(t, vm.WaitBriefly(L, func(context.Context) error { return nil }))
		require.Less(t, time.Since(start), 10*time.Second, "it has the isolate to itself")
	}
	require.NoError(t, <-done)
}

func TestALongBriefWaitEndsWithItsRun(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	stop := errors.New("enough")
	ctx, end := context.WithCancelCause(context.Background())
	for name, c := range map[string]struct {
		run  *vm.Run
		end  func(*vm.Run)
		want error
	}{
		"at the deadline":     {&vm.Run{}, func(r *vm.Run) { r.SetDeadline(time.Now().Add(20 * time.Millisecond)) }, vm.ErrDeadline},
		"by an interrupt":     {&vm.Run{}, func(r *vm.Run) { time.AfterFunc(20*time.Millisecond, func() { r.Interrupt(vm.ErrStopped) }) }, vm.ErrStopped},
		"with its context":    {&vm.Run{Context: ctx}, func(*vm.Run) { time.AfterFunc(20*time.Millisecond, func() { end(stop) }) }, stop},
		"that is over before": {&vm.Run{}, func(r *vm.Run) { r.SetDeadline(time.Now().Add(-time.Second)) }, vm.ErrDeadline},
	} {
		for _, way := range []string{"Done", "After"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				r := c.run
				if way == "After" {
					r = &vm.Run{Context: c.run.Context}
				}
				L := enter(t, i, r)
				c.end(r)
				err := vm.WaitBriefly(L, func(ctx context.Context) error {
					ended := ctx.Done()
					if way == "After" {
						c := make(chan struct{})
						ended = c
						defer cancel.After(ctx, func() { close(c) })()
					}
					select {
					case <-ended:
						return ctx.Err()
					case <-time.After(10 * time.Second):
						return errors.New("it was not told")
					}
				})
				assert.ErrorIs(t, err, c.want)
			})
		}
	}
}

func TestBriefWaitsOfManyRunsAtOnce(t *testing.T) {
	i := newIsolate(t, vm.Options{})
	inside := 0 // guarded by the isolate
	concurrently(t, 50, func(n int) error {
		r := &vm.Run{}
		return i.Do(r, func(L *lua.LState) error {
			for k := range 20 {
				inside++
				if inside != 1 {
					return errors.New("two runs at once")
				}
				inside--
				wait := vm.WaitBriefly
				if k%4 == 0 {
					wait = vm.Wait
				}
				err := wait(L, func(ctx context.Context) error {
					if (n+k)%7 == 0 {
						time.Sleep(2 * time.Millisecond) // as what takes long this time
					}
					return ctx.Err()
				})
				if err != nil || vm.Current(L) != r {
					return errors.New("the isolate is another's")
				}
			}
			return nil
		})
	})
}

func BenchmarkWaitBriefly(b *testing.B) {
	for name, wait := range map[string]func(*lua.LState, func(context.Context) error) error{"wait": vm.Wait, "briefly": vm.WaitBriefly} {
		b.Run(name, func(b *testing.B) {
			i := newIsolate(b, vm.Options{})
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_ = i.Do(&vm.Run{}, func(L *lua.LState) error {
						return wait(L, func(context.Context) error {
							for start := time.Now(); time.Since(start) < 10*time.Microsecond; {
							}
							return nil
						})
					})
				}
			})
		})
	}
}
