package upstream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrNoBackend is what every [NoBackend] is.
var ErrNoBackend = errors.New("no backend can take the request")

// Why is the reason that a backend, or a whole pool, cannot take a request.
type Why string

// The reasons.
const (
	None    Why = "none configured"  // the pool has no backends
	Looking Why = "none found yet"   // and sources have not answered yet, or failed so far
	Down    Why = "down"             // by active checks
	Ejected Why = "ejected"          // by passive checks
	Open    Why = "breaker open"     // and no probe is due
	Full    Why = "full"             // as many requests under way as may be
	Drained Why = "drained"          // by hand
	Tried   Why = "tried already"    // for this request
	Closed  Why = "closed"           // the pool is
	Mixed   Why = "different causes" // see NoBackend.Backends
)

// NoBackend says why no backend can take a request. Its text names backends and their errors: it is
// for logs, not for clients.
type NoBackend struct {
	Pool     string
	Why      Why           // the same for all backends, or Full when some are, or Mixed
	Backends []Hindrance   // of each, the first 8
	More     int           // further backends
	Sources  []error       // that failed
	Waited   time.Duration // for one that was full
}

// Hindrance is why one backend cannot take a request.
type Hindrance struct {
	Backend string
	Why     Why
	Err     error // of its last check when it is down
}

// maxNamed is how many backends an error names: there may be one for each request.
const maxNamed = 8

// Error implements error.
func (e *NoBackend) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "upstream %q: no backend can take the request: %s", e.Pool, e.Why)
	if e.Waited > 0 {
		fmt.Fprintf(&b, " for %v", e.Waited.Round(time.Millisecond))
	}
	for _, h := range e.Backends {
		fmt.Fprintf(&b, "; %s is %s", h.Backend, h.Why)
		if h.Err != nil {
			fmt.Fprintf(&b, " (%v)", h.Err)
		}
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "; and %d more", e.More)
	}
	for _, err := range e.Sources {
		fmt.Fprintf(&b, "; %v", err)
	}
	return b.String()
}

// Is makes every NoBackend an [ErrNoBackend].
func (e *NoBackend) Is(target error) bool { return target == ErrNoBackend }

// passing says whether it may be over soon.
func (e *NoBackend) passing() bool {
	return e.Why == Full || e.Why == Looking && len(e.Sources) == 0 || e.Why == ""
}

// named gives an error a reason in the rare case that there was one and is none any more.
func (e *NoBackend) named() *NoBackend {
	if e.Why == "" {
		e.Why = Full
	}
	return e
}

// why says why no backend can take a request. Its Why is empty when one can by now.
func (p *Pool) why(tried []*Backend) *NoBackend {
	s := p.now.Load()
	e := &NoBackend{Pool: p.o.Name}
	switch {
	case s.closed:
		e.Why = Closed
		return e
	case len(s.backends) == 0:
		p.none(e)
		return e
	}
	for _, b := range s.backends {
		h := b.hindered(tried)
		e.Why = e.Why.and(h.Why)
		if h.Why == "" {
			e.Why = ""
			return e
		}
		if len(e.Backends) < maxNamed {
			e.Backends = append(e.Backends, h)
		} else {
			e.More++
		}
	}
	return e
}

// hindered is hindrance, for a request that has tried some.
func (b *Backend) hindered(tried []*Backend) Hindrance {
	h := Hindrance{Backend: b.name, Why: b.hindrance()}
	if slices.Contains(tried, b) {
		h.Why = Tried
	}
	if err := b.checked.Load(); h.Why == Down && err != nil {
		h.Err = *err
	}
	return h
}

// and is the reason of all when w is that of some, "" for none yet, and next that of one more.
func (w Why) and(next Why) Why {
	switch {
	case w == "" || w == next || next == Full:
		return next
	case w == Full:
		return Full
	}
	return Mixed
}

// none explains an empty pool.
func (p *Pool) none(e *NoBackend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Why = None
	for _, f := range p.feeds {
		e.Why = Looking
		if f.follower == nil {
			continue
		}
		if st := f.follower.Status(); st.Err != nil {
			e.Sources = append(e.Sources, fmt.Errorf("%s: %w", st.Source, st.Err))
		}
	}
}
