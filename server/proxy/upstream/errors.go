package upstream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rws/server/proxy/health"
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
	Backends []Hindrance   // of each
	Sources  []error       // that failed
	Waited   time.Duration // for one that was full
}

// Hindrance is why one backend cannot take a request.
type Hindrance struct {
	Backend string
	Why     Why
	Err     error // of its last check when it is down
}

// maxNamed is how many backends the text of an error names.
const maxNamed = 8

// Error implements error.
func (e *NoBackend) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "upstream %q: no backend can take the request: %s", e.Pool, e.Why)
	if e.Waited > 0 {
		fmt.Fprintf(&b, " for %v", e.Waited.Round(time.Millisecond))
	}
	for i, h := range e.Backends {
		if i == maxNamed {
			fmt.Fprintf(&b, "; and %d more", len(e.Backends)-i)
			break
		}
		fmt.Fprintf(&b, "; %s is %s", h.Backend, h.Why)
		if h.Err != nil {
			fmt.Fprintf(&b, " (%v)", h.Err)
		}
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
		h := Hindrance{Backend: b.name, Why: b.hindrance()}
		if slices.Contains(tried, b) {
			h.Why = Tried
		}
		e.Backends = append(e.Backends, h)
	}
	e.Why = common(e.Backends)
	if e.Why == Down || e.Why == Mixed {
		p.addErrors(e)
	}
	return e
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

// common is the reason of all; "" when one has none.
func common(all []Hindrance) Why {
	why := all[0].Why
	for _, h := range all {
		switch {
		case h.Why == "":
			return ""
		case h.Why == Full:
			why = Full
		case h.Why != why && why != Full:
			why = Mixed
		}
	}
	return why
}

// addErrors adds what checks said.
func (p *Pool) addErrors(e *NoBackend) {
	if p.monitor == nil {
		return
	}
	said := map[string]health.Status{}
	for _, st := range p.monitor.Status() {
		said[st.ID] = st
	}
	for i, h := range e.Backends {
		if h.Why == Down {
			e.Backends[i].Err = said[h.Backend].Err
		}
	}
}
