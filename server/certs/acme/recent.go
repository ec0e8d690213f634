package acme

import (
	"sync"
	"time"
)

// maxRecent is how many names are remembered for a while; of more, all are forgotten.
const maxRecent = 10_000

// recent are names that something has come to nothing for, and is not tried for again so soon. Safe for
// concurrent use.
type recent struct {
	keep time.Duration

	mu    sync.Mutex
	until map[string]time.Time
}

func newRecent(keep time.Duration) *recent {
	return &recent{keep: keep, until: map[string]time.Time{}}
}

func (r *recent) has(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.until[name])
}

func (r *recent) add(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.until) >= maxRecent {
		clear(r.until)
	}
	r.until[name] = time.Now().Add(r.keep)
}
