package exchange

import (
	"context"
	"time"

	"rws/server/cancel"
)

// Most requests are answered without anybody waiting for Done, so an Exchange is tied to what may
// end it only when somebody does.

// Limit ends the context d after Start, or sooner if that was already asked for.
func (e *Exchange) Limit(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.Start.Add(d)
	if !e.deadline.IsZero() && !at.Before(e.deadline) {
		return
	}
	e.deadline = at
	if e.tied {
		e.arm()
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
	e.tie()
	return e.own.Done()
}

// AfterFunc has f called, on a goroutine of its own, when the context ends; see
// [context.AfterFunc].
func (e *Exchange) AfterFunc(f func()) (stop func() bool) {
	e.tie()
	return e.own.AfterFunc(f)
}

// Err implements [context.Context].
func (e *Exchange) Err() error {
	if err := e.own.Err(); err != nil {
		return err
	}
	e.mu.Lock()
	deadline, force := e.deadline, e.force()
	e.mu.Unlock()
	switch {
	case e.Context.Err() != nil:
		e.follow(e.Context)
	case force != nil && force.Err() != nil:
		e.follow(force)
	case !deadline.IsZero() && !time.Now().Before(deadline):
		e.own.End(context.DeadlineExceeded, nil)
	}
	return e.own.Err()
}

// Value implements [context.Context].
func (e *Exchange) Value(k any) any {
	if k == (key{}) {
		return e
	}
	if e.own.Err() != nil { // the package context looks for the cause
		if v := e.own.Value(k); v != nil {
			return v
		}
	}
	return e.Context.Value(k)
}

// follow ends the exchange as ctx has.
func (e *Exchange) follow(ctx context.Context) { e.own.End(ctx.Err(), context.Cause(ctx)) }

// tie makes what may end the exchange do so, unless that is done already.
func (e *Exchange) tie() {
	if e.Err() != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tied {
		return
	}
	e.tied = true
	e.untie[0] = cancel.After(e.Context, func() { e.follow(e.Context) })
	e.tieToForce()
	if !e.deadline.IsZero() {
		e.arm()
	}
}

// tieToForce is called with mu held.
func (e *Exchange) tieToForce() {
	e.untie[1] = nil
	if force := e.force(); force != nil {
		e.untie[1] = cancel.After(force, func() { e.follow(force) })
	}
}

// arm sets the timer for the deadline; mu is held.
func (e *Exchange) arm() {
	left := time.Until(e.deadline)
	if e.timer != nil {
		e.timer.Reset(left)
		return
	}
	e.timer = time.AfterFunc(left, func() { e.own.End(context.DeadlineExceeded, nil) })
}

// End ends the context, if it has not ended already, and releases what it holds. The one who called
// Begin calls it when the request is answered.
func (e *Exchange) End() {
	e.own.End(context.Canceled, nil)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.leaveLife()
	for _, untie := range e.untie {
		if untie != nil {
			untie()
		}
	}
	if e.timer != nil {
		e.timer.Stop()
	}
}
