package luabind

import (
	"context"
	"slices"
	"sync"
	"time"

	"rws/luabind/vm"
)

// A fakeClock stands still until a test moves it, or until everything that goes on sleeps: then it
// moves to what comes first, the end of a sleep or the deadline of a request. What goes on is the
// test itself and each function of rws.parallel and rws.race.
type fakeClock struct {
	mu       sync.Mutex
	now      time.Time
	awake    int // of what goes on, without those that sleep
	sleepers []*sleeper
	limits   []*limitedRun
}

// A sleeper is a sleep that has not ended.
type sleeper struct {
	ctx   context.Context
	at    time.Time
	ended chan struct{}
}

// A limitedRun is a run with a deadline by the clock.
type limitedRun struct {
	run *vm.Run
	at  time.Time
}

// standstill is how long nothing may end while somebody sleeps and somebody waits for what the clock
// does not know, as a lock that a sleeper holds; then the clock moves all the same.
const standstill = 250 * time.Millisecond

func newFakeClock() *fakeClock { return &fakeClock{now: time.Now(), awake: 1} }

// Now returns the time the test has reached.
func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep waits until the clock has moved by d.
func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	if err := context.Cause(ctx); err != nil || d <= 0 {
		return err
	}
	c.mu.Lock()
	s := &sleeper{ctx: ctx, at: c.now.Add(d), ended: make(chan struct{})}
	c.sleepers = append(c.sleepers, s)
	c.awake--
	c.settle()
	c.mu.Unlock()
	still := time.NewTicker(standstill)
	defer still.Stop()
	for {
		select {
		case <-s.ended:
			return context.Cause(ctx)
		case <-ctx.Done():
			c.mu.Lock()
			c.wake(func(other *sleeper) bool { return other == s })
			c.mu.Unlock()
			return context.Cause(ctx)
		case <-still.C:
			c.mu.Lock()
			c.move()
			c.mu.Unlock()
		}
	}
}

// begin says that the one who calls starts n others and waits for them.
func (c *fakeClock) begin(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		c.awake += n - 1
	}
}

// end says that one of them has ended; last is true when nobody is left, so that who waited goes on.
func (c *fakeClock) end(last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last {
		return
	}
	c.awake--
	c.settle()
}

// limit ends run when the clock has moved by d, until the function it returns is called.
func (c *fakeClock) limit(run *vm.Run, d time.Duration) (lift func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &limitedRun{run, c.now.Add(d)}
	c.limits = append(c.limits, l)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.limits = slices.DeleteFunc(c.limits, func(other *limitedRun) bool { return other == l })
	}
}

// advance moves the clock.
func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reach(c.now.Add(d))
}

// settle moves the clock if everything sleeps; mu is held.
func (c *fakeClock) settle() {
	if c.awake <= 0 {
		c.move()
	}
}

// move moves the clock to what comes first; mu is held. A sleeper that somebody has ended is about
// to go on.
func (c *fakeClock) move() {
	if len(c.sleepers) == 0 || slices.ContainsFunc(c.sleepers, func(s *sleeper) bool { return s.ctx.Err() != nil }) {
		return
	}
	at := slices.MinFunc(c.sleepers, func(a, b *sleeper) int { return a.at.Compare(b.at) }).at
	for _, l := range c.limits {
		if l.at.Before(at) {
			at = l.at
		}
	}
	c.reach(at)
}

// reach sets the time, ends the runs whose deadline it passes, and the sleeps; mu is held.
func (c *fakeClock) reach(at time.Time) {
	c.now = at
	c.limits = slices.DeleteFunc(c.limits, func(l *limitedRun) bool {
		due := !l.at.After(at)
		if due {
			l.run.Interrupt(vm.ErrDeadline)
		}
		return due
	})
	c.wake(func(s *sleeper) bool { return s.ctx.Err() == nil && !s.at.After(at) })
}

// wake ends sleeps; mu is held.
func (c *fakeClock) wake(which func(s *sleeper) bool) {
	c.sleepers = slices.DeleteFunc(c.sleepers, func(s *sleeper) bool {
		ends := which(s)
		if ends {
			c.awake++
			close(s.ended)
		}
		return ends
	})
}

// fakeClock returns the clock of a test, nil outside of tests.
func (p *Program) fakeClock() *fakeClock {
	c, _ := p.options.Clock.(*fakeClock)
	return c
}

// limit sets when a run must have ended, also by the clock of a test, and returns what to call when
// the run is over.
func (p *Program) limit(run *vm.Run, at time.Time) (lift func()) {
	run.SetDeadline(at)
	if c := p.fakeClock(); c != nil {
		return c.limit(run, time.Until(at))
	}
	return noLift
}

func noLift() {}
