package middleware

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ConcurrencyOptions say how many requests may be under way at once.
type ConcurrencyOptions struct {
	// Max is for all together: more are answered 503. 0 for no limit.
	Max int
	// PerKey is for each client: more are answered 429. 0 for no limit.
	PerKey int
	KeyOptions
	// Queue is how many may wait for one of Max to end, Wait for how long at most.
	Queue int
	Wait  time.Duration
}

// Concurrency bounds the requests that are under way, each until its handler returns. A request
// that is refused has Retry-After.
func Concurrency(o ConcurrencyOptions) (Func, error) {
	key, err := o.KeyOptions.key()
	switch {
	case err != nil:
		return nil, fmt.Errorf("concurrency: %w", err)
	case o.Max < 0 || o.PerKey < 0 || o.Queue < 0 || o.Wait < 0:
		return nil, fmt.Errorf("concurrency: max %d, per key %d, queue %d, wait %s: must not be negative", o.Max, o.PerKey, o.Queue, o.Wait)
	case o.Max == 0 && o.PerKey == 0:
		return nil, errors.New("concurrency: neither the limit for all nor the one for each client is set")
	case (o.Queue > 0) != (o.Wait > 0):
		return nil, fmt.Errorf("concurrency: queue %d, wait %s: both are needed for requests to wait, or neither", o.Queue, o.Wait)
	case o.Queue > 0 && o.Max == 0:
		return nil, errors.New("concurrency: requests wait for a place among max, which is not set")
	}
	c := &concurrency{ConcurrencyOptions: o, key: key, busy: map[string]int{}}
	if o.Max > 0 {
		c.places = make(chan struct{}, o.Max)
	}
	return c.wrap, nil
}

type concurrency struct {
	ConcurrencyOptions
	key     keyFunc
	places  chan struct{} // nil without Max
	waiting atomic.Int64

	mu   sync.Mutex
	busy map[string]int // requests under way by key
}

func (c *concurrency) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.PerKey > 0 {
			key := c.key(r)
			if !c.begin(key) {
				refuse(w, r, http.StatusTooManyRequests, "Too many requests at once.", http.Header{"Retry-After": {"1"}})
				return
			}
			defer c.end(key)
		}
		if c.places != nil {
			if !c.enter(r) {
				refuse(w, r, http.StatusServiceUnavailable, "The server is busy.", http.Header{"Retry-After": {"1"}})
				return
			}
			defer func() { <-c.places }()
		}
		next.ServeHTTP(w, r)
	})
}

func (c *concurrency) begin(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[key] >= c.PerKey {
		return false
	}
	c.busy[key]++
	return true
}

func (c *concurrency) end(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[key]--; c.busy[key] <= 0 {
		delete(c.busy, key)
	}
}

// enter takes a place, or waits for one.
func (c *concurrency) enter(r *http.Request) bool {
	select {
	case c.places <- struct{}{}:
		return true
	default:
	}
	if c.waiting.Add(1) > int64(c.Queue) {
		c.waiting.Add(-1)
		return false
	}
	defer c.waiting.Add(-1)
	timer := time.NewTimer(c.Wait)
	defer timer.Stop()
	select {
	case c.places <- struct{}{}:
		return true
	case <-timer.C:
	case <-r.Context().Done():
	}
	return false
}
