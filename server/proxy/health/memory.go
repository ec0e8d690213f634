package health

import (
	"fmt"
	"maps"
	"sync"
	"time"
)

// Memory keeps what checks have found out for the Monitor that comes next, and who is ejected for the next
// Outlier, so that a reload does not forget it. Safe for concurrent use; made by [NewMemory]. A nil Memory keeps nothing.
type Memory struct {
	mu      sync.Mutex
	known   map[string]Status
	ejected map[string]ejection
}

// An ejection is what an [Outlier] knows of one backend.
type ejection struct {
	until     time.Time // zero for one that is over
	ejections int       // of late
	back      time.Time // when the last ended
}

// NewMemory makes an empty memory.
func NewMemory() *Memory { return &Memory{known: map[string]Status{}, ejected: map[string]ejection{}} }

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

// saveEjection notes what is known by a key now.
func (m *Memory) saveEjection(key string, e ejection) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.ejected[key]; !known {
		maps.DeleteFunc(m.ejected, func(_ string, e ejection) bool { return time.Since(e.last()) > forget })
	}
	m.ejected[key] = e
}

// last is when the ejection ends, or has ended.
func (e ejection) last() time.Time {
	if e.until.IsZero() {
		return e.back
	}
	return e.until
}

func (m *Memory) loadEjection(key string) ejection {
	if m == nil {
		return ejection{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ejected[key]
}

// recent is how old a finding may be to say something of a backend now: three checks may have been missed.
func (c *Check) recent() time.Duration { return 4*c.Every + c.Timeout }

// key is what a backend of this pool is remembered by: its name, and how it is asked. With another question
// nothing is known.
func (m *Monitor) key(t Target) string {
	c := &m.o.Check
	return fmt.Sprintf("%q", []any{m.o.Name, t.ID, t.URL, t.Host, c.Scheme, c.Port, c.Path, c.Method, c.Host, c.Header, c.Status.text, c.Match, c.Service})
}
