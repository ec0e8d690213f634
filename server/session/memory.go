package session

import (
	"context"
	"errors"
	"sync"
	"time"
)

// DefaultMaxSessions is the bound of a Memory.
const DefaultMaxSessions = 100_000

// Memory keeps sessions in the process, which forgets them when it ends. Made by [NewMemory].
type Memory struct {
	mu      sync.RWMutex
	records map[string]*Record // which do not change once they are in
	max     int
	now     func() time.Time
}

var _ Store = (*Memory)(nil)

// NewMemory returns a store of up to max sessions, 0 for [DefaultMaxSessions]. When it is
// full, one that was not seen for long has to go.
func NewMemory(max int) *Memory {
	if max <= 0 {
		max = DefaultMaxSessions
	}
	return &Memory{records: make(map[string]*Record), max: max, now: time.Now}
}

// SetClock replaces the clock by which sessions end, for tests. Call it before the store is used.
func (m *Memory) SetClock(now func() time.Time) { m.now = now }

func (m *Memory) Get(_ context.Context, id string) (*Record, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.get(id), nil
}

// get returns a copy.
func (m *Memory) get(id string) *Record {
	r := m.records[id]
	if r == nil || r.over(m.now()) {
		return nil
	}
	c := *r
	return &c
}

func (m *Memory) Create(_ context.Context, r *Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.get(r.ID) != nil {
		return errors.New("session: the id exists already")
	}
	if len(m.records) >= m.max {
		m.evict()
	}
	m.put(*r)
	return nil
}

func (m *Memory) put(r Record) { m.records[r.ID] = &r }

// evict drops the session that was not seen for longest among a few: looking at all would let
// a flood of new sessions take all time.
func (m *Memory) evict() {
	var oldest *Record
	n := 0
	for _, r := range m.records { // begins anywhere
		if oldest == nil || r.Seen.Before(oldest.Seen) {
			oldest = r
		}
		if n++; n == 16 {
			break
		}
	}
	delete(m.records, oldest.ID)
}

func (m *Memory) Swap(_ context.Context, r *Record, version int64) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.get(r.ID)
	if now == nil || now.Version != version {
		return false, nil
	}
	m.put(*r)
	return true, nil
}

func (m *Memory) Remove(_ context.Context, id string, version int64) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.get(id)
	if r == nil || version != 0 && r.Version != version {
		return false, nil
	}
	delete(m.records, id)
	return true, nil
}

func (m *Memory) Touch(_ context.Context, r *Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := m.get(r.ID); now != nil && now.Seen.Before(r.Seen) {
		now.Seen, now.Expires = r.Seen, r.Expires
		m.put(*now)
	}
	return nil
}

func (m *Memory) List(_ context.Context, user string, limit int) ([]*Record, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var list []*Record
	for id, r := range m.records {
		if len(list) == limit {
			break
		}
		if user != "" && r.User != user {
			continue
		}
		if c := m.get(id); c != nil {
			list = append(list, c)
		}
	}
	return list, nil
}

func (m *Memory) Purge(_ context.Context, now time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for id, r := range m.records {
		if r.over(now) {
			delete(m.records, id)
			n++
		}
	}
	return n, nil
}
