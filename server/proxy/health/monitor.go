package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options of [NewMonitor].
type Options struct {
	Check Check
	// Name is of the pool, for the log.
	Name string
	// StartDown makes a backend count as down until it has answered. Without it one counts as up until
	// its first check, which is made at once, has failed: a proxy that has just started, or has just
	// been reloaded, would otherwise refuse every request for as long as the slowest check takes,
	// while a request to a backend that is down is tried again at another.
	StartDown bool
	// OnChange hears each change, from the goroutine that checks: the next check of the backend waits
	// for it. It must not call Close. It may hear of a backend that Update has just taken away.
	OnChange func(Change)
	// Memory is what was known of backends before, by another Monitor; nil for nothing.
	Memory *Memory
	// OnCheck hears the result of each check, after OnChange; the same holds for it.
	OnCheck func(Status)
	Logger  *slog.Logger // default slog.Default()
}

// State is what is thought of a backend.
type State uint8

// States.
const (
	Unknown State = iota // not checked yet
	Up
	Down
)

// String is "unknown", "up" or "down".
func (s State) String() string { return [...]string{"unknown", "up", "down"}[s%3] }

// Change is a change of what is thought of a backend.
type Change struct {
	ID       string
	From, To State
	After    int   // checks in a row that led to it
	Err      error // of the last of them; nil when it is up
}

// Status is what is known of a backend.
type Status struct {
	ID, URL string // without user name and password
	State   State
	Since   time.Time     // of the state
	Checked time.Time     // when the last check ended; zero before the first
	Latency time.Duration // of the last check
	Err     error         // of the last check; nil if it succeeded
	Run     int           // how many checks in a row ended as the last did
}

// Monitor checks backends, each in a goroutine of its own. Safe for concurrent use; made by
// [NewMonitor].
type Monitor struct {
	o   Options
	log *slog.Logger

	watches atomic.Pointer[map[string]*watch] // replaced as a whole

	mu     sync.Mutex
	ctx    context.Context // of Start; nil before
	stop   context.CancelFunc
	closed bool
	work   sync.WaitGroup
}

// NewMonitor checks the options and begins nothing.
func NewMonitor(o Options) (*Monitor, error) {
	check, err := o.Check.withDefaults()
	if err != nil {
		return nil, err
	}
	o.Check = check
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	m := &Monitor{o: o, log: o.Logger.With(slog.String("pool", o.Name))}
	m.watches.Store(&map[string]*watch{})
	return m, nil
}

// Start begins to check what Update has named or will name, until Close or the end of ctx.
func (m *Monitor) Start(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx != nil || m.closed {
		return
	}
	m.ctx, m.stop = context.WithCancel(ctx)
	for _, w := range *m.watches.Load() {
		m.begin(w)
	}
}

// begin starts a watch, under the lock.
func (m *Monitor) begin(w *watch) {
	ctx, stop := context.WithCancel(m.ctx)
	w.stop = stop
	m.work.Go(func() { w.run(ctx) })
}

// Update names all backends to check. What is known of those that were there before is kept, unless
// their URL is another. An error is about a target that cannot be checked; nothing has changed then.
func (m *Monitor) Update(targets []Target) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errors.New("health check: the monitor is closed")
	}
	next, err := m.plan(targets)
	if err != nil {
		return err
	}
	last := *m.watches.Load()
	for id, w := range last {
		if next[id] != w {
			w.end()
		}
	}
	for id, w := range next {
		if last[id] != w && m.ctx != nil {
			m.begin(w)
		}
	}
	m.watches.Store(&next)
	return nil
}

// plan makes the watches of new targets and finds those of the others.
func (m *Monitor) plan(targets []Target) (map[string]*watch, error) {
	last, next := *m.watches.Load(), make(map[string]*watch, len(targets))
	for _, t := range targets {
		if next[t.ID] != nil {
			return nil, fmt.Errorf("health check: two backends have the name %q", t.ID)
		}
		if old := last[t.ID]; old != nil && old.target == t {
			next[t.ID] = old
			continue
		}
		p, err := newProber(&m.o.Check, t)
		if err != nil {
			return nil, err
		}
		next[t.ID] = newWatch(m, t, p)
	}
	return next, nil
}

// Look returns what is known of a backend; false for one that is not checked.
func (m *Monitor) Look(id string) (Status, bool) {
	if w := (*m.watches.Load())[id]; w != nil {
		return w.look(), true
	}
	return Status{}, false
}

// Up reports whether a backend counts as up: it is, or it is not known yet (but see Options.StartDown).
// One that is not checked is up.
func (m *Monitor) Up(id string) bool {
	w := (*m.watches.Load())[id]
	return w == nil || w.up()
}

// Status returns what is known of all backends, by name.
func (m *Monitor) Status() []Status {
	watches := *m.watches.Load()
	list := make([]Status, 0, len(watches))
	for _, w := range watches {
		list = append(list, w.look())
	}
	slices.SortFunc(list, func(a, b Status) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// Close ends all checks and waits for that.
func (m *Monitor) Close() {
	m.mu.Lock()
	m.closed = true
	for _, w := range *m.watches.Load() {
		w.end()
	}
	if m.stop != nil {
		m.stop()
	}
	m.mu.Unlock()
	m.work.Wait()
}
