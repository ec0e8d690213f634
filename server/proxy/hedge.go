package proxy

import (
	"context"
	"errors"
	"time"

	"rws/server/proxy/upstream"
)

// Hedge asks a further backend when one takes long, and uses whichever answers first: it trades load for
// the slowest answers. Only for requests without a body whose method Retry.Methods has, and within the
// budget of Retry.
type Hedge struct {
	After time.Duration // without an answer until another is asked; 0 never does. Best a little above the usual time
	Most  int           // further backends; default 1
}

// errLost ends a try that another was faster than. It tells nothing about its backend.
var errLost = errors.New("another backend was faster")

func (c *call) hedges() bool {
	return c.h.o.Hedge.After > 0 && c.source == nil && c.upgrade == "" && c.h.retry.repeats(c.in.Method)
}

// A race is the tries of a call that run side by side.
type race struct {
	c       *call
	results chan result
	running map[*try]struct{}
	left    int // further backends that may be asked
}

type result struct {
	t     *try
	fault *Error
}

// race tries with several backends at once.
func (c *call) race() (*try, *Error) {
	first, fault := c.lease(nil)
	if fault != nil {
		return nil, fault
	}
	r := &race{c: c, running: map[*try]struct{}{}, left: max(c.h.o.Hedge.Most, 1)}
	r.results = make(chan result, c.h.retry.tries+r.left+1) // so that nobody waits for who has gone
	r.start(first)
	return r.run()
}

// start sends a request. Informational answers are for tries alone.
func (r *race) start(t *try) {
	c := r.c
	c.tried = append(c.tried, t.lease.Backend)
	r.running[t] = struct{}{}
	t.life.begin(c.in.Context(), c.tell(c.in.Context()))
	go func() { r.results <- result{t, c.send(t, c.in.Context())} }()
}

func (r *race) run() (*try, *Error) {
	timer := time.NewTimer(r.c.h.o.Hedge.After)
	defer timer.Stop()
	var kept *result // an answer that others may better
	for {
		select {
		case got := <-r.results:
			delete(r.running, got.t)
			if got.fault == nil && !r.c.h.retry.onStatus(got.t.res.StatusCode) {
				r.lose(kept)
				return got.t, nil
			}
			r.drop(kept)
			kept = &got
			if len(r.running) > 0 {
				continue
			}
			next := r.c.next(got.t, got.fault)
			if next == nil {
				return got.t, got.fault
			}
			kept = nil
			r.start(next)
		case <-timer.C:
			if r.further() {
				timer.Reset(r.c.h.o.Hedge.After)
			}
		}
	}
}

// further asks another backend, and reports whether yet another may be.
func (r *race) further() bool {
	c := r.c
	if r.left == 0 || c.over() != nil || !c.h.retry.budget.take() {
		return false
	}
	t, fault := c.lease(c.tried)
	if fault != nil {
		return false
	}
	r.left--
	c.h.stats.hedges.Add(1)
	r.start(t)
	return r.left > 0
}

// drop gives up an answer that was kept; send has done so for a failure.
func (r *race) drop(kept *result) {
	if kept != nil && kept.fault == nil {
		r.c.drop(kept.t, kindOf(kept.t.res.StatusCode), nil)
	}
}

// lose ends all but the winner.
func (r *race) lose(kept *result) {
	r.drop(kept)
	n := len(r.running)
	if n == 0 {
		return
	}
	for t := range r.running {
		t.life.end(context.Canceled, errLost)
	}
	go func() {
		for range n {
			if got := <-r.results; got.fault == nil {
				r.c.drop(got.t, upstream.Neutral, errLost)
			}
		}
	}()
}
