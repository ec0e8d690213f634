// Package upstream keeps the backends of a proxy: which there are, which of them can answer,
// which one takes the next request, and the connections to each.
//
// A [Pool] is made of [Target]s. [Pool.Pick] leases a backend to a request, and [Lease.Done] says
// what became of it, which moves the health, the breaker and the numbers of that backend, but
// never by the fault of a client.
package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"rws/server/proxy/balance"
	"rws/server/proxy/breaker"
	"rws/server/proxy/health"
)

// A Pool is a set of backends. Safe for concurrent use; made by [New].
type Pool struct {
	o   Options
	log *slog.Logger
	tls *tls.Config

	monitor  *health.Monitor // nil without active checks
	outlier  *health.Outlier // nil without passive ones
	breakers *breaker.Set    // nil without breakers

	now  atomic.Pointer[set]
	line line // of requests that wait for a backend

	mu      sync.Mutex // held while what follows changes
	static  []Target   // that are no sources
	feeds   []*feed
	started bool
	closed  bool
	ctx     context.Context // of checks and look-ups
	stop    context.CancelFunc
	untie   func() bool    // from the context of Start
	leaving sync.WaitGroup // feeds that are followed no more
}

// A set is the backends of a pool between two changes.
type set struct {
	backends []*Backend
	places   []place // of each
	balance  *balance.Set
	closed   bool
}

func (s *set) find(name string) *Backend {
	i := slices.IndexFunc(s.backends, func(b *Backend) bool { return b.name == name })
	if i < 0 {
		return nil
	}
	return s.backends[i]
}

// New checks the options and makes the pool. It starts nothing: no connection, no check.
func New(o Options) (*Pool, error) {
	p, err := newPool(o)
	if err != nil {
		return nil, fmt.Errorf("upstream %q: %w", o.Name, err)
	}
	return p, nil
}

func newPool(o Options) (*Pool, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.Limits = o.Limits.withDefaults()
	p := &Pool{o: o, log: o.Logger}
	if p.log == nil {
		p.log = slog.Default()
	}
	p.line.limit = o.Limits.Waiting
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.now.Store(p.newSet(nil, nil))
	var err error
	if p.tls, err = o.TLS.config(o.Name, p.log); err != nil {
		return nil, err
	}
	if err = p.newJudges(); err != nil {
		return nil, err
	}
	if err = p.update(o.Targets); err != nil {
		return nil, err
	}
	for _, s := range o.Sources {
		p.feeds = append(p.feeds, &feed{pool: p, source: s})
	}
	return p, nil
}

// newJudges makes what decides who can answer.
func (p *Pool) newJudges() (err error) {
	if p.o.Health != nil && p.o.Transport == nil {
		o := health.Options{Check: *p.o.Health, Name: p.o.Name, Logger: p.log, OnChange: p.checked, Memory: p.o.HealthMemory}
		if o.Check.TLS == nil {
			o.Check.TLS = p.tls
		}
		if o.Check.Dial == nil {
			o.Check.Dial = p.o.Dial
		}
		if p.monitor, err = health.NewMonitor(o); err != nil {
			return err
		}
	}
	if p.o.Passive != nil {
		o := *p.o.Passive
		o.Name, o.Logger, o.OnEject, o.Memory = p.o.Name, p.log, p.ejected, p.o.HealthMemory
		if p.outlier, err = health.NewOutlier(o); err != nil {
			return err
		}
	}
	if p.o.Breaker != nil {
		o := *p.o.Breaker
		o.Name, o.Logger, o.OnChange = p.o.Name, p.log, p.tripped
		if p.breakers, err = breaker.New(o); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pool) newSet(backends []*Backend, places []place) *set {
	entries := make([]balance.Entry, len(backends))
	for i, b := range backends {
		entries[i] = balance.Entry{State: b.load, Weight: places[i].weight, Backup: places[i].backup}
	}
	return &set{backends: backends, places: places, balance: balance.NewSet(p.o.balancing(), entries)}
}

// Name is the name of the pool.
func (p *Pool) Name() string { return p.o.Name }

// Start begins checks and look-ups. They end with ctx, or with [Pool.Close]. With a store of
// breakers it waits for that, at most two seconds.
func (p *Pool) Start(ctx context.Context) {
	p.mu.Lock()
	if p.started || p.closed {
		p.mu.Unlock()
		return
	}
	p.started = true
	p.untie = context.AfterFunc(ctx, p.stop)
	for _, f := range p.feeds {
		f.start()
	}
	p.mu.Unlock()
	if p.breakers != nil {
		p.breakers.Start(p.ctx)
	}
	if p.monitor != nil {
		p.monitor.Start(p.ctx)
	}
}

// Drain takes a backend out of the rotation, or puts it back. It finishes the requests it has,
// and gets no more, be they sticky.
func (p *Pool) Drain(name string, on bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.now.Load().find(name)
	if b == nil {
		return fmt.Errorf("upstream %q has no backend %q", p.o.Name, name)
	}
	if was := b.drained.Swap(on); was && !on {
		p.rise(b)
	}
	return nil
}

// Close ends checks and look-ups and waits for that. Requests under way go on; the connections of
// a backend are closed after the last.
func (p *Pool) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	p.stop()
	if p.untie != nil {
		p.untie()
	}
	feeds := p.feeds
	p.mu.Unlock()

	for _, f := range feeds {
		f.end()
	}
	p.leaving.Wait()
	if p.monitor != nil {
		p.monitor.Close()
	}
	if p.breakers != nil {
		p.breakers.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.newSet(nil, nil)
	last.closed = true
	for _, b := range p.now.Swap(last).backends {
		b.retire()
	}
	p.line.wakeAll()
	return nil
}

// checked hears from the monitor what it thinks of a backend now.
func (p *Pool) checked(c health.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.now.Load().find(c.ID)
	if b == nil {
		return
	}
	up := c.To != health.Down
	b.checked.Store(&c.Err)
	b.down.Store(!up)
	if p.outlier != nil {
		p.outlier.Mark(c.ID, !up)
	}
	if !up || c.From != health.Down {
		return
	}
	if p.outlier != nil { // not at each check that succeeds: what answers checks may yet fail requests
		p.outlier.Revive(c.ID)
	}
	p.rise(b)
}

// ejected hears from the outlier that a backend gets no requests, or gets them again.
func (p *Pool) ejected(name string, out bool) {
	if b := p.now.Load().find(name); b != nil && !out {
		p.rise(b)
	}
}

// tripped hears of the breaker of a backend.
func (p *Pool) tripped(c breaker.Change) {
	if b := p.now.Load().find(c.Name); b != nil && c.To == breaker.Closed {
		p.rise(b)
	}
}

// rise begins the slow start of a backend that gets requests again, and tells those that wait.
func (p *Pool) rise(b *Backend) {
	p.now.Load().balance.Warm(b.load)
	p.line.wakeAll()
}
