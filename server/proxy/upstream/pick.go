package upstream

import (
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
)

// ErrNoBackend is what every error of [Pool.Pick] wraps.
var ErrNoBackend = errors.New("no backend can take the request")

// A Lease is a backend that was given to a request. [Lease.Done] ends it.
type Lease struct {
	Backend *Backend
	done    atomic.Bool
}

// Pick leases a backend to r, none of those in tried. The caller calls Done once.
func (p *Pool) Pick(r *http.Request, tried []*Backend) (*Lease, error) {
	s := p.now.Load()
	n := len(s.backends)
	for range n {
		b := s.backends[int(s.next.Add(1)-1)%n]
		if !b.drained.Load() && !slices.Contains(tried, b) && b.acquire() {
			return &Lease{Backend: b}, nil
		}
	}
	return nil, ErrNoBackend
}

// Done ends the lease with what became of the request. Only the first call counts.
func (l *Lease) Done(o Outcome) {
	if l.done.Swap(true) {
		return
	}
	l.Backend.requests.Add(1)
	if o.Kind == Failure {
		l.Backend.failures.Add(1)
	}
	l.Backend.release()
}
