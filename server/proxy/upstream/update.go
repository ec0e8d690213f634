package upstream

import (
	"context"
	"fmt"
	"slices"

	"rws/server/proxy/discover"
	"rws/server/proxy/health"
)

// A feed is a source of backends that is followed.
type feed struct {
	pool   *Pool
	source discover.Source
	backup bool // all that is found there are

	targets  []Target // found last; guarded by the lock of the pool
	follower *discover.Follower
	stop     context.CancelFunc
}

// start begins to follow, under the lock of the pool.
func (f *feed) start() {
	ctx, stop := context.WithCancel(f.pool.ctx)
	f.stop = stop
	f.follower = discover.Follow(ctx, f.source, discover.Options{
		Interval: f.pool.o.Every, Logger: f.pool.log.With("pool", f.pool.o.Name), Before: f.pool.o.SourceMemory.Load(f.key()),
	}, f.found)
}

// key is what the targets are remembered by.
func (f *feed) key() string { return f.pool.o.Name + "\x00" + f.source.String() }

// end waits until following has ended; without the lock of the pool, which found may wait for.
func (f *feed) end() {
	if f.follower == nil {
		return
	}
	f.stop()
	<-f.follower.Done()
}

// found takes in the targets of the source.
func (f *feed) found(targets []Target) error {
	p := f.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.feeds, f) {
		return nil
	}
	before := f.targets
	f.targets = targets
	if err := p.rebuild(); err != nil {
		f.targets = before
		return err
	}
	p.o.SourceMemory.Save(f.key(), targets)
	return nil
}

// Update makes targets the backends of the pool, in place of all there were, those of Options.Sources included. A
// backend that stays keeps its state and its connections; one that goes finishes the requests it has. On an
// error nothing has changed.
func (p *Pool) Update(targets []Target) error {
	p.mu.Lock()
	left, err := p.updateLocked(targets)
	for _, f := range left {
		p.leaving.Go(f.end) // which may take until the caller, a function of a script as it may be, has returned
	}
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("upstream %q: %w", p.o.Name, err)
	}
	return nil
}

func (p *Pool) update(targets []Target) error {
	_, err := p.updateLocked(targets)
	return err
}

// updateLocked returns the feeds that are no longer followed.
func (p *Pool) updateLocked(targets []Target) (left []*feed, err error) {
	if p.closed {
		return nil, fmt.Errorf("it is closed")
	}
	static, feeds, err := p.split(targets)
	if err != nil {
		return nil, err
	}
	beforeStatic, beforeFeeds := p.static, p.feeds
	p.static, p.feeds = static, feeds
	if err = p.rebuild(); err != nil {
		p.static, p.feeds = beforeStatic, beforeFeeds
		return nil, err
	}
	for _, f := range feeds {
		if p.started && f.follower == nil {
			f.start()
		}
	}
	return slices.DeleteFunc(slices.Clone(beforeFeeds), func(f *feed) bool { return slices.Contains(feeds, f) }), nil
}

// split tells targets from sources. A source that is followed already stays.
func (p *Pool) split(targets []Target) (static []Target, feeds []*feed, err error) {
	for _, t := range targets {
		if !discover.IsSource(t.URL) {
			static = append(static, t)
			continue
		}
		if t.Weight != 0 || t.Host != "" {
			return nil, nil, fmt.Errorf("source %q: a weight or host is what the targets have that are found there", t.URL)
		}
		f, err := p.feed(t)
		if err != nil {
			return nil, nil, err
		}
		if !slices.Contains(feeds, f) {
			feeds = append(feeds, f)
		}
	}
	return static, feeds, nil
}

func (p *Pool) feed(t Target) (*feed, error) {
	for _, f := range p.feeds {
		if f.source.String() == t.URL && f.backup == t.Backup {
			return f, nil
		}
	}
	s, err := discover.Parse(t.URL, p.o.Resolver)
	if err != nil {
		return nil, err
	}
	return &feed{pool: p, source: s, backup: t.Backup}, nil
}

// rebuild makes the set anew from the targets and what the sources found, under the lock. On an
// error nothing has changed.
func (p *Pool) rebuild() error {
	places, err := p.places()
	if err != nil {
		return err
	}
	old := p.now.Load()
	next := make([]*Backend, len(places))
	var fresh []*Backend
	for i, at := range places {
		if b := old.find(at.name); b != nil && b.place.same(at) {
			next[i] = b
			continue
		}
		if next[i], err = p.newBackend(at); err != nil {
			closeAll(fresh)
			return err
		}
		fresh = append(fresh, next[i])
	}
	if err := p.judge(places); err != nil {
		closeAll(fresh)
		return err
	}
	p.replace(old, p.newSet(next, places), fresh)
	return nil
}

// replace puts the next set to use, where fresh backends are judged as all are.
func (p *Pool) replace(old, next *set, fresh []*Backend) {
	for _, b := range fresh {
		p.admit(b)
	}
	p.now.Store(next)
	for _, b := range fresh {
		if p.started {
			next.balance.Warm(b.load)
		}
	}
	for _, b := range old.backends {
		if !slices.Contains(next.backends, b) {
			p.leave(b, next)
		}
	}
	p.line.wakeAll()
}

func closeAll(backends []*Backend) {
	for _, b := range backends {
		b.retire()
	}
}

// places understands all targets; of those with the same address the first counts.
func (p *Pool) places() ([]place, error) {
	all := slices.Clone(p.static)
	for _, f := range p.feeds {
		for _, t := range f.targets {
			t.Backup = t.Backup || f.backup
			all = append(all, t)
		}
	}
	if len(all) > maxBackends {
		return nil, fmt.Errorf("%d targets are more than %d", len(all), maxBackends)
	}
	extra := p.made()
	names := make(map[string]bool, len(all))
	places := make([]place, 0, len(all))
	for _, t := range all {
		at, err := parse(t, extra)
		if err != nil {
			return nil, err
		}
		if !names[at.name] {
			names[at.name] = true
			places = append(places, at)
		}
	}
	return places, nil
}

// made are the schemes of makers.
func (p *Pool) made() []string {
	var names []string
	for name := range p.o.Makers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// judge tells those who decide about backends which there are.
func (p *Pool) judge(places []place) error {
	names := make([]string, len(places))
	targets := make([]health.Target, len(places))
	for i, at := range places {
		names[i] = at.name
		targets[i] = health.Target{ID: at.name, URL: at.name, Host: at.host}
	}
	if p.monitor != nil {
		if err := p.monitor.Update(targets); err != nil {
			return err
		}
	}
	if p.outlier != nil {
		p.outlier.Update(names)
	}
	return nil
}

// admit gives a backend what is known of it.
func (p *Pool) admit(b *Backend) {
	if p.outlier != nil {
		b.host = p.outlier.Host(b.name)
	}
	if p.monitor != nil {
		p.recall(b)
	}
	if p.breakers != nil {
		b.breaker = p.breakers.Breaker(b.name)
	}
}

// recall gives a backend what checks have found out already.
func (p *Pool) recall(b *Backend) {
	down := !p.monitor.Up(b.name)
	b.down.Store(down)
	if p.outlier != nil {
		p.outlier.Mark(b.name, down)
	}
	if s, ok := p.monitor.Look(b.name); ok && down {
		b.checked.Store(&s.Err)
	}
}

// leave lets a backend go that is not in the next set.
func (p *Pool) leave(b *Backend, next *set) {
	b.retire()
	if next.find(b.name) != nil { // another way to the same address
		return
	}
	if p.breakers != nil {
		p.breakers.Remove(b.name)
	}
	p.log.Info("upstream: backend left", "pool", p.o.Name, "backend", b.name, "under_way", b.load.Active())
}
