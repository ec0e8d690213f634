// Package breaker keeps requests from a backend that fails, until it works again.
//
// A breaker is closed while the backend works. Failures open it: no request is sent for a while, so that
// clients are answered at once and the backend has time to recover. Then it is half-open: a few requests
// are let through as probes; their success closes it, a failure opens it again.
//
// What opens and closes goes to a [Store], so that a restart does not forget it and several instances
// share it. Requests never wait for the store: changes are written and read in the background.
package breaker

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"rws/server/proxy/window"
)

// State is the state of a breaker.
type State uint8

// States, with the numbers that metrics show.
const (
	Closed State = iota
	Open
	HalfOpen
)

// String is "closed", "open" or "half-open".
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Open:
		return "open"
	case HalfOpen:
		return "half-open"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Defaults of Options.
const (
	DefaultFailures     = 5
	DefaultMinimum      = 20
	DefaultWindow       = 10 * time.Second
	DefaultOpen         = 30 * time.Second
	DefaultProbeTimeout = 30 * time.Second
	DefaultRefresh      = time.Second
)

// Options of [New]. Zero values mean the defaults.
type Options struct {
	// Name is of the pool, so that pools can share a store: breakers are kept as "name/backend".
	Name string
	// Failures in a row open a breaker; default 5.
	Failures int
	// Ratio, between 0 and 1, opens by the share of failures among the last requests in place of
	// failures in a row: of those in Window (default 10 s), if they are at least Minimum (default 20).
	Ratio   float64
	Minimum int
	Window  time.Duration
	// Open is how long no request is let through; default 30 s.
	Open time.Duration
	// Probes is how many requests at a time a half-open breaker lets through; default 1. Instances that
	// share a store let through as many each.
	Probes int
	// Successes is how many probes must succeed to close; default 1.
	Successes int
	// ProbeTimeout is when a probe whose caller is not heard of again makes room for another; default
	// 30 s, which is how long an answer may take. Its success does not count then.
	ProbeTimeout time.Duration
	// Store keeps what is open; nil for nothing but this Set's memory. It stays the caller's to close.
	Store Store
	// Notes keep what is open for the Set that comes next, should Store be away then; nil for nothing.
	Notes *Notes
	// Refresh is how often the store is read; default 1 s. That long may pass until this instance does
	// what another one has found out.
	Refresh time.Duration
	// OnChange hears each change of state, with a lock held: it must return at once and not call
	// anything of the breaker.
	OnChange func(Change)
	Logger   *slog.Logger // default slog.Default()
}

// Change is a change of the state of a breaker.
type Change struct {
	Name     string // of the backend
	From, To State
	Why      string // as in "failures in a row"; "" when the time of an open breaker was over
	Failures int    // that opened it
	Until    time.Time
}

// Status is the state of a breaker with what led to it.
type Status struct {
	Name  string
	State State
	Since time.Time // when the state began; zero if it was never another
	Until time.Time // an open breaker is open until then
	// Failures that opened it, or while closed those that are counted now; Requests are of the window.
	Failures, Requests int
	Probes             int // under way
}

// Set are the breakers of a pool. Safe for concurrent use; made by [New].
type Set struct {
	o Options

	mu       sync.Mutex
	breakers map[string]*Breaker

	sync *syncer // nil without a store
}

// New checks the options. Start begins to use the store.
func New(o Options) (*Set, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s := &Set{o: o, breakers: map[string]*Breaker{}}
	if o.Store != nil {
		s.sync = newSyncer(s)
	}
	return s, nil
}

func (o Options) check() error {
	switch {
	case o.Failures < 0:
		return fmt.Errorf("breaker: %d failures cannot open it: must be 1 or more", o.Failures)
	case o.Ratio < 0 || o.Ratio > 1:
		return fmt.Errorf("breaker: the ratio of failures is %v: must be more than 0 and at most 1", o.Ratio)
	case o.Ratio > 0 && o.Failures > 0:
		return fmt.Errorf("breaker: both failures (%d) and a ratio (%v) are given: one of them opens it", o.Failures, o.Ratio)
	case o.Minimum < 0 || o.Probes < 0 || o.Successes < 0:
		return fmt.Errorf("breaker: minimum (%d), probes (%d) and successes (%d) must not be negative", o.Minimum, o.Probes, o.Successes)
	case o.Window < 0 || o.Open < 0 || o.ProbeTimeout < 0 || o.Refresh < 0:
		return fmt.Errorf("breaker: window (%v), open (%v), probe timeout (%v) and refresh (%v) must not be negative", o.Window, o.Open, o.ProbeTimeout, o.Refresh)
	}
	return nil
}

func (o Options) withDefaults() Options {
	o.Failures = cmp.Or(o.Failures, DefaultFailures)
	o.Minimum = cmp.Or(o.Minimum, DefaultMinimum)
	o.Window = cmp.Or(o.Window, DefaultWindow)
	o.Open = cmp.Or(o.Open, DefaultOpen)
	o.Probes = cmp.Or(o.Probes, 1)
	o.Successes = cmp.Or(o.Successes, 1)
	o.ProbeTimeout = cmp.Or(o.ProbeTimeout, DefaultProbeTimeout)
	o.Refresh = cmp.Or(o.Refresh, DefaultRefresh)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return o
}

// Start reads the store, waiting for it at most two seconds, and keeps in step with it until Close or
// the end of ctx. A store that fails is logged, and the breakers go on in memory. Without a store it
// does nothing.
func (s *Set) Start(ctx context.Context) {
	if s.sync != nil {
		s.sync.start(ctx)
	}
}

// Close writes what the store does not know yet, waiting for it at most two seconds, and ends what
// Start began. The breakers themselves go on.
func (s *Set) Close() {
	if s.sync != nil {
		s.sync.close()
	}
}

// Breaker returns the breaker of a backend, made when it is first asked for. Keep it: this takes a lock.
func (s *Set) Breaker(name string) *Breaker {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.breakers[name]
	if b == nil {
		b = &Breaker{set: s, name: name}
		if s.o.Ratio > 0 {
			b.counts = window.New(s.o.Window)
		}
		s.breakers[name] = b
		b.recall()
		s.wake() // to learn what the store knows of it
	}
	return b
}

// Remove forgets the breaker of a backend that is gone. What the store has of it stays there for a
// while, in case the backend comes back.
func (s *Set) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.breakers, name)
}

// Status returns the state of all breakers, by name.
func (s *Set) Status() []Status {
	var list []Status
	for _, b := range s.all() {
		list = append(list, b.status())
	}
	return list
}

// all are the breakers by name.
func (s *Set) all() []*Breaker {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Breaker, 0, len(s.breakers))
	for _, b := range s.breakers {
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b *Breaker) int { return cmp.Compare(a.name, b.name) })
	return list
}

// wake has the store told at once.
func (s *Set) wake() {
	if s.sync != nil {
		s.sync.wake()
	}
}

// changed logs a change and tells who wants to hear it.
func (s *Set) changed(c Change) {
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String("pool", s.o.Name), slog.String("backend", c.Name), slog.String("from", c.From.String())}
	if c.Why != "" {
		attrs = append(attrs, slog.String("why", c.Why))
	}
	if c.To == Open {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Int("failures", c.Failures), slog.Duration("for", time.Until(c.Until).Round(time.Millisecond)))
	}
	s.o.Logger.LogAttrs(context.Background(), level, "circuit breaker "+c.To.String(), attrs...)
	if s.o.OnChange != nil {
		s.o.OnChange(c)
	}
}
