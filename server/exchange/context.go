package exchange

import (
	"context"
	"time"
)

// Most requests are answered without anybody waiting for Done, so the context with a deadline
// and a way to be cut short is made only when somebody does: 0 instead of 4 allocations.

// Limit ends the context d after Start, or sooner if that was already asked for. It has no
// effect on contexts that were derived before.
func (e *Exchange) Limit(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.Start.Add(d)
	if e.deadline.IsZero() || at.Before(e.deadline) {
		e.deadline = at
	}
}

// Deadline implements [context.Context].
func (e *Exchange) Deadline() (time.Time, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, ok := e.Context.Deadline()
	if e.deadline.IsZero() || ok && at.Before(e.deadline) {
		return at, ok
	}
	return e.deadline, true
}

// Done implements [context.Context].
func (e *Exchange) Done() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state().Done()
}

// Err implements [context.Context].
func (e *Exchange) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.live != nil {
		return e.live.Err()
	}
	if err := e.Context.Err(); err != nil {
		return err
	}
	if e.ended || e.forced() || !e.deadline.IsZero() && !time.Now().Before(e.deadline) {
		return e.state().Err() // which knows the cause too
	}
	return nil
}

func (e *Exchange) forced() bool {
	return e.life != nil && e.life.Force != nil && e.life.Force.Err() != nil
}

// Value implements [context.Context].
func (e *Exchange) Value(k any) any {
	if k == (key{}) {
		return e
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.live != nil { // the context package looks for its own kind here
		return e.live.Value(k)
	}
	return e.Context.Value(k)
}

// state is the context that really ends; made on the first call, with mu held.
func (e *Exchange) state() context.Context {
	if e.live != nil {
		return e.live
	}
	ctx, cancel := context.WithCancelCause(e.Context)
	releaseTimer := context.CancelFunc(func() {})
	if !e.deadline.IsZero() {
		ctx, releaseTimer = context.WithDeadline(ctx, e.deadline)
	}
	unhook := func() bool { return true }
	if e.forced() {
		cancel(context.Cause(e.life.Force))
	} else if e.life != nil && e.life.Force != nil {
		force := e.life.Force
		unhook = context.AfterFunc(force, func() { cancel(context.Cause(force)) })
	}
	e.live = ctx
	e.release = func() {
		unhook()
		cancel(nil)
		releaseTimer()
	}
	if e.ended {
		e.release()
	}
	return e.live
}
