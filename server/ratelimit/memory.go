package ratelimit

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// DefaultMaxKeys is how many keys a [Memory] holds.
const DefaultMaxKeys = 100_000

const shards = 64

// Memory keeps the times in this process. Made by [NewMemory].
type Memory struct {
	seed   maphash.Seed
	start  time.Time // times are counted from here, by the monotonic clock
	now    func() time.Time
	max    int // keys in a shard
	shards [shards]shard
}

type shard struct {
	mu    sync.Mutex
	empty map[string]time.Duration // when the bucket of a key is empty
	sweep time.Duration            // when buckets that are empty go next
}

var _ Store = (*Memory)(nil)

// sweepEvery is how often a shard forgets the keys whose buckets are empty.
const sweepEvery = time.Second

// NewMemory makes a store of at most maxKeys keys; 0 means DefaultMaxKeys. When there are more, one
// that is known is forgotten for each that comes: somebody with many addresses must not use up the
// memory.
func NewMemory(maxKeys int) *Memory {
	if maxKeys <= 0 {
		maxKeys = DefaultMaxKeys
	}
	return &Memory{seed: maphash.MakeSeed(), start: time.Now(), now: time.Now, max: max(maxKeys/shards, 1)}
}

// SetClock replaces the clock, for tests. Call it before the store is used.
func (m *Memory) SetClock(now func() time.Time) { m.start, m.now = now(), now }

// Take implements [Store]. It never fails.
func (m *Memory) Take(_ context.Context, key string, step, limit time.Duration) (time.Duration, bool, error) {
	now := m.now().Sub(m.start)
	s := &m.shards[maphash.String(m.seed, key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	full := max(s.empty[key]-now, 0)
	if full+step > limit {
		return full, false, nil
	}
	s.put(key, now, full+step, m.max)
	return full + step, true, nil
}

func (s *shard) put(key string, now, full time.Duration, limit int) {
	if s.empty == nil {
		s.empty = map[string]time.Duration{}
	}
	if _, known := s.empty[key]; !known {
		s.makeRoom(now, limit)
	}
	s.empty[key] = now + full
}

// makeRoom forgets the keys whose buckets are empty, from time to time, and any when there is no
// room.
func (s *shard) makeRoom(now time.Duration, limit int) {
	if now >= s.sweep {
		s.sweep = now + sweepEvery
		for key, at := range s.empty {
			if at <= now {
				delete(s.empty, key)
			}
		}
	}
	for key := range s.empty {
		if len(s.empty) < limit {
			return
		}
		delete(s.empty, key)
	}
}

// Len is the number of keys.
func (m *Memory) Len() (n int) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.empty)
		s.mu.Unlock()
	}
	return n
}

// Close implements [Store].
func (m *Memory) Close() error { return nil }
