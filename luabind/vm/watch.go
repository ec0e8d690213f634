package vm

import (
	"context"
	"errors"
	"fmt"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// tick is how often the watchdog looks: the precision of deadlines and stall limits
// inside Lua code. Waits end at their deadline exactly.
const tick = 20 * time.Millisecond

// ErrDeadline is the cause of a run that used up its time.
var ErrDeadline = errors.New("the deadline passed")

// ErrStopped is the cause of a run that was ended from outside, as by Ctrl-C or a
// server that stops.
var ErrStopped = errors.New("interrupted")

// A StallError is the cause of a run that computed for too long without waiting.
type StallError struct{ Limit time.Duration }

// Error says what to do about it.
func (e *StallError) Error() string {
	return fmt.Sprintf("this code ran for %v without waiting, and no other request could run meanwhile: "+
		"split the work, or raise the limit with app:config { stall = \"…\" } or --stall", e.Limit)
}

// A GrowthError is the cause of a run that used up memory. A string that doubles itself gets
// there in a moment, and nothing else would stop it.
type GrowthError struct{ Limit int64 }

// Error says what to do about it.
func (e *GrowthError) Error() string {
	return fmt.Sprintf("this code used more than %d MB of memory without waiting: work in smaller pieces, or stream with c:stream", e.Limit>>20)
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// A watch is the context that every Lua thread of an isolate carries. The interpreter
// asks Done before each instruction, so that is one atomic load: a tight loop costs 3 %
// more than with no context, against 47 % with a context.WithTimeout (BenchmarkLoop).
type watch struct {
	iso  *Isolate
	flag atomic.Bool // some run may have to end: look closer

	// In a run that is read-only each thread has its own watch, with the flag set; see supervise.
	thread  *lua.LState
	making  int // where the thread is making something, less than 0 for nowhere
	pc      int // by which instruction
	refused error
}

// Done returns a closed channel once the run that holds the isolate must end.
func (w *watch) Done() <-chan struct{} {
	if !w.flag.Load() {
		return nil
	}
	r := w.iso.current.Load()
	if r == nil {
		return nil
	}
	if r.cause.Load() == nil {
		if w.thread == nil || !r.ReadOnly {
			return nil
		}
		if w.refused = w.refuse(r.made); w.refused == nil {
			return nil
		}
	}
	return closed
}

// Err returns why the current run must end; the interpreter raises its text.
func (w *watch) Err() error {
	if r := w.iso.current.Load(); r != nil && r.Cause() != nil {
		return r.Cause()
	}
	return w.refused
}

// Deadline is never set: deadlines belong to runs.
func (w *watch) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value holds nothing.
func (w *watch) Value(any) any { return nil }

var _ context.Context = (*watch)(nil)

// guard looks at the running code every tick until the isolate is closed.
func (i *Isolate) guard() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var looked uint64
	for {
		select {
		case <-i.done:
			return
		case now := <-ticker.C:
			i.lock.expire()
			r := i.current.Load()
			if n := i.slices.Load(); n != looked || r != nil {
				looked = n
				i.pressure.look()
			}
			if r != nil {
				i.look(now, r)
			}
		}
	}
}

// A slice is what was seen of the time since Lua last got the lock.
type slice struct {
	mu     sync.Mutex
	number uint64
	since  time.Time
	most   uint64 // how large the heap may get by garbage alone
}

// look interrupts r, which has the lock, if it must end.
func (i *Isolate) look(now time.Time, r *Run) {
	i.pressure.judge(r)
	s := &i.slice
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := i.slices.Load(); n != s.number || s.since.IsZero() {
		objects, live := heap()
		s.number, s.since, s.most = n, now, max(objects, 2*live)
	} else if objects, _ := heap(); objects > s.most+uint64(i.options.Growth) {
		r.Interrupt(&GrowthError{Limit: i.options.Growth})
	}
	if cause := r.overdue(now, now.Sub(s.since)); cause != nil {
		r.Interrupt(cause)
	}
}

// heap returns the bytes that objects occupy, garbage included, and those that were live when the
// collector last looked.
func heap() (objects, live uint64) {
	samples := [...]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples[:])
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}
