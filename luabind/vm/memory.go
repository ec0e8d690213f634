package vm

import (
	"errors"
	"fmt"
	"runtime/metrics"
	"sync/atomic"
)

// A MemoryError is the cause of a run that went on to use memory while the process had more than
// it may.
type MemoryError struct{ Limit int64 }

// Error says what to do about it.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("the server is over its memory limit of %d MB, and this code went on to use more: work in smaller pieces, or raise the limit with app:config { memory_limit = \"…\" }", e.Limit>>20)
}

// IsMemory reports whether a run ended for the memory it used, by itself or with others.
func IsMemory(cause error) bool {
	_, growth := errors.AsType[*GrowthError](cause)
	_, short := errors.AsType[*MemoryError](cause)
	return growth || short
}

// maxAllowance is what a run may allocate while memory is short, garbage included: 32 MB, or
// an eighth of the limit if that is less.
const maxAllowance = 32 << 20

// A pressure tells whether the process is over its limit. While it is, each piece of Lua is
// measured, which takes 1 µs; else nothing is.
type pressure struct {
	limit atomic.Int64 // not positive: none
	on    atomic.Bool
	epoch atomic.Uint64 // how often it went on
}

// spent is what a run allocated in an epoch. The run's goroutine writes it, the watchdog reads.
type spent struct {
	epoch, before, from atomic.Uint64
}

// SetMemoryLimit sets how much memory the process may have, in bytes; not positive means no
// limit. Above it, runs that go on to allocate are ended with a *MemoryError.
func (i *Isolate) SetMemoryLimit(bytes int64) { i.pressure.limit.Store(bytes) }

// look measures the process.
func (p *pressure) look() {
	limit := p.limit.Load()
	short := limit > 0 && int64(mapped()) > limit
	if short && !p.on.Load() {
		p.epoch.Add(1)
	}
	p.on.Store(short)
}

// begin notes that r gets the lock.
func (p *pressure) begin(r *Run) {
	if p.on.Load() {
		p.enter(r).from.Store(allocated())
	}
}

// enter makes r count in this epoch.
func (p *pressure) enter(r *Run) *spent {
	s := r.spent.Load()
	if s == nil {
		r.spent.CompareAndSwap(nil, new(spent)) // the watchdog may have been first
		s = r.spent.Load()
	}
	if now := p.epoch.Load(); s.epoch.Swap(now) != now {
		s.before.Store(0)
		s.from.Store(0)
	}
	return s
}

// end notes that r gives up the lock.
func (p *pressure) end(r *Run) {
	if r == nil || !p.on.Load() {
		return
	}
	p.judge(r)
	if s := r.spent.Load(); s != nil {
		if from := s.from.Swap(0); from != 0 {
			s.before.Add(allocated() - from)
		}
	}
}

// judge interrupts r, which has the lock, if it has allocated too much.
func (p *pressure) judge(r *Run) {
	limit := p.limit.Load()
	if !p.on.Load() || limit <= 0 {
		return
	}
	s := p.enter(r)
	now := allocated()
	if s.from.CompareAndSwap(0, now) { // it had the lock before memory was short
		return
	}
	if s.before.Load()+now-s.from.Load() > uint64(min(maxAllowance, limit/8)) {
		r.Interrupt(&MemoryError{Limit: limit})
	}
}

// mapped returns the bytes that the Go runtime has and has not given back.
func mapped() uint64 {
	samples := [...]metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples[:])
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}

// allocated returns the bytes that were ever allocated.
func allocated() uint64 {
	sample := [...]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	return sample[0].Value.Uint64()
}
