package discover

import (
	"slices"
	"sync"
)

// Memory keeps what sources have named for the [Follower] that comes next, so that a reload while a source is away
// does not lose the backends. Safe for concurrent use; made by [NewMemory]. A nil Memory keeps nothing.
type Memory struct {
	mu    sync.Mutex
	known map[string][]Target
}

// NewMemory makes an empty memory.
func NewMemory() *Memory { return &Memory{known: map[string][]Target{}} }

// maxKnown bounds the sources that are remembered: a script that names others at each reload must not fill the memory.
const maxKnown = 4096

// Save notes what a source names now, by a key that tells it from all others.
func (m *Memory) Save(key string, targets []Target) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.known[key]; !known && len(m.known) >= maxKnown {
		clear(m.known) // what is in use comes back with its next change
	}
	m.known[key] = slices.Clone(targets)
}

// Load returns what a source named last, nil for nothing.
func (m *Memory) Load(key string) []Target {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.known[key])
}
