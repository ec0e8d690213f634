package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a cache.
type Options struct {
	// OnError is told what fails where nobody waits for it: a refresh in the background, and
	// reading or storing around a Fetch, which goes on without the cache. nil ignores it.
	OnError func(error)
	// RefreshTimeout limits a refresh in the background; default 30 s.
	RefreshTimeout time.Duration
	// Now is the clock, for tests; see [Memory.SetClock] for that of the store. Default: time.Now.
	Now func() time.Time
}

// Cache is a store with single-flight loading and counts. Safe for concurrent use; made by
// [New].
type Cache struct {
	store   Store
	options Options

	mu       sync.Mutex
	flights  map[string]*flight
	changing map[string]int // keys that are being set or deleted, and how often

	background context.Context // of refreshes
	stop       context.CancelFunc
	refreshes  sync.WaitGroup
	closed     bool // under mu

	hits, misses, stale, loads, loadErrors atomic.Int64
}

// New returns a cache on a store, which it closes.
func New(store Store, o Options) *Cache {
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	if o.RefreshTimeout <= 0 {
		o.RefreshTimeout = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cache{store: store, options: o, flights: make(map[string]*flight), changing: make(map[string]int)}
	c.background, c.stop = context.WithCancel(context.Background())
	return c
}

// Close ends refreshes, waits for them, and closes the store.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.refreshes.Wait()
	return c.store.Close()
}

// Get returns an item, and false when there is none.
func (c *Cache) Get(ctx context.Context, key string) (Item, bool, error) {
	e, ok, err := c.store.Get(ctx, key)
	ok = ok && !e.Missing
	if err == nil {
		c.count(ok)
	}
	if !ok {
		return Item{}, false, err
	}
	return e.Item, true, err
}

// Hit returns the item under a key if a Fetch would return it without loading and without
// waiting for others. It counts nothing otherwise, so that a Fetch may follow.
func (c *Cache) Hit(ctx context.Context, key string) (item Item, found, ok bool) {
	e, ok, err := c.store.Get(ctx, key)
	if err != nil || !ok || c.over(e) {
		return Item{}, false, false
	}
	c.hits.Add(1)
	return e.Item, !e.Missing, true
}

// over reports whether an entry is to be loaded again.
func (c *Cache) over(e Entry) bool { return !e.Fresh.IsZero() && !c.options.Now().Before(e.Fresh) }

func (c *Cache) count(hit bool) {
	if hit {
		c.hits.Add(1)
	} else {
		c.misses.Add(1)
	}
}

// Set stores an item for ttl, 0 for as long as there is room. With tags it goes with
// InvalidateTags.
func (c *Cache) Set(ctx context.Context, key string, item Item, ttl time.Duration, tags ...string) error {
	defer c.change(key)()
	return c.store.Set(ctx, key, Entry{Item: item, TTL: ttl, Tags: tags})
}

// Del removes items and returns how many there were. What a Fetch is loading at that moment
// is not stored, as it may be of before.
func (c *Cache) Del(ctx context.Context, keys ...string) (int, error) {
	defer c.change(keys...)()
	return c.store.Del(ctx, keys...)
}

// Incr adds to the number under a key, see [Store.Incr].
func (c *Cache) Incr(ctx context.Context, key string, delta int64, ttl time.Duration) (int64, error) {
	defer c.change(key)()
	return c.store.Incr(ctx, key, delta, ttl)
}

// InvalidateTags makes all items void that have one of the tags, in every process that shares
// the store, with those that a Fetch is loading.
func (c *Cache) InvalidateTags(ctx context.Context, tags ...string) error {
	if len(tags) == 0 {
		return nil
	}
	c.forget(c.loadingAny(tags)...)
	return c.store.InvalidateTags(ctx, tags...)
}

// Clear removes all items.
func (c *Cache) Clear(ctx context.Context) error {
	c.forget(c.loadingAny(nil)...)
	return c.store.Clear(ctx)
}

// Stats are counts since the start, of this process.
type Stats struct {
	Usage              // of the store
	Hits, Misses int64 // of Get and Fetch
	Stale        int64 // hits that began a refresh or ran beside one
	Loads        int64 // calls of load functions
	LoadErrors   int64 // of them failed
}

// Stats returns the present counts.
func (c *Cache) Stats() Stats {
	return Stats{
		Usage: c.store.Usage(), Hits: c.hits.Load(), Misses: c.misses.Load(), Stale: c.stale.Load(),
		Loads: c.loads.Load(), LoadErrors: c.loadErrors.Load(),
	}
}
