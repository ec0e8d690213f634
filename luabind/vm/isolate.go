package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// Defaults of Options.
const (
	DefaultStall  = time.Second
	DefaultFrames = 1_000
	DefaultGrowth = 256 << 20
)

// maxSlots bounds the values on one thread's stack: 16 MB.
const maxSlots = 1 << 20

// maxIdle is how many finished threads an isolate keeps for the next requests.
const maxIdle = 1024

// ErrClosed is returned by Enter after Close.
var ErrClosed = errors.New("this version of the app has been replaced or stopped")

// Options of an isolate; the zero value is the default.
type Options struct {
	// Stall is how long Lua may compute without waiting. Default: DefaultStall; a
	// negative value means no limit.
	Stall time.Duration
	// Frames is how deep calls may nest. Default: DefaultFrames.
	Frames int
	// Growth is how much memory Lua may add to the process without a wait, in bytes, beyond
	// what the garbage collector lets any heap grow. Default: DefaultGrowth.
	Growth int64
	// OnError runs at the place of an error, with the error value as its argument and
	// all frames still there, and returns the value that Call reports. Default: the
	// value as it is.
	OnError lua.LGFunction
	// Caught is called at the place of an error that pcall, xpcall or coroutine.resume will
	// hand to the script, with how many frames at the top are not the script's, and returns
	// the value to hand on. Default: the value as it is.
	Caught func(L *lua.LState, skip int, v lua.LValue) lua.LValue
	// Output is where print writes. Default: nowhere.
	Output io.Writer
	// Data is whatever the owner of the isolate wants to find again by Data(L).
	Data any
	// Number tells the isolates of one app apart, from 0.
	Number int
}

// An Isolate is one Lua universe behind one lock. Make it with New; all methods are
// safe for concurrent use unless they say otherwise.
type Isolate struct {
	options  Options
	lock     fairLock
	watch    watch
	current  atomic.Pointer[Run] // who holds the lock
	slices   atomic.Uint64       // how often Lua got the lock
	active   atomic.Int64        // runs that have entered and not left
	done     chan struct{}
	close    sync.Once
	pressure pressure
	slice    slice
	stall    atomic.Int64 // nanoseconds, see SetStall

	// Guarded by lock.
	built    int // bytes of large strings since the last look
	main     *lua.LState
	template *lua.LState // never runs; made when the first thread is
	idle     []*lua.LState
	onError  *lua.LFunction
	asIs     *lua.LFunction
	caught   *lua.LFunction // see Options.Caught
	strict   bool
	library  Library         // once strict
	builtin  map[string]bool // see Prepared
}

// SetStall sets Options.Stall anew; a running Run goes by it from now on.
func (i *Isolate) SetStall(d time.Duration) { i.stall.Store(int64(cmp.Or(d, DefaultStall))) }

// New returns an isolate with the standard library of Lua 5.1 less what reaches
// outside the process, and with bounds on what can run away. Close it.
func New(o Options) *Isolate {
	if o.Frames == 0 {
		o.Frames = DefaultFrames
	}
	if o.Growth == 0 {
		o.Growth = DefaultGrowth
	}
	limitArrays()
	i := &Isolate{options: o, done: make(chan struct{})}
	i.watch.iso = i
	i.SetStall(o.Stall)
	i.main = lua.NewState(lua.Options{
		// A thread costs 4 KB with these, 115 KB and 5 times the time with the defaults. Of
		// that, 2 KB are one byte per frame that CallStackSize allows.
		RegistrySize: 128, RegistryMaxSize: maxSlots, RegistryGrowStep: 128,
		CallStackSize: o.Frames, MinimizeStackMemory: true,
		SkipOpenLibs: true,
	})
	i.main.G.MainThread = i.main
	i.main.G.CurrentThread = i.main
	if o.Caught == nil {
		i.options.Caught = func(_ *lua.LState, _ int, v lua.LValue) lua.LValue { return v }
	}
	i.asIs = closing(i.main, nil)
	i.caught = closing(i.main, i.main.NewFunction(func(L *lua.LState) int {
		L.Push(i.options.Caught(L, 2, L.Get(1)))
		return 1
	}))
	i.onError = i.asIs
	if o.OnError != nil {
		i.onError = closing(i.main, i.main.NewFunction(o.OnError))
	}
	i.openLibs()
	go i.guard()
	return i
}

// Of returns the isolate of a Lua thread.
func Of(L *lua.LState) *Isolate { return L.Context().(*watch).iso }

// Data returns the Options.Data of L's isolate.
func Data(L *lua.LState) any { return Of(L).options.Data }

// Current returns the run that executes on L. Valid while that run holds the lock.
func Current(L *lua.LState) *Run { return Of(L).current.Load() }

// Changes raises ErrReadOnly in a run that is read-only, unless it is a function of the script
// that calls. Functions that make new code call it first.
func Changes(L *lua.LState) {
	if r := Current(L); r != nil && r.ReadOnly && !calledByScript(L) {
		L.RaiseError("%s", ErrReadOnly.Error())
	}
}

// calledByScript reports whether the Lua function that called last has the globals for its
// environment, as those of the script do.
func calledByScript(L *lua.LState) bool {
	for level := 0; ; level++ {
		frame, ok := L.GetStack(level)
		if !ok {
			return false
		}
		v, err := L.GetInfo("f", frame, lua.LNil)
		if fn, ok := v.(*lua.LFunction); err == nil && ok && !fn.IsG {
			return fn.Env == L.G.Global
		}
	}
}

// Number returns the isolate's place among the isolates of its app, from 0.
func (i *Isolate) Number() int { return i.options.Number }

// Active returns how many runs are in the isolate, those that wait included.
func (i *Isolate) Active() int64 { return i.active.Load() }

// Queue returns how many runs stand in line for the lock.
func (i *Isolate) Queue() int { return i.lock.waiting() }

// Waited returns how long runs have waited for their turn, all together.
func (i *Isolate) Waited() time.Duration { return i.lock.total() }

// Enter starts r: it takes the lock and a Lua thread. It fails when r's context ends
// before its turn, or when the isolate is closed. Leave must follow, on the same
// goroutine, unless it fails.
func (i *Isolate) Enter(r *Run) error {
	i.active.Add(1)
	r.iso.Store(i)
	r.ReadOnly = r.ReadOnly || r.Context != nil && IsReadOnly(r.Context)
	if err := i.acquire(r); err != nil {
		i.active.Add(-1)
		return err
	}
	select {
	case <-i.done:
		i.surrender()
		i.active.Add(-1)
		return ErrClosed
	default:
	}
	r.thread = i.take(r)
	i.main.G.CurrentThread = r.thread
	return nil
}

// Leave ends r: it gives back the thread and the lock.
func (i *Isolate) Leave(r *Run) {
	switch {
	case IsMemory(r.Cause()): // the stacks of idle threads may still hold what it had
		i.idle = nil
	case !r.spoilt:
		i.put(r, r.thread)
	}
	r.thread = nil
	i.main.G.CurrentThread = i.main // or a coroutine that failed would be kept
	i.surrender()
	r.release()
	i.active.Add(-1)
}

// Do enters r, calls f and leaves, also when f panics.
func (i *Isolate) Do(r *Run, f func(L *lua.LState) error) error {
	if err := i.Enter(r); err != nil {
		return err
	}
	defer i.Leave(r)
	return f(r.thread)
}

// Close makes Enter fail from now on and stops the watchdog. Runs that have entered
// finish. It does not wait for them.
func (i *Isolate) Close() { i.close.Do(func() { close(i.done) }) }

// Look calls f while no Lua executes, with the thread that was last to: of a run that waits, unless
// others have had their turn since. f only reads. It returns ctx's cause when that ends first.
func (i *Isolate) Look(ctx context.Context, f func(L *lua.LState)) error {
	if err := i.lock.lock(ctx); err != nil {
		return err
	}
	defer i.lock.unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f(i.main.G.CurrentThread)
	return nil
}

// acquire takes the lock for r.
func (i *Isolate) acquire(r *Run) error {
	if err := i.lock.lock(r.Context); err != nil {
		return err
	}
	i.resume(r)
	return nil
}

// resume makes r the run that executes; the lock is held.
func (i *Isolate) resume(r *Run) {
	i.pressure.begin(r)
	i.current.Store(r)
	i.slices.Add(1)
	i.watch.flag.Store(r.cause.Load() != nil)
}

// surrender gives up the lock.
func (i *Isolate) surrender() {
	i.pressure.end(i.current.Load())
	i.current.Store(nil)
	i.lock.unlock()
}

// take returns a thread for a run.
func (i *Isolate) take(r *Run) (L *lua.LState) {
	if n := len(i.idle); n > 0 {
		L = i.idle[n-1]
		i.idle = i.idle[:n-1]
	} else {
		L = i.newThread()
	}
	i.supervise(r, L)
	return L
}

// put gives a thread back.
func (i *Isolate) put(r *Run, L *lua.LState) {
	L.SetTop(0)
	L.Env = i.main.Env // setfenv(0, …) changes it
	if r.ReadOnly {
		L.SetContext(&i.watch)
	}
	if len(i.idle) < maxIdle {
		i.idle = append(i.idle, L)
	}
}

// Wait calls f with the lock released, so that other runs execute meanwhile. f must
// not touch Lua values; its context ends with the run. Wait returns f's error, or the
// run's cause when the run was interrupted.
//
// The interpreter's notion of the running coroutine is per isolate; it is put back
// before Lua goes on, without which a coroutine of another run would be corrupted.
func Wait(L *lua.LState, f func(ctx context.Context) error) error {
	i := Of(L)
	r := i.current.Load()
	thread := i.main.G.CurrentThread
	ctx := r.wait()
	i.surrender()
	defer func() {
		_ = i.lock.lock(context.Background())
		i.resume(r)
		i.main.G.CurrentThread = thread
	}()
	return r.waited(ctx, f(ctx))
}

// waited is the error of a wait that ended with err: why the run must end, if it must.
func (r *Run) waited(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	cause := r.Cause()
	if cause == nil {
		cause = context.Cause(ctx)
	}
	if errors.Is(err, cause) || errors.Is(err, ctx.Err()) {
		return cause
	}
	return fmt.Errorf("%w (%w)", cause, err)
}
