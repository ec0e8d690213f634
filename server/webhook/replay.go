package webhook

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Replays remembers webhooks, so that somebody who has recorded one cannot send it again. A store
// that several processes share is one for all of them. Implementations are safe for concurrent
// use.
type Replays interface {
	// Seen remembers a name for ttl at least, and reports whether it was remembered already, in
	// one step.
	Seen(ctx context.Context, name string, ttl time.Duration) (bool, error)
	// Forget makes a name unknown again, for a webhook that could not be handled and will be
	// sent again.
	Forget(ctx context.Context, name string) error
}

// DefaultMaxReplays is how many names a [Memory] holds.
const DefaultMaxReplays = 100_000

// Memory remembers in this process. Made by [NewMemory].
type Memory struct {
	max int

	mu    sync.Mutex
	until map[string]time.Time
	sweep time.Time // when those that have ended are dropped next
}

var _ Replays = (*Memory)(nil)

// NewMemory makes a store of at most maxNames names, 0 means DefaultMaxReplays. When it is full,
// Seen fails: to forget one would let it in again.
func NewMemory(maxNames int) *Memory {
	if maxNames <= 0 {
		maxNames = DefaultMaxReplays
	}
	return &Memory{max: maxNames, until: map[string]time.Time{}}
}

// Seen implements [Replays].
func (m *Memory) Seen(_ context.Context, name string, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if now.Before(m.until[name]) {
		return true, nil
	}
	m.drop(now)
	if len(m.until) >= m.max {
		return false, fmt.Errorf("%d webhooks are remembered, and no more fit; use a shorter time or a larger store", len(m.until))
	}
	m.until[name] = now.Add(ttl)
	return false, nil
}

// drop forgets those that have ended, once in a while.
func (m *Memory) drop(now time.Time) {
	if now.Before(m.sweep) {
		return
	}
	m.sweep = now.Add(time.Second)
	for name, until := range m.until {
		if !now.Before(until) {
			delete(m.until, name)
		}
	}
}

// Forget implements [Replays].
func (m *Memory) Forget(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.until, name)
	return nil
}

// Len is how many names are remembered.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.until)
}
