package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// ErrPanicked is what those get who waited for a load that panicked.
var ErrPanicked = errors.New("loading panicked")

// Load computes what a cache does not have, and false if there is nothing under this key. Its
// context says which keys are being loaded: pass it on, so that a load that waits for itself
// is an error and not a deadlock.
type Load func(ctx context.Context) (Item, bool, error)

// FetchOptions say how long what was loaded is kept.
type FetchOptions struct {
	// TTL is for what load found; 0 for as long as there is room.
	TTL time.Duration
	// MissingTTL is for the answer that there is nothing; 0 does not keep it.
	MissingTTL time.Duration
	// Stale is how long after TTL the old value is still given out while a new one is loaded in
	// the background; 0 waits for the new one. Load is then called on a goroutine of its own,
	// maybe after Fetch has returned.
	Stale time.Duration
	// Tags of what is stored.
	Tags []string
}

// Fetch returns the item under a key, or calls load and stores what it returns. However many
// ask at once in this process, one of them loads, on its own goroutine, and the others wait for
// it or for the end of their contexts. If the one that loads is given up, the next in line loads.
// An error or a panic is stored nowhere; those who waited get the error, or [ErrPanicked].
//
// A store that fails does not fail the Fetch: it loads, and OnError is told.
func (c *Cache) Fetch(ctx context.Context, key string, o FetchOptions, load Load) (Item, bool, error) {
	if err := o.check(key); err != nil {
		return Item{}, false, err
	}
	if loading(ctx, c, key) {
		return Item{}, false, fmt.Errorf("cache: the load of %q fetches %[1]q, which waits for itself", brief(key))
	}
	for {
		if e, ok := c.look(ctx, key, o, load); ok {
			c.hits.Add(1)
			return e.Item, !e.Missing, nil
		}
		item, found, again, err := c.fly(ctx, key, o, load)
		if !again {
			return item, found, err
		}
	}
}

// fly loads, or waits for who does; again says that he gave up.
func (c *Cache) fly(ctx context.Context, key string, o FetchOptions, load Load) (item Item, found, again bool, err error) {
	inside := within(ctx, c)
	f, leads, ok := c.join(key, o.Tags, inside)
	if !ok {
		return Item{}, false, false, fmt.Errorf("cache: a load fetches %q, whose load waits for this one: each waits for itself by way of the other", brief(key))
	}
	defer c.leave(inside, f)
	if leads {
		c.misses.Add(1)
		item, found, err = c.lead(ctx, key, o, load, f)
		return item, found, false, err
	}
	select {
	case <-ctx.Done():
		return Item{}, false, false, ctx.Err()
	case <-f.done:
	}
	if f.givenUp {
		return Item{}, false, true, nil
	}
	c.misses.Add(1)
	return f.item, f.found, false, f.err
}

func (o FetchOptions) check(key string) error {
	switch {
	case o.MissingTTL < 0 || o.Stale < 0:
		return fmt.Errorf("cache: fetching %q: a time is negative: %s for what is missing, %s stale", brief(key), o.MissingTTL, o.Stale)
	case o.Stale > 0 && o.TTL == 0:
		return fmt.Errorf("cache: fetching %q: what is kept for ever never gets stale; give a time to live", brief(key))
	}
	return checkEntry(key, Entry{TTL: o.TTL, Tags: o.Tags})
}

// look reads the store and sees to a refresh if the entry is stale.
func (c *Cache) look(ctx context.Context, key string, o FetchOptions, load Load) (Entry, bool) {
	e, ok, err := c.store.Get(ctx, key)
	if err != nil {
		c.report(ctx, err)
		return Entry{}, false
	}
	if ok && c.over(e) {
		c.stale.Add(1)
		c.refresh(ctx, key, o, load)
	}
	return e, ok
}

// report tells OnError, unless it is only the caller who went away.
func (c *Cache) report(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		c.options.OnError(err)
	}
}

// A flight is a load under way. What is not guarded is set before done is closed.
type flight struct {
	done    chan struct{}
	tags    []string
	item    Item
	found   bool
	err     error
	givenUp bool // by the one who loaded: somebody else should

	waits []*flight // that its load waits for or leads; under the mutex of the cache

	mu   sync.Mutex
	void bool // the key was set or deleted meanwhile, so the result is not stored
}

// reaches says whether a flight has to wait for another, be it by way of others.
func (f *flight) reaches(other *flight) bool {
	return f == other || slices.ContainsFunc(f.waits, func(next *flight) bool { return next.reaches(other) })
}

// join returns the flight for a key, and whether the caller has to lead it. The caller may be the
// load of another flight, which then waits for this one until it calls leave; where this one
// waits for that already, ok is false.
func (c *Cache) join(key string, tags []string, inside *flight) (f *flight, leads, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f = c.flights[key]
	if f == nil {
		f, leads = &flight{done: make(chan struct{}), tags: tags, void: c.changing[key] > 0}, true
		c.flights[key] = f
	}
	if inside == nil {
		return f, leads, true
	}
	if f.reaches(inside) {
		return nil, false, false
	}
	inside.waits = append(inside.waits, f)
	return f, leads, true
}

// leave ends the waiting of inside, which may be nil, for f.
func (c *Cache) leave(inside, f *flight) {
	if inside == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := slices.Index(inside.waits, f); at >= 0 {
		inside.waits = slices.Delete(inside.waits, at, at+1)
	}
}

// land ends a flight.
func (c *Cache) land(key string, f *flight) {
	c.mu.Lock()
	if c.flights[key] == f {
		delete(c.flights, key)
	}
	c.mu.Unlock()
	close(f.done)
}

// forget keeps loads under way from being stored, and lets the next Fetch load anew.
func (c *Cache) forget(keys ...string) {
	for _, key := range keys {
		c.mu.Lock()
		f := c.flights[key]
		delete(c.flights, key)
		c.mu.Unlock()
		if f == nil {
			continue
		}
		f.mu.Lock() // waits while the result is being stored
		f.void = true
		f.mu.Unlock()
	}
}

// change keeps loads under way from being stored, and those that begin before its result is called:
// they may be of before, and come after what is set.
func (c *Cache) change(keys ...string) (end func()) {
	c.mu.Lock()
	for _, key := range keys {
		c.changing[key]++
	}
	c.mu.Unlock()
	c.forget(keys...)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, key := range keys {
			if c.changing[key]--; c.changing[key] == 0 {
				delete(c.changing, key)
			}
		}
	}
}

// loadingAny returns the keys that are being loaded, those with one of the tags or, without
// tags, all.
func (c *Cache) loadingAny(tags []string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var keys []string
	for key, f := range c.flights {
		if len(tags) == 0 || slices.ContainsFunc(f.tags, func(tag string) bool { return slices.Contains(tags, tag) }) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (c *Cache) lead(ctx context.Context, key string, o FetchOptions, load Load, f *flight) (Item, bool, error) {
	f.err = fmt.Errorf("cache: fetching %q: %w", brief(key), ErrPanicked)
	defer c.land(key, f) // also when load panics
	// An earlier flight may have landed between looking and joining.
	if e, ok, err := c.store.Get(ctx, key); err == nil && ok && !c.over(e) {
		f.item, f.found, f.err = e.Item, !e.Missing, nil
		return f.item, f.found, nil
	}
	since, err := c.since(ctx, o.Tags)
	c.report(ctx, err)
	keep := err == nil
	c.loads.Add(1)
	item, found, err := c.call(ctx, key, load, f)
	f.item, f.found, f.err = item, found, err
	if err != nil {
		f.givenUp = ctx.Err() != nil
		return Item{}, false, err
	}
	if keep {
		c.report(ctx, c.keep(ctx, key, o, f, since))
	}
	return item, found, nil
}

// since returns the state of the tags before a load.
func (c *Cache) since(ctx context.Context, tags []string) (*Snapshot, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	return c.store.Snapshot(ctx, tags)
}

// call calls load and counts what is no success.
func (c *Cache) call(ctx context.Context, key string, load Load, f *flight) (item Item, found bool, err error) {
	fails := true
	defer func() {
		if fails {
			c.loadErrors.Add(1)
		}
	}()
	item, found, err = load(context.WithValue(ctx, loadingKey{}, &loadingChain{c, key, f, chain(ctx)}))
	fails = err != nil
	return item, found, err
}

// keep stores what a flight brought.
func (c *Cache) keep(ctx context.Context, key string, o FetchOptions, f *flight, since *Snapshot) error {
	e := Entry{Item: f.item, TTL: o.TTL, Tags: o.Tags, Since: since}
	switch {
	case !f.found && o.MissingTTL == 0:
		return nil
	case !f.found:
		e.Item, e.Missing, e.TTL = Item{}, true, o.MissingTTL
	case o.Stale > 0:
		e.Fresh = c.options.Now().Add(o.TTL)
		e.TTL += o.Stale
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.void {
		return nil
	}
	return c.store.Set(ctx, key, e)
}

// refresh loads in the background, unless that is already going on.
func (c *Cache) refresh(ctx context.Context, key string, o FetchOptions, load Load) {
	f, leads, _ := c.join(key, o.Tags, nil)
	if !leads {
		return
	}
	ctx = context.WithValue(ctx, loadingKey{}, nil) // no load waits for a refresh
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		f.givenUp = true
		delete(c.flights, key)
		close(f.done)
		return
	}
	c.refreshes.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.options.RefreshTimeout)
		defer cancel()
		defer context.AfterFunc(c.background, cancel)()
		defer func() {
			if p := recover(); p != nil {
				c.options.OnError(fmt.Errorf("cache: refreshing %q: %w: %v", brief(key), ErrPanicked, p))
			}
		}()
		_, _, err := c.lead(ctx, key, o, load, f)
		if err != nil && c.background.Err() == nil {
			c.options.OnError(fmt.Errorf("cache: refreshing %q: %w", brief(key), err))
		}
	})
}

// loadingChain is the list of loads that a context is inside of.
type loadingChain struct {
	cache  *Cache
	key    string
	flight *flight
	outer  *loadingChain
}

type loadingKey struct{}

func chain(ctx context.Context) *loadingChain {
	l, _ := ctx.Value(loadingKey{}).(*loadingChain)
	return l
}

// within returns the flight of the innermost load of this cache that ctx is inside of, or nil.
func within(ctx context.Context, c *Cache) *flight {
	for l := chain(ctx); l != nil; l = l.outer {
		if l.cache == c {
			return l.flight
		}
	}
	return nil
}

// loading reports whether ctx is that of a load of key.
func loading(ctx context.Context, c *Cache, key string) bool {
	for l := chain(ctx); l != nil; l = l.outer {
		if l.cache == c && l.key == key {
			return true
		}
	}
	return false
}
