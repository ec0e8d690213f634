package breaker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"
)

// Record is what a store keeps of a breaker that is open: one that is closed has none. Its times are
// whole milliseconds. One whose Until has passed waits to be probed, and stays until that succeeds.
type Record struct {
	Name     string
	Failures int       // that opened it
	Opened   time.Time // by the clock of the instance that opened it
	Until    time.Time
}

// keep is how long a record is kept after its Until, for a backend that nobody probes because there
// are no requests, or because it is gone.
const keep = 24 * time.Hour

// Store keeps the records of open breakers. Implementations are safe for concurrent use, in all
// processes that share them.
type Store interface {
	// Load returns the records that there are among the names, in any order.
	Load(ctx context.Context, names []string) ([]Record, error)
	// Save adds a record or replaces that of the same name.
	Save(ctx context.Context, r Record) error
	// Delete removes the record of a name, if there is one.
	Delete(ctx context.Context, name string) error
	// Close frees what the store has made; not what it was given.
	Close() error
}

// Memory is a store that outlives a [Set] and not the process, so that a reload does not forget. Made
// by [NewMemory].
type Memory struct {
	mu      sync.Mutex
	records map[string]Record
}

var _ Store = (*Memory)(nil)

// NewMemory makes an empty store.
func NewMemory() *Memory { return &Memory{records: map[string]Record{}} }

// Load implements [Store].
func (m *Memory) Load(_ context.Context, names []string) ([]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []Record
	for _, name := range names {
		if r, ok := m.records[name]; ok {
			list = append(list, r)
		}
	}
	return list, nil
}

// Save implements [Store].
func (m *Memory) Save(_ context.Context, r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, old := range m.records {
		if time.Since(old.Until) > keep {
			delete(m.records, name)
		}
	}
	m.records[r.Name] = r
	return nil
}

// Delete implements [Store].
func (m *Memory) Delete(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, name)
	return nil
}

// Close implements [Store].
func (m *Memory) Close() error { return nil }

// maxName is how many bytes a name in a store may have: what every database takes as a key.
const maxName = 190

// storeName is the name of a breaker in the store.
func storeName(pool, backend string) string {
	name := pool + "/" + backend
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:maxName-2*len(sum)] + hex.EncodeToString(sum[:])
}
