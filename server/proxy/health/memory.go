package health

import (
	"fmt"
	"sync"
	"time"
)

// Memory keeps what checks have found out for the Monitor that comes next, so that a reload does not forget
// it. Safe for concurrent use; made by [NewMemory]. A nil Memory keeps nothing.
type Memory struct {
	mu    sync.Mutex
	known map[string]Status
}

// NewMemory makes an empty memory.
func NewMemory() *Memory { return &Memory{known: map[string]Status{}} }

// forget is when a backend that is checked no more is forgotten.
const forget = time.Hour

// save notes what is known by a key now.
func (m *Memory) save(key string, s Status) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.known[key]; !known {
		for old, s := range m.known {
			if time.Since(s.Checked) > forget {
				delete(m.known, old)
			}
		}
	}
	m.known[key] = s
}

// load returns what was found out within a time.
func (m *Memory) load(key string, recent time.Duration) (Status, bool) {
	if m == nil {
		return Status{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.known[key]
	return s, ok && time.Since(s.Checked) <= recent
}

// recent is how old a finding may be to say something of a backend now: three checks may have been missed.
func (c *Check) recent() time.Duration { return 4*c.Every + c.Timeout }

// key is what a backend of this pool is remembered by: its name, and how it is asked. With another question
// nothing is known.
func (m *Monitor) key(t Target) string {
	c := &m.o.Check
	return fmt.Sprintf("%q", []any{m.o.Name, t.ID, t.URL, t.Host, c.Scheme, c.Port, c.Path, c.Method, c.Host, c.Header, c.Status.text, c.Match, c.Service})
}
