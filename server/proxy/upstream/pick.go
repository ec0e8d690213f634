package upstream

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// Pick leases a backend to r, none of those in tried. While all that could take it are full, it
// waits for at most [Limits.Wait]; before the sources of backends have first answered, too.
//
// An error is a [NoBackend], or that of the context of r when it ended meanwhile. The caller calls
// [Lease.Done] once.
func (p *Pool) Pick(r *http.Request, tried []*Backend) (*Lease, error) {
	if l := p.try(r, tried); l != nil {
		return l, nil
	}
	return p.wait(r, tried)
}

// try leases a backend if one can take r now.
func (p *Pool) try(r *http.Request, tried []*Backend) *Lease {
	s := p.now.Load()
	if l := s.stuck(p, r, tried); l != nil {
		return l
	}
	usable := func(i int) bool {
		b := s.backends[i]
		return b.able() && !slices.Contains(tried, b)
	}
	key, hashed := p.key(r)
	for range len(s.backends) + 1 { // more than once when the chosen one filled up in that moment
		i := 0
		if hashed {
			i = s.balance.Pick(key, usable)
		} else {
			i = s.balance.PickAny(usable)
		}
		if i < 0 {
			return nil
		}
		if l := s.backends[i].lease(); l != nil {
			return l
		}
	}
	return nil
}

// lease takes the backend for a request, nil when it cannot take one after all.
func (b *Backend) lease() *Lease {
	if !b.begin() {
		return nil
	}
	l := &Lease{Backend: b}
	if b.breaker == nil {
		return l
	}
	permit, ok := b.breaker.Allow()
	if !ok {
		b.end()
		return nil
	}
	l.permit = permit
	return l
}

// wait leases a backend when one can take r later, or says why none can.
func (p *Pool) wait(r *http.Request, tried []*Backend) (*Lease, error) {
	err := p.why(tried)
	if !err.passing() || p.o.Limits.Wait < 0 {
		return nil, err
	}
	w := p.line.join()
	if w == nil {
		return nil, err
	}
	defer p.line.leave(w)
	ctx, cancel := context.WithTimeout(r.Context(), p.o.Limits.Wait)
	defer cancel()
	started := time.Now()
	for again := true; ; {
		if l := p.try(r, tried); l != nil {
			return l, nil
		}
		if err = p.why(tried); !err.passing() {
			return nil, err
		}
		if again && err.Why == "" { // one became free between the two
			again = false
			continue
		}
		p.line.pass(w)
		select {
		case <-w.turn:
		case <-ctx.Done():
			if r.Context().Err() != nil {
				return nil, context.Cause(r.Context())
			}
			err.Waited = time.Since(started)
			return nil, err
		}
	}
}
