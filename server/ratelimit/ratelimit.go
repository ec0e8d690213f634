// Package ratelimit says whether somebody may do something again already.
//
// The algorithm is GCRA (the generic cell rate algorithm of ATM, ITU-T I.371), a leaky bucket that
// needs one time for each key: when the bucket will be empty. It has no windows at whose borders
// twice the rate passes. Where the times are kept is a [Store]: memory, a SQL database or Redis;
// with the last two several processes share a limit.
package ratelimit

import (
	"context"
	"fmt"
	"time"
)

// Rate is how often something may be done: Count times in each Per, evenly, and up to Burst times
// at once after a rest. The zero Burst means Count.
type Rate struct {
	Count int
	Per   time.Duration
	Burst int
}

// String is "100/min", or "100/min burst 20".
func (r Rate) String() string {
	per := r.Per.String()
	for _, u := range units {
		if u.per == r.Per {
			per = u.names[0]
		}
	}
	text := fmt.Sprintf("%d/%s", r.Count, per)
	if r.Burst != 0 && r.Burst != r.Count {
		text += fmt.Sprintf(" burst %d", r.Burst)
	}
	return text
}

// check says what makes a rate no rate.
func (r Rate) check() error {
	switch {
	case r.Count <= 0:
		return fmt.Errorf("the rate allows %d times: must be 1 or more", r.Count)
	case r.Per <= 0:
		return fmt.Errorf("the rate has the period %v: must be positive", r.Per)
	case r.Burst < 0:
		return fmt.Errorf("the rate has a burst of %d: must not be negative", r.Burst)
	case r.step() <= 0 || r.step() > 365*24*time.Hour:
		return fmt.Errorf("the rate %v is out of range: between once a year and once a nanosecond", r)
	}
	return nil
}

// step is the time that one use costs.
func (r Rate) step() time.Duration { return r.Per / time.Duration(max(r.Count, 1)) }

// burst is how many uses may follow at once.
func (r Rate) burst() int {
	if r.Burst == 0 {
		return r.Count
	}
	return r.Burst
}

// Result is what became of one use.
type Result struct {
	Allowed bool
	// Limit is the burst, Remaining how much of it could be used now.
	Limit, Remaining int
	// RetryAfter is when a use that was refused would be allowed; 0 if it was not.
	RetryAfter time.Duration
	// Reset is when all of the burst can be used again.
	Reset time.Duration
}

// Store keeps, for each key, when its bucket will be empty. Implementations are safe for concurrent
// use, in all processes that share them.
type Store interface {
	// Take fills the bucket of key by step, unless it would then be empty later than limit from
	// now. It returns how long it takes to be empty, after the filling if allowed, and before it if
	// not.
	Take(ctx context.Context, key string, step, limit time.Duration) (full time.Duration, allowed bool, err error)
	// Close frees what the store has made; not what it was given.
	Close() error
}

// Limiter allows a rate for each key.
type Limiter struct {
	store Store
	rate  Rate
	name  string
}

// New makes a limiter. Limiters that share a store have different names, or they count together.
func New(store Store, name string, rate Rate) (*Limiter, error) {
	if err := rate.check(); err != nil {
		return nil, err
	}
	return &Limiter{store: store, rate: rate, name: name}, nil
}

// Rate is what the limiter allows.
func (l *Limiter) Rate() Rate { return l.rate }

// Take uses one of what key may do. An error is the store's; whether that means yes or no is the
// caller's decision.
func (l *Limiter) Take(ctx context.Context, key string) (Result, error) {
	step, burst := l.rate.step(), l.rate.burst()
	limit := step * time.Duration(burst)
	full, allowed, err := l.store.Take(ctx, l.name+":"+key, step, limit)
	if err != nil {
		return Result{}, fmt.Errorf("rate limit %s: %w", l.name, err)
	}
	r := Result{Allowed: allowed, Limit: burst, Remaining: int((limit - full) / step), Reset: full}
	if !allowed {
		r.Remaining = 0
		r.RetryAfter = full + step - limit
	}
	return r, nil
}
