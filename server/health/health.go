// Package health tells load balancers and supervisors whether this process lives and is ready.
//
// A process that is not alive is to be restarted; one that is not ready gets no requests for a while.
// What it depends on belongs to readiness: restarting helps no database.
package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// Check is one thing that has to work.
type Check struct {
	Name  string // letters, digits, "-", "_" and ".", unique
	Probe func(ctx context.Context) error
	// Timeout is how long the probe may take; default 2 s. One that goes on nevertheless has
	// failed, and is not started again before it has returned.
	Timeout time.Duration
	// Every is how long a result is good for, so that asking often costs nothing; default 1 s.
	Every time.Duration
	// Live makes it one of liveness too.
	Live bool
}

// Options of [New].
type Options struct {
	// Detail shows the text of errors to whoever asks; without it they are only logged.
	Detail bool
	// See says who sees the checks; others get the status alone. nil is everybody.
	See    func(r *http.Request) bool
	Logger *slog.Logger // hears when a check begins to fail and when it recovers; default slog.Default()
}

// Health holds checks. Safe for concurrent use; made by [New].
type Health struct {
	o       Options
	checks  []*check
	leaving *atomic.Bool
}

// check is a Check with its last result.
type check struct {
	Check
	log *slog.Logger

	mu      sync.Mutex
	running chan struct{} // closed when the result is there; nil when no probe is under way
	at      time.Time     // of the result
	result  Result
}

// Result is what became of a check.
type Result struct {
	Name string
	Err  error // nil when it works
	Took time.Duration
}

var (
	checkName  = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	errTimeout = errors.New("the check takes too long")
)

// New checks the checks and runs none.
func New(o Options, checks ...Check) (*Health, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	h := &Health{o: o, leaving: new(atomic.Bool)}
	names := map[string]bool{}
	for _, c := range checks {
		switch {
		case !checkName.MatchString(c.Name):
			return nil, fmt.Errorf(`health check %q: want a name of letters, digits, "-", "_" and "."`, c.Name)
		case names[c.Name]:
			return nil, fmt.Errorf("health check %s: there are two of that name", c.Name)
		case c.Probe == nil:
			return nil, fmt.Errorf("health check %s: it probes nothing", c.Name)
		case c.Timeout < 0 || c.Every < 0:
			return nil, fmt.Errorf("health check %s: timeout %s, every %s: must not be negative", c.Name, c.Timeout, c.Every)
		}
		names[c.Name] = true
		if c.Timeout == 0 {
			c.Timeout = 2 * time.Second
		}
		if c.Every == 0 {
			c.Every = time.Second
		}
		h.checks = append(h.checks, &check{Check: c, log: o.Logger})
	}
	return h, nil
}

// With is the same checks and results for others to see: what one learns or is told, by Leave, both
// know.
func (h *Health) With(o Options) *Health { return &Health{o: o, checks: h.checks, leaving: h.leaving} }

// Leave makes the process not ready from now on: it is about to stop.
func (h *Health) Leave() { h.leaving.Store(true) }

// Live runs the checks of liveness, those whose results are too old, all at once.
func (h *Health) Live(ctx context.Context) []Result {
	return h.run(ctx, func(c *check) bool { return c.Live })
}

// Ready runs all checks.
func (h *Health) Ready(ctx context.Context) []Result {
	return h.run(ctx, func(*check) bool { return true })
}

func (h *Health) run(ctx context.Context, wanted func(*check) bool) []Result {
	var chosen []*check
	for _, c := range h.checks {
		if wanted(c) {
			chosen = append(chosen, c)
			c.refresh()
		}
	}
	results := make([]Result, len(chosen))
	for i, c := range chosen {
		results[i] = c.wait(ctx)
	}
	return results
}

// refresh starts the probe, unless it is under way or its result is good.
func (c *check) refresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running != nil || !c.at.IsZero() && time.Since(c.at) < c.Every {
		return
	}
	c.running = make(chan struct{})
	go c.probe(time.Now())
}

// probe outlives who asked: others wait for the same result.
func (c *check) probe(start time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), c.Timeout)
	defer cancel()
	late := time.AfterFunc(c.Timeout, func() { c.settle(start, errTimeout) })
	err := c.call(ctx)
	late.Stop()
	c.settle(start, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.running)
	c.running = nil
}

func (c *check) call(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return c.Probe(ctx)
}

// settle notes a result.
func (c *check) settle(start time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.result.Err
	if c.at.IsZero() || (was == nil) != (err == nil) {
		c.tell(err)
	}
	c.at = time.Now()
	c.result = Result{c.Name, err, c.at.Sub(start)}
}

// tell logs a change; one that works from the beginning is none.
func (c *check) tell(err error) {
	switch {
	case err != nil:
		c.log.Error("a health check fails", "check", c.Name, "err", err)
	case !c.at.IsZero():
		c.log.Info("a health check works again", "check", c.Name)
	}
}

// wait is the result that is there, or will be: at most Timeout from now.
func (c *check) wait(ctx context.Context) Result {
	c.mu.Lock()
	running := c.running
	c.mu.Unlock()
	if running != nil {
		timer := time.NewTimer(c.Timeout)
		defer timer.Stop()
		select {
		case <-running:
		case <-timer.C:
			return Result{c.Name, errTimeout, c.Timeout}
		case <-ctx.Done():
			return Result{c.Name, context.Cause(ctx), 0}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.result
}

// LiveHandler answers 200 while the process lives, else 503, with JSON:
//
//	{"status": "ok", "checks": {"db": {"status": "ok", "ms": 3}}}    "fail" for what does not work
func (h *Health) LiveHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.answer(w, r, h.Live(r.Context()), false) })
}

// ReadyHandler answers 200 while the process is ready for requests, else 503. After Leave the status
// is "leaving".
func (h *Health) ReadyHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.leaving.Load() {
			h.answer(w, r, nil, true)
			return
		}
		h.answer(w, r, h.Ready(r.Context()), false)
	})
}

type (
	report struct {
		Status string           `json:"status"`
		Checks map[string]entry `json:"checks,omitempty"`
	}
	entry struct {
		Status string `json:"status"`
		MS     int64  `json:"ms"`
		Error  string `json:"error,omitempty"`
	}
)

func (h *Health) answer(w http.ResponseWriter, r *http.Request, results []Result, leaving bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	status, all := http.StatusOK, report{Status: "ok", Checks: map[string]entry{}}
	if leaving {
		status, all.Status = http.StatusServiceUnavailable, "leaving"
	}
	for _, res := range results {
		e := entry{Status: "ok", MS: res.Took.Milliseconds()}
		if res.Err != nil {
			status, all.Status, e.Status = http.StatusServiceUnavailable, "fail", "fail"
			if h.o.Detail {
				e.Error = res.Err.Error()
			}
		}
		all.Checks[res.Name] = e
	}
	if h.o.See != nil && !h.o.See(r) {
		all.Checks = nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(all) // there is nobody left to tell
	}
}
