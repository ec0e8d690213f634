package health

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// A watch checks one backend.
type watch struct {
	m      *Monitor
	target Target
	prober *prober
	stop   context.CancelFunc // nil before it begins

	state atomic.Uint32

	mu     sync.Mutex
	gone   bool // it does not report any more
	status Status
}

func newWatch(m *Monitor, t Target, p *prober) *watch {
	w := &watch{m: m, target: t, prober: p, status: Status{ID: t.ID, URL: shown(t.URL), Since: time.Now()}}
	if known, ok := m.o.Memory.load(m.key(t), m.o.Check.recent()); ok {
		w.status = known
		w.state.Store(uint32(known.State))
	}
	return w
}

// shown is a URL without user name and password.
func shown(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return text
	}
	u.User = nil
	return u.String()
}

func (w *watch) up() bool {
	switch State(w.state.Load()) {
	case Up:
		return true
	case Down:
		return false
	}
	return !w.m.o.StartDown
}

func (w *watch) look() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// end stops it without waiting.
func (w *watch) end() {
	w.mu.Lock()
	w.gone = true
	w.mu.Unlock()
	if w.stop != nil {
		w.stop()
	}
}

func (w *watch) run(ctx context.Context) {
	defer w.prober.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		if ctx.Err() != nil { // both may have been ready
			return
		}
		w.once(ctx)
		timer.Reset(w.pause())
	}
}

// once makes a check. One that ended with ctx was called off and says nothing.
func (w *watch) once(ctx context.Context) {
	c := &w.m.o.Check
	within, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	start := time.Now()
	err := c.explain(w.prober.ask(within))
	took := time.Since(start)
	switch {
	case ctx.Err() != nil:
	case err != nil && localFault(err):
		w.m.log.Error("health check not made: this machine lacks something", slog.String("backend", w.target.ID), slog.Any("error", err))
	default:
		w.settle(err, took)
	}
}

// settle takes in the result of a check and tells of it.
func (w *watch) settle(err error, took time.Duration) {
	status, change, ok := w.judge(err, took)
	if !ok {
		return
	}
	if change.From != change.To {
		w.m.tell(change)
	}
	if w.m.o.OnCheck != nil {
		w.m.o.OnCheck(status)
	}
}

// judge reports false if nobody wants to know any more.
func (w *watch) judge(err error, took time.Duration) (Status, Change, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		return Status{}, Change{}, false
	}
	s := &w.status
	now := time.Now()
	if !s.Checked.IsZero() && (s.Err == nil) != (err == nil) {
		s.Run = 0
	}
	s.Run++
	s.Checked, s.Latency, s.Err = now, took, err
	change := Change{ID: s.ID, From: s.State, To: w.m.o.Check.verdict(s), After: s.Run, Err: err}
	if change.From != change.To {
		s.State, s.Since = change.To, now
		w.state.Store(uint32(change.To))
	}
	w.m.o.Memory.save(w.m.key(w.target), *s)
	return *s, change, true
}

// verdict is the state after the checks of a status.
func (c *Check) verdict(s *Status) State {
	to, needed := Up, c.Up
	if s.Err != nil {
		to, needed = Down, c.Down
	}
	if s.State == Unknown || s.Run >= needed {
		return to
	}
	return s.State
}

// pause is the time until the next check.
func (w *watch) pause() time.Duration {
	c := &w.m.o.Check
	s := w.look()
	steady := s.State == Up && s.Err == nil
	pause := c.Every
	if !steady {
		pause = c.Fast
	}
	return time.Duration(float64(pause) * (1 + c.Jitter*(2*rand.Float64()-1)))
}

// tell logs a change and tells who wants to hear it. That a backend works at the first check is no news.
func (m *Monitor) tell(c Change) {
	switch log := m.log.With(slog.String("backend", c.ID), slog.Int("checks", c.After)); {
	case c.To == Down:
		log.Warn("backend is down", slog.Any("error", c.Err))
	case c.From == Down:
		log.Info("backend is up again")
	}
	if m.o.OnChange != nil {
		m.o.OnChange(c)
	}
}
