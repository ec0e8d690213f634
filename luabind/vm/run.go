package vm

import (
	"context"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/server/cancel"
)

// A Run is one piece of work in an isolate: a request, a job, a tick, a REPL line.
// Fill Context, Deadline and Owner before Enter; the rest belongs to the package.
// A run is used by one goroutine; Interrupt and Cause may be called from any.
type Run struct {
	// Context ends the run's waits, and the run, when it is done. Default: background.
	Context context.Context
	// Stall is how long Lua may compute without a wait. 0 means the isolate's
	// limit, a negative value no limit.
	Stall time.Duration
	// ReadOnly refuses what would change anything but the values that the run has made, as in a
	// console in production: assignments of Lua, whichever function they are in, and the functions
	// of Go that call Writes or Change.
	ReadOnly bool
	// Level is how many runs wait for this one to end, as in parallel.
	Level int
	// Owner is whatever the run works for, as the request; Owner(L) finds it.
	Owner any

	iso      atomic.Pointer[Isolate]
	thread   *lua.LState
	depth    int32        // nested protected calls
	yielded  bool         // coroutine.yield was called
	spoilt   bool         // the interpreter panicked: its threads may be in any state
	overflow *lua.LString // see KeepOverflow
	deadline atomic.Int64 // Unix nanoseconds, 0 for none
	cause    atomic.Pointer[error]
	waits    atomic.Pointer[waits] // nil until the run waits
	brief    atomic.Pointer[brief] // see WaitBriefly; nil until the run does
	spent    atomic.Pointer[spent] // nil until memory is short
	made     *made                 // while the run is read-only
	parent   *Run                  // see Inherit
	callers  *callers              // nil until a function of Go calls Lua
}

// callers are threads whose functions of Go wait for Lua: they cannot yield.
type callers []*lua.LState

// Inherit makes r part of the work of parent: it has its owner and limits. Call it before Enter.
func (r *Run) Inherit(parent *Run) {
	r.Owner, r.Stall, r.ReadOnly, r.made, r.parent = parent.Owner, parent.Stall, parent.ReadOnly, parent.made, parent
}

// Within reports whether r is other or part of its work, so that other ends no sooner.
func (r *Run) Within(other *Run) bool {
	for ; r != nil && other != nil; r = r.parent {
		if r == other {
			return true
		}
	}
	return false
}

// Deadline is when the run must have ended; the zero time means never.
func (r *Run) Deadline() time.Time {
	if at := r.deadline.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// SetDeadline sets when the run must have ended; the zero time means never. It may be
// called while the run goes on, as when a handler turns into a stream.
func (r *Run) SetDeadline(t time.Time) {
	if t.IsZero() {
		r.deadline.Store(0)
	} else {
		r.deadline.Store(t.UnixNano())
	}
	r.release()
}

// Interrupt makes the run end: its Lua code raises cause at the next instruction and
// its waits return. The first cause stays.
func (r *Run) Interrupt(cause error) {
	if !r.cause.CompareAndSwap(nil, &cause) {
		return
	}
	if i := r.iso.Load(); i != nil {
		i.watch.flag.Store(true)
	}
	if w := r.waits.Load(); w != nil {
		w.End(context.Canceled, cause)
	}
}

// Cause returns why the run was interrupted, or nil.
func (r *Run) Cause() error {
	if c := r.cause.Load(); c != nil {
		return *c
	}
	return nil
}

// Checkpoint raises, as the interpreter does before an instruction, when the run on L must
// end. A Go function that works for long with the lock held calls it now and then.
func Checkpoint(L *lua.LState) {
	ctx := L.Context()
	if ctx == nil {
		return
	}
	select {
	case <-ctx.Done():
		L.RaiseError("%s", ctx.Err().Error())
	default:
	}
}

// Thread returns the run's own Lua thread; valid between Enter and Leave.
func (r *Run) Thread() *lua.LState { return r.thread }

// Isolate returns the isolate the run is in, nil before Enter.
func (r *Run) Isolate() *Isolate { return r.iso.Load() }

// Late reports whether the deadline has passed, also for a run that has caught the error of it.
func (r *Run) Late() bool {
	d := r.deadline.Load()
	return d != 0 && time.Now().UnixNano() >= d || r.Cause() == ErrDeadline
}

// overdue returns why the run must end now, after it computed for busy without a wait.
func (r *Run) overdue(now time.Time, busy time.Duration) error {
	if d := r.deadline.Load(); d != 0 && now.UnixNano() >= d {
		return ErrDeadline
	}
	if r.Context != nil && r.Context.Err() != nil {
		return context.Cause(r.Context)
	}
	limit := r.Stall
	if limit == 0 {
		limit = time.Duration(r.iso.Load().stall.Load())
	}
	if limit > 0 && busy >= limit {
		return &StallError{Limit: limit}
	}
	return nil
}

// base returns the context the run was given.
func (r *Run) base() context.Context {
	if r.Context == nil {
		return context.Background()
	}
	return r.Context
}

// A waits is the context for the waits of a run: it ends with the run's context, at its deadline
// and when the run is interrupted.
type waits struct {
	cancel.Context
	base     context.Context
	deadline time.Time // zero for none
	timer    *time.Timer
	untie    func() bool
}

// Deadline implements [context.Context].
func (w *waits) Deadline() (time.Time, bool) {
	at, ok := w.base.Deadline()
	if w.deadline.IsZero() || ok && at.Before(w.deadline) {
		return at, ok
	}
	return w.deadline, true
}

// Value implements [context.Context].
func (w *waits) Value(key any) any {
	if v := w.Context.Value(key); v != nil {
		return v
	}
	return w.base.Value(key)
}

// wait returns the context for the run's waits. Made on the first wait, because most requests
// never wait.
func (r *Run) wait() context.Context {
	if w := r.waits.Load(); w != nil {
		return w
	}
	w := &waits{base: r.base()}
	if d := r.deadline.Load(); d != 0 {
		w.deadline = time.Unix(0, d)
		w.timer = time.AfterFunc(time.Until(w.deadline), func() { w.End(context.DeadlineExceeded, ErrDeadline) })
	}
	w.untie = cancel.After(w.base, w.follow)
	r.waits.Store(w)
	switch {
	case r.Cause() != nil:
		w.End(context.Canceled, r.Cause())
	case w.base.Err() != nil:
		w.follow()
	}
	return w
}

// follow ends the waits as the context of the run has.
func (w *waits) follow() { w.End(w.base.Err(), context.Cause(w.base)) }

// release frees what wait made.
func (r *Run) release() {
	if b := r.brief.Load(); b != nil {
		b.release()
	}
	w := r.waits.Swap(nil)
	if w == nil {
		return
	}
	w.End(context.Canceled, nil)
	w.untie()
	if w.timer != nil {
		w.timer.Stop()
	}
}
