package breaker

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rws/server/proxy/window"
)

// Breaker is the circuit breaker of one backend. Safe for concurrent use; made by [Set.Breaker].
type Breaker struct {
	set  *Set
	name string

	// What the path of a backend that works reads, without the lock.
	now    atomic.Uint64 // an era
	run    atomic.Int32  // failures in a row while closed
	counts *window.Counts

	mu        sync.Mutex
	since     time.Time
	until     time.Time // open until then
	failures  int       // that opened it
	probes    []probe   // under way
	nextProbe uint64
	good      int  // probes that succeeded
	dirty     bool // the store does not know yet
	stored    Record
}

// An era is a state with the number of the changes before it, in one word. Results of a request that
// was sent in an earlier era do not matter any more.
type era uint64

func (e era) state() State     { return State(e & 3) }
func (e era) next(s State) era { return (e>>2+1)<<2 | era(s) }

func (b *Breaker) era() era { return era(b.now.Load()) }

// A probe is a request that a half-open breaker let through.
type probe struct {
	id  uint64
	end time.Time // when it is given back, whatever became of it
}

// Permit is the leave to send one request to a backend. Its zero value is none.
type Permit struct {
	b     *Breaker
	era   era
	probe uint64 // 0 while closed
}

// Result is what a request says about its backend.
type Result uint8

// Results.
const (
	// Neutral says nothing about the backend: the client went away, or sent what nobody could pass on.
	Neutral Result = iota
	Success
	Failure
)

// Name is the name that the breaker was made with.
func (b *Breaker) Name() string { return b.name }

// State is the state now. An open breaker whose time is over is half-open.
func (b *Breaker) State() State {
	if b.era().state() == Closed {
		return Closed
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stateNow(time.Now())
}

// stateNow is State under the lock.
func (b *Breaker) stateNow(now time.Time) State {
	s := b.era().state()
	if s == Open && !now.Before(b.until) {
		return HalfOpen
	}
	return s
}

// Ready reports whether Allow would give a permit. It takes none, so that a balancer can ask it of all
// backends before it chooses one.
func (b *Breaker) Ready() bool {
	if b.era().state() == Closed {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	return b.stateNow(now) == HalfOpen && b.underWay(now) < b.set.o.Probes
}

// Allow gives a permit to send one request, if the backend may have one now. The permit must be
// returned with [Permit.Done]; that of a probe is given back by itself after Options.ProbeTimeout.
func (b *Breaker) Allow() (Permit, bool) {
	if e := b.era(); e.state() == Closed {
		return Permit{b: b, era: e}, true
	}
	return b.allowProbe(time.Now())
}

func (b *Breaker) allowProbe(now time.Time) (Permit, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.stateNow(now) {
	case Closed: // since the look without the lock
		return Permit{b: b, era: b.era()}, true
	case Open:
		return Permit{}, false
	}
	if b.era().state() == Open {
		b.change(HalfOpen, now, "")
	}
	if b.underWay(now) >= b.set.o.Probes {
		return Permit{}, false
	}
	b.nextProbe++
	b.probes = append(b.probes, probe{b.nextProbe, now.Add(b.set.o.ProbeTimeout)})
	return Permit{b, b.era(), b.nextProbe}, true
}

// underWay counts the probes after giving back those that took too long.
func (b *Breaker) underWay(now time.Time) int {
	b.probes = slices.DeleteFunc(b.probes, func(p probe) bool { return !now.Before(p.end) })
	return len(b.probes)
}

// Done returns the permit with what became of the request. Call it when it is known whether the backend
// works, which of a long answer is when its header is there: a stream that goes on for an hour is no
// reason to keep a breaker half-open. Call it once; a zero Permit does nothing.
func (p Permit) Done(r Result) {
	switch {
	case p.b == nil:
	case p.probe != 0:
		p.b.probeDone(p, r)
	case r == Success:
		p.b.succeeded(p.era)
	case r == Failure:
		p.b.failed(p.era)
	}
}

// succeeded writes only what is not so already, as most requests of most backends succeed.
func (b *Breaker) succeeded(sent era) {
	if sent != b.era() {
		return
	}
	if b.counts != nil {
		b.counts.Add(false)
	} else if b.run.Load() != 0 {
		b.run.Store(0)
	}
}

func (b *Breaker) failed(sent era) {
	if sent != b.era() {
		return
	}
	n, why := b.count()
	if why == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if sent == b.era() {
		b.open(time.Now(), n, why)
	}
}

// count counts a failure. why says that the breaker opens, because of n failures.
func (b *Breaker) count() (n int, why string) {
	o := &b.set.o
	if b.counts == nil {
		if n = int(b.run.Add(1)); n >= o.Failures {
			return n, "failures in a row"
		}
		return n, ""
	}
	b.counts.Add(true)
	all, n := b.counts.Sum()
	if all >= o.Minimum && float64(n) >= o.Ratio*float64(all) {
		return n, "share of failures"
	}
	return n, ""
}

func (b *Breaker) probeDone(p Permit, r Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.era != b.era() {
		return
	}
	before := len(b.probes)
	b.probes = slices.DeleteFunc(b.probes, func(q probe) bool { return q.id == p.probe })
	if before == len(b.probes) && r != Failure {
		return // returned already, or given back: too slow to be a sign of health
	}
	switch r {
	case Success:
		if b.good++; b.good >= b.set.o.Successes {
			b.shut(time.Now(), "probe succeeded")
		}
	case Failure:
		b.open(time.Now(), b.failures, "probe failed")
	}
}

// open and shut change the state and tell the store.
func (b *Breaker) open(now time.Time, failures int, why string) {
	b.until, b.failures = now.Add(b.set.o.Open), failures
	b.change(Open, now, why)
	b.touch()
}

func (b *Breaker) shut(now time.Time, why string) {
	b.change(Closed, now, why)
	b.touch()
}

// change enters a state afresh, under the lock.
func (b *Breaker) change(to State, now time.Time, why string) {
	last := b.era()
	b.probes, b.good, b.since = nil, 0, now
	b.run.Store(0)
	if b.counts != nil {
		b.counts.Reset()
	}
	b.now.Store(uint64(last.next(to)))
	b.set.changed(Change{Name: b.name, From: last.state(), To: to, Why: why, Failures: b.failures, Until: b.until})
}

// touch has the store told.
func (b *Breaker) touch() {
	b.dirty = true
	b.jot()
	b.set.wake()
}

// Reset closes the breaker, as by hand.
func (b *Breaker) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.era().state() != Closed {
		b.shut(time.Now(), "reset")
	}
}

// status is a look at the breaker.
func (b *Breaker) status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	s := Status{Name: b.name, State: b.stateNow(now), Since: b.since, Probes: b.underWay(now)}
	if s.State == Closed {
		s.Failures = int(b.run.Load())
		if b.counts != nil {
			s.Requests, s.Failures = b.counts.Sum()
		}
		return s
	}
	s.Failures, s.Until = b.failures, b.until
	return s
}
