package vm

import (
	"context"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/server/cancel"
)

// lease is how often the sentry looks at a lock that is kept while its holder waits. A holder that
// it sees twice loses it.
const lease = 500 * time.Microsecond

// WaitBriefly is Wait for what is nearly always over before another run could be woken, such as
// reading a row of a local database: giving up the lock and standing in line for it again costs
// several times as much. It keeps the lock. One that takes longer than 0.5 to 1 ms loses it, and is
// from then on a wait like any other, during which other runs execute; so is the next of a run that
// has had the lock for so long in all, as one that reads in a loop.
//
// The context of f is f's own: it must not be kept. It is tied to what may end the run when
// somebody asks for its Done, or when the lock is lost; until then only Err looks. What
// [cancel.After] adds is called from then on, so it comes up to 1 ms late.
func WaitBriefly(L *lua.LState, f func(ctx context.Context) error) error {
	i := Of(L)
	r := i.current.Load()
	thread := i.main.G.CurrentThread
	b := r.brief.Load()
	if b == nil {
		b = &brief{run: r}
		r.brief.Store(b)
	}
	i.lend(r, b)
	defer func() {
		i.regain(r, b)
		i.main.G.CurrentThread = thread
	}()
	return r.waited(b, f(b))
}

// lend is surrender, but for the lock: it stays with r until it is called in.
func (i *Isolate) lend(r *Run, b *brief) {
	i.pressure.end(r)
	i.current.Store(nil)
	if !i.lock.lend(b) {
		b.tie()
		i.lock.unlock()
	}
}

// regain takes back what lend gave up.
func (i *Isolate) regain(r *Run, b *brief) {
	if !i.lock.regain(b) {
		_ = i.lock.lock(context.Background())
	}
	i.resume(r)
}

// A brief is the context of a wait that keeps the lock.
type brief struct {
	cancel.Context
	run *Run

	mu    sync.Mutex
	untie func() bool // nil until it is tied
}

// tie makes the context end when the run must.
func (b *brief) tie() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.untie == nil {
		w := b.run.wait()
		b.untie = cancel.After(w, func() { b.follow(w) })
	}
}

// follow ends the context as w has.
func (b *brief) follow(w context.Context) { b.End(w.Err(), context.Cause(w)) }

// release undoes tie.
func (b *brief) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.untie != nil {
		b.untie()
		b.untie = nil
	}
}

// Deadline implements [context.Context].
func (b *brief) Deadline() (time.Time, bool) {
	at, ok := b.run.base().Deadline()
	if d := b.run.deadline.Load(); d != 0 && (!ok || time.Unix(0, d).Before(at)) {
		return time.Unix(0, d), true
	}
	return at, ok
}

// Done implements [context.Context].
func (b *brief) Done() <-chan struct{} {
	b.tie()
	return b.Context.Done()
}

// Err implements [context.Context].
func (b *brief) Err() error {
	r := b.run
	switch d := r.deadline.Load(); {
	case b.Context.Err() != nil:
	case r.Cause() != nil:
		b.End(context.Canceled, r.Cause())
	case d != 0 && time.Now().UnixNano() >= d:
		b.End(context.DeadlineExceeded, ErrDeadline)
	case r.base().Err() != nil:
		b.End(r.base().Err(), context.Cause(r.base()))
	}
	return b.Context.Err()
}

// Value implements [context.Context].
func (b *brief) Value(key any) any {
	if v := b.Context.Value(key); v != nil {
		return v
	}
	return b.run.base().Value(key)
}

// lend lets the lock be called in from its holder. It reports false, and lends nothing, when the
// holder has to give it up.
func (l *fairLock) lend(b *brief) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.due {
		return false
	}
	l.lent, l.lends = b, true
	if !l.watched {
		l.watch()
	}
	return true
}

// watch sends for the sentry; mu is held.
func (l *fairLock) watch() {
	l.watched = true
	if l.sentry == nil {
		l.sentry = time.AfterFunc(lease, l.look)
	} else {
		l.sentry.Reset(lease)
	}
}

// regain ends a loan; it reports whether the lock is still the holder's.
func (l *fairLock) regain(b *brief) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lent != b {
		return false
	}
	l.lent = nil
	return true
}

// took notes that the lock has a new holder; mu is held.
func (l *fairLock) took() {
	l.holds++
	l.due = false
}

// look is what the sentry does. A holder that had the lock the last time too gives it up: at once
// while it waits, else when it waits again.
func (l *fairLock) look() {
	l.mu.Lock()
	same := l.held && l.holds == l.seen
	l.seen = l.holds
	b := l.lent
	late := same && b != nil
	if late {
		l.lent = nil
	}
	l.due = same && !late
	if l.watched = l.lends || same && !late; l.watched {
		l.sentry.Reset(lease)
	}
	l.lends = false
	l.mu.Unlock()
	if late { // the holder cannot go on meanwhile, and end the run: it waits for the lock
		b.tie()
		l.unlock()
	}
}
