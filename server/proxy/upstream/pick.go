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

// PickLast is for a request that failed where it was sent, and for which Pick finds no other backend: it
// leases one that checks hold for down, or that is ejected, nil if there is none. What is known of them may
// be behind the times, as while backends are started anew one after the other, and without a further try
// the request has failed for certain.
func (p *Pool) PickLast(r *http.Request, tried []*Backend) *Lease {
	return p.among(p.now.Load(), r, func(b *Backend) bool {
		why := b.hindrance()
		return (why == Down || why == Ejected) && !b.full() && !slices.Contains(tried, b)
	})
}

// try leases a backend if one can take r now.
func (p *Pool) try(r *http.Request, tried []*Backend) *Lease {
	s := p.now.Load()
	if l := s.stuck(p, r, tried); l != nil {
		return l
	}
	return p.among(s, r, func(b *Backend) bool { return b.able() && !slices.Contains(tried, b) })
}

// among leases one of those that fit.
func (p *Pool) among(s *set, r *http.Request, fits func(*Backend) bool) *Lease {
	usable := func(i int) bool { return fits(s.backends[i]) }
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
	return b.permitted()
}

// permitted makes the lease of a request that has begun, nil when the breaker has changed its mind.
func (b *Backend) permitted() *Lease {
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
	if err := p.why(tried); !err.passing() || p.o.Limits.Wait < 0 {
		return nil, err.named()
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.o.Limits.Wait)
	defer cancel()
	started := time.Now()
	for ctx.Err() == nil {
		l, err := p.stand(ctx, r, tried)
		if l != nil || err != nil {
			return l, err
		}
	}
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	err := p.why(tried).named()
	err.Waited = time.Since(started)
	return nil, err
}

// stand waits in line once, until there is a lease, or an error that does not pass, or something
// has changed and neither is there.
func (p *Pool) stand(ctx context.Context, r *http.Request, tried []*Backend) (*Lease, error) {
	w := p.line.join(tried)
	if w == nil {
		return nil, p.why(tried).named()
	}
	l := p.try(r, tried) // again, as the place that it would wait for may have become free before
	if l != nil {
		if b := p.line.leave(w); b != nil {
			b.end()
		}
		return l, nil
	}
	err := p.why(tried)
	if err.passing() && err.Why != "" {
		select {
		case <-w.again:
		case <-ctx.Done():
		}
	}
	if b := p.line.leave(w); b != nil {
		return b.permitted(), nil
	}
	if err.passing() {
		return nil, nil
	}
	return nil, err
}
