package httpcache

import (
	"context"
	"strings"
	"sync"
	"time"

	"rws/server/exchange"
)

// flight is one request that asks the handler while others wait for what it gets.
type flight struct {
	key  string
	done chan struct{} // closed when waiting makes no sense any more
	once sync.Once
	kept bool // an answer has been kept; set before done
	lost bool // the one who asked has left without an answer; the next may ask

	by *exchange.Exchange // the one who asks; nil if unknown
}

// end releases those who wait.
func (f *flight) end(kept, lost bool) {
	if f == nil {
		return
	}
	f.once.Do(func() {
		f.kept, f.lost = kept, lost
		close(f.done)
	})
}

// board returns the flight under a key, and true for who has to fly it.
func (c *Cache) board(key string, by *exchange.Exchange) (*flight, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[key]; f != nil {
		return f, false
	}
	f := &flight{key: key, done: make(chan struct{}), by: by}
	c.flights[key] = f
	return f, true
}

// variant is the key of flights: requests that want the same answer. What that depends on beside the
// key the answers that are there tell; before the first, it is not known.
func (c *Cache) variant(q *query) string {
	names := c.store.vary(q.place.key)
	if len(names) == 0 {
		return q.key()
	}
	var b strings.Builder
	b.Write(q.place.key)
	for _, name := range names {
		b.WriteString("\n" + selecting(q.r, name))
	}
	return b.String()
}

// land ends a flight: who comes now begins another one.
func (c *Cache) land(f *flight, kept, lost bool) {
	if f == nil {
		return
	}
	c.mu.Lock()
	if c.flights[f.key] == f {
		delete(c.flights, f.key)
	}
	c.mu.Unlock()
	f.end(kept, lost)
}

// wait returns when a flight is over, or false when it takes too long or ctx ends.
func (f *flight) wait(ctx context.Context, limit time.Duration) bool {
	select {
	case <-f.done:
		return true
	default:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-f.done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// passTime is how long requests do not wait for each other under a key whose answer was not to be
// kept, and maxPasses how many such keys are remembered.
const (
	passTime  = 10 * time.Second
	maxPasses = 10_000
)

// pass remembers that the answer under a key was not to be kept.
func (c *Cache) pass(key string) {
	now := c.o.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.passes) >= maxPasses {
		clear(c.passes) // to wait for each other once more costs little
	}
	c.passes[key] = now.Add(passTime)
}

// passing reports whether requests under a key do not wait for each other.
func (c *Cache) passing(key []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	until, ok := c.passes[string(key)]
	if !ok {
		return false
	}
	if c.o.Now().Before(until) {
		return true
	}
	delete(c.passes, string(key))
	return false
}
