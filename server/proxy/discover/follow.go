package discover

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"rws/server/reload"
)

// Options of [Follow]. The zero value is a good default.
type Options struct {
	// Interval is how often the source is asked, a tenth more or less by lot; default 10 s.
	// After a failure it is asked after 1 s, 2 s, 4 s and so on until Interval.
	Interval time.Duration
	// Timeout limits each question; default 5 s.
	Timeout time.Duration
	// Before is what the source named when it was followed before, nil for nothing. It is reported at once, or, of a
	// [Func], which may be another one now, when that fails at first or takes long.
	Before []Target
	// Logger hears of failures, each once while it lasts, and of recovery; nil means [slog.Default].
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Interval <= 0 {
		o.Interval = 10 * time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Status is how a source is.
type Status struct {
	Source  string
	Targets int       // that it named last
	Seen    time.Time // when it last answered well; zero for never
	Err     error     // why it did not since; nil when it did
}

// A Follower asks a source again and again.
type Follower struct {
	source  Source
	o       Options
	report  func([]Target) error
	changed <-chan struct{}
	first   chan struct{} // closed after the first answer or failure
	done    chan struct{}

	last []Target // reported

	mu     sync.Mutex
	status Status
}

// Follow asks the source now and then until ctx ends, and calls report with the targets when they
// are others than before, from one goroutine. When report returns an error they are taken as a
// failure of the source: what was reported before stays.
func Follow(ctx context.Context, s Source, o Options, report func([]Target) error) *Follower {
	f := &Follower{source: s, o: o.withDefaults(), report: report, first: make(chan struct{}), done: make(chan struct{})}
	f.status.Source = s.String()
	var watch *reload.Watcher
	if path, ok := s.(file); ok {
		changed := make(chan struct{}, 1)
		f.changed = changed
		watch = reload.Watch(ctx, func() []string { return []string{string(path)} }, func([]string) { wake(changed) },
			reload.Options{Debounce: 50 * time.Millisecond, Logger: f.o.Logger})
	}
	go f.run(ctx, watch)
	return f
}

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// First is closed when the source has answered or failed for the first time.
func (f *Follower) First() <-chan struct{} { return f.first }

// Done is closed when ctx has ended and report will not be called again.
func (f *Follower) Done() <-chan struct{} { return f.done }

// Status says how the source is.
func (f *Follower) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

func (f *Follower) run(ctx context.Context, watch *reload.Watcher) {
	defer close(f.done)
	if _, asked := f.source.(function); !asked {
		f.recall()
	}
	failures := 0
	for ctx.Err() == nil {
		if f.look(ctx) {
			failures = 0
		} else {
			failures++
		}
		if ctx.Err() != nil {
			break
		}
		f.once()
		f.wait(ctx, f.pause(failures))
	}
	f.once()
	if watch != nil {
		<-watch.Done()
	}
}

// recall reports what was known before; once only.
func (f *Follower) recall() {
	before := f.o.Before
	f.o.Before = nil
	if len(before) == 0 || f.last != nil || f.report(slices.Clone(before)) != nil { // which the source will say better
		return
	}
	f.last = before
	f.mu.Lock()
	f.status.Targets = len(before)
	f.mu.Unlock()
	f.once()
}

func (f *Follower) once() {
	select {
	case <-f.first:
	default:
		close(f.first)
	}
}

// pause is how long to wait before the next question.
func (f *Follower) pause(failures int) time.Duration {
	d := f.o.Interval
	if failures > 0 && failures < 20 {
		d = min(d, time.Second<<(failures-1))
	}
	return d - d/10 + rand.N(d/5+1)
}

func (f *Follower) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.changed:
	case <-ctx.Done():
	}
}

// look asks once and reports a change.
func (f *Follower) look(ctx context.Context) bool {
	asking, cancel := context.WithTimeout(ctx, f.o.Timeout)
	defer cancel()
	targets, err := f.ask(asking)
	if err == nil && !slices.Equal(targets, f.last) {
		if err = f.report(slices.Clone(targets)); err == nil {
			f.last = targets
		}
	}
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		f.recall()
	}
	f.note(targets, err)
	return err == nil
}

// slow is how long a function may take at first before what was named before counts.
const slow = 250 * time.Millisecond

// ask asks the source once. What was named before counts meanwhile when that takes long.
func (f *Follower) ask(ctx context.Context) (targets []Target, err error) {
	if len(f.o.Before) == 0 {
		return ask(ctx, f.source)
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		targets, err = ask(ctx, f.source)
	}()
	select {
	case <-answered:
	case <-time.After(slow):
		f.recall()
		<-answered
	}
	return targets, err
}

// note keeps how the source is, and logs when that is news.
func (f *Follower) note(targets []Target, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.status.Err
	f.status.Err = err
	if err == nil {
		f.status.Targets, f.status.Seen = len(targets), time.Now()
	}
	switch {
	case err != nil && (before == nil || before.Error() != err.Error()):
		f.o.Logger.Warn("upstream: looking for backends failed, those found before stay", "source", f.status.Source, "backends", f.status.Targets, "err", err)
	case err == nil && before != nil:
		f.o.Logger.Info("upstream: looking for backends works again", "source", f.status.Source, "backends", f.status.Targets)
	}
}
