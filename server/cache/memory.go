package cache

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// DefaultSize is the bound of a Memory, in bytes.
const DefaultSize = 64 << 20

// overhead is about what an entry takes besides its key and value.
const overhead = 160

// Memory is a store in the memory of the process, bound by bytes. What was used least, lately
// and often, has to go first (W-TinyLFU). Made by [NewMemory].
type Memory struct {
	entries   *otter.Cache[string, *held]
	size      int64
	evictions atomic.Int64
	tags      tagClock
	now       func() time.Time
}

var _ Store = (*Memory)(nil)

// held is an entry that does not change once it is stored.
type held struct {
	Entry
	ends int64 // in nanoseconds of Unix time, 0 for never
	born uint64
}

// NewMemory returns a store that takes up to size bytes, keys and its own needs included; 0
// for [DefaultSize].
func NewMemory(size int64) (*Memory, error) {
	if size == 0 {
		size = DefaultSize
	}
	if size < 1<<10 {
		return nil, fmt.Errorf("cache: a size of %d bytes holds nothing; give bytes, such as 64 MiB", size)
	}
	m := &Memory{size: size, now: time.Now}
	cache, err := otter.New(&otter.Options[string, *held]{
		MaximumWeight:    uint64(size),
		Weigher:          func(key string, h *held) uint32 { return uint32(min(weight(key, h.Entry), math.MaxUint32)) },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, *held]) time.Duration { return e.Value.lifetime(m.now()) }),
		OnAtomicDeletion: func(e otter.DeletionEvent[string, *held]) {
			if e.Cause == otter.CauseOverflow {
				m.evictions.Add(1)
			}
		},
	})
	m.entries = cache
	return m, err
}

// SetClock replaces the clock by which entries end, for tests. Call it before the store is used.
func (m *Memory) SetClock(now func() time.Time) { m.now = now }

func weight(key string, e Entry) int64 {
	n := int64(overhead + len(key) + len(e.Value))
	for _, tag := range e.Tags {
		n += int64(16 + len(tag))
	}
	return n
}

// lifetime is what otter removes an entry after; a hundred years stand for ever.
func (h *held) lifetime(now time.Time) time.Duration {
	if h.ends == 0 {
		return 100 * 365 * 24 * time.Hour
	}
	return time.Duration(max(1, h.ends-now.UnixNano()))
}

func (h *held) ended(now time.Time) bool { return h.ends != 0 && now.UnixNano() >= h.ends }

func (m *Memory) Get(_ context.Context, key string) (Entry, bool, error) {
	if err := checkKey(key); err != nil {
		return Entry{}, false, err
	}
	h, ok := m.entries.GetIfPresent(key)
	if !ok {
		return Entry{}, false, nil
	}
	if h.ended(m.now()) || !m.tags.valid(h.Tags, h.born) {
		m.drop(key, h)
		return Entry{}, false, nil
	}
	return h.Entry, true, nil
}

// drop removes an entry that is void, unless it was replaced meanwhile.
func (m *Memory) drop(key string, void *held) {
	m.entries.ComputeIfPresent(key, func(now *held) (*held, otter.ComputeOp) {
		if now == void {
			return nil, otter.InvalidateOp
		}
		return now, otter.CancelOp
	})
}

func (m *Memory) Set(_ context.Context, key string, e Entry) error {
	if err := checkEntry(key, e); err != nil {
		return err
	}
	if n := weight(key, e); n > m.size || n > math.MaxUint32 {
		return fmt.Errorf("cache: setting %q: %w: %d bytes, where the cache has %d", brief(key), ErrTooLarge, n, m.size)
	}
	m.entries.Set(key, m.hold(e))
	return nil
}

func (m *Memory) hold(e Entry) *held {
	h := &held{Entry: e}
	if e.TTL > 0 {
		h.ends = m.now().Add(e.TTL).UnixNano()
	}
	switch {
	case e.Since != nil:
		h.born = e.Since.at
	case len(e.Tags) > 0:
		h.born = m.tags.now()
	}
	h.TTL, h.Since = 0, nil
	return h
}

func (m *Memory) Del(_ context.Context, keys ...string) (int, error) {
	if err := checkKeys(keys); err != nil {
		return 0, err
	}
	n := 0
	for _, key := range keys {
		if h, ok := m.entries.Invalidate(key); ok && !h.ended(m.now()) && m.tags.valid(h.Tags, h.born) {
			n++
		}
	}
	return n, nil
}

func (m *Memory) Incr(_ context.Context, key string, delta int64, ttl time.Duration) (n int64, err error) {
	if err := checkEntry(key, Entry{TTL: ttl}); err != nil {
		return 0, err
	}
	m.entries.Compute(key, func(old *held, found bool) (*held, otter.ComputeOp) {
		if !found || old.ended(m.now()) {
			if n, err = sum(key, 0, delta); err != nil {
				return nil, otter.CancelOp
			}
			return m.hold(Entry{Item: integer(n), TTL: ttl}), otter.WriteOp
		}
		if n, err = add(key, old.Entry, delta); err != nil {
			return old, otter.CancelOp
		}
		return &held{Entry: Entry{Item: integer(n)}, ends: old.ends}, otter.WriteOp
	})
	return n, err
}

func integer(n int64) Item { return Item{Value: strconv.AppendInt(nil, n, 10), Flag: Integer} }

func add(key string, e Entry, delta int64) (int64, error) {
	n, err := strconv.ParseInt(string(e.Value), 10, 64)
	if err != nil || !e.plainInteger() {
		return 0, notInteger(key)
	}
	return sum(key, n, delta)
}

func (m *Memory) Snapshot(_ context.Context, tags []string) (*Snapshot, error) {
	if err := checkTags(tags); err != nil {
		return nil, err
	}
	return &Snapshot{at: m.tags.now()}, nil
}

func (m *Memory) InvalidateTags(_ context.Context, tags ...string) error {
	if err := checkTags(tags); err != nil {
		return err
	}
	m.tags.invalidate(tags)
	return nil
}

func (m *Memory) Clear(context.Context) error {
	m.entries.InvalidateAll()
	return nil
}

func (m *Memory) Usage() Usage {
	return Usage{Entries: int64(m.entries.EstimatedSize()), Bytes: int64(m.entries.WeightedSize()), Evictions: m.evictions.Load()}
}

// Close stops the goroutine that removes what has ended. The store can still be used.
func (m *Memory) Close() error {
	m.entries.StopAllGoroutines()
	return nil
}

// maxTagged is how many invalidated tags are remembered.
const maxTagged = 100_000

// tagClock counts invalidations. An entry is void if one of its tags was invalidated after the
// entry was born; so invalidating takes the same time however many entries have the tag, and
// what was computed from before it is void too.
type tagClock struct {
	mu    sync.RWMutex
	time  uint64
	floor uint64 // what was born before is void: its tags are forgotten
	last  map[string]uint64
}

func (c *tagClock) now() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.time
}

func (c *tagClock) valid(tags []string, born uint64) bool {
	if len(tags) == 0 {
		return true
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, tag := range tags {
		if c.last[tag] > born {
			return false
		}
	}
	return born >= c.floor
}

func (c *tagClock) invalidate(tags []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time++
	if len(c.last) > maxTagged || c.last == nil {
		if c.last != nil {
			c.floor = c.time
		}
		c.last = make(map[string]uint64)
	}
	for _, tag := range tags {
		c.last[tag] = c.time
	}
}
