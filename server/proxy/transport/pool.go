package transport

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A pool keeps the connections to one backend. The one that was used last is taken first, so that
// those that are not needed grow old and are closed.
type pool struct {
	o      *Options
	dialer *dialer

	mu      sync.Mutex
	closed  bool
	open    int     // all, those being opened included
	idle    []*conn // the freshest last
	waiters []*waiter
	sweeper *time.Timer // nil while nothing is idle
	dials   uint64
	reused  uint64
}

// A waiter waits for a connection. It gets one that has become free, or nil for the right to open
// one; the channel is closed with the pool.
type waiter struct {
	client client
	ready  chan *conn
}

// get returns a connection, which has been used before unless fresh is wanted.
func (p *pool) get(ctx context.Context, c client, fresh bool) (*conn, error) {
	for {
		n, w, err := p.begin(c, fresh)
		if w != nil {
			n, err = p.await(ctx, w)
		}
		switch {
		case err != nil:
			return nil, err
		case n == nil:
			return p.dial(ctx, c)
		case fresh: // the queue gave a used one
			n.shut()
			return p.dial(ctx, c)
		case n.alive():
			return n, nil
		}
		p.drop(n)
	}
}

// begin takes an idle connection, or the right to open one (all results are nil), or a place in the
// queue.
func (p *pool) begin(c client, fresh bool) (*conn, *waiter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, &Error{Phase: PhaseQueue, Err: fmt.Errorf("backend %s: %w", p.o.Address, ErrClosed)}
	}
	if !fresh {
		if n := p.take(c); n != nil {
			return n, nil, nil
		}
	}
	if p.open >= p.o.MaxConns && len(p.idle) > 0 { // of other clients, or not fresh enough
		p.discard(0)
	}
	if p.open < p.o.MaxConns {
		p.open++
		return nil, nil, nil
	}
	w := &waiter{c, make(chan *conn, 1)}
	p.waiters = append(p.waiters, w)
	return nil, w, nil
}

// take takes the connection of the client that was used last. mu is held.
func (p *pool) take(c client) *conn {
	now := time.Now()
	for i := len(p.idle) - 1; i >= 0; i-- {
		n := p.idle[i]
		switch {
		case n.tired(now):
			p.discard(i)
		case n.client == c:
			p.idle = slices.Delete(p.idle, i, i+1)
			p.reused++
			return n
		}
	}
	return nil
}

// discard closes an idle connection. mu is held.
func (p *pool) discard(i int) {
	n := p.idle[i]
	p.idle = slices.Delete(p.idle, i, i+1)
	p.open--
	n.shut()
}

// await waits for the turn of w.
func (p *pool) await(ctx context.Context, w *waiter) (*conn, error) {
	var late <-chan time.Time
	if p.o.Queue > 0 {
		timer := time.NewTimer(p.o.Queue)
		defer timer.Stop()
		late = timer.C
	}
	var why error
	select {
	case n, ok := <-w.ready:
		if !ok {
			return nil, &Error{Phase: PhaseQueue, Err: fmt.Errorf("backend %s: %w", p.o.Address, ErrClosed)}
		}
		return n, nil
	case <-late:
		why = fmt.Errorf("backend %s: %w (%d) and none became free within %s; raise the number of connections if it can take more", p.o.Address, ErrQueue, p.o.MaxConns, p.o.Queue)
	case <-ctx.Done():
		why = fmt.Errorf("waiting for a connection to the backend %s: %w", p.o.Address, context.Cause(ctx))
	}
	p.leave(w)
	return nil, &Error{Phase: PhaseQueue, Err: why}
}

// leave gives up a place in the queue, or what came of it in the meantime.
func (p *pool) leave(w *waiter) {
	p.mu.Lock()
	i := slices.Index(p.waiters, w)
	if i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		return
	}
	if n, ok := <-w.ready; ok && n != nil {
		p.put(n)
	} else if ok {
		p.release()
	}
}

// dial opens a connection, for which there is room.
func (p *pool) dial(ctx context.Context, c client) (*conn, error) {
	nc, err := p.dialer.open(ctx, c)
	if err != nil {
		p.release()
		return nil, err
	}
	p.mu.Lock()
	p.dials++
	p.mu.Unlock()
	return newConn(nc, p.o, c), nil
}

// put takes a connection back that is ready for another request.
func (p *pool) put(n *conn) {
	now := time.Now()
	n.since, n.used = now, true
	p.mu.Lock()
	kept := !p.closed && !n.old(now) && p.keep(n)
	p.mu.Unlock()
	if !kept {
		p.drop(n)
	}
}

// keep gives n to who waits, or keeps it. mu is held.
func (p *pool) keep(n *conn) bool {
	if len(p.waiters) > 0 {
		w := p.waiters[0]
		if w.client != n.client {
			return false // dropping it makes room for w
		}
		p.waiters = slices.Delete(p.waiters, 0, 1)
		p.reused++
		w.ready <- n
		return true
	}
	if len(p.idle) >= p.o.MaxIdle {
		return false
	}
	p.idle = append(p.idle, n)
	if p.sweeper == nil && (p.o.Idle > 0 || p.o.MaxAge > 0) {
		p.sweeper = time.AfterFunc(p.pace(), p.sweep)
	}
	return true
}

// drop closes a connection that was in use.
func (p *pool) drop(n *conn) {
	n.shut()
	p.release()
}

// release makes room for one connection.
func (p *pool) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiters) == 0 {
		p.open--
		return
	}
	w := p.waiters[0]
	p.waiters = slices.Delete(p.waiters, 0, 1)
	w.ready <- nil
}

// sweep closes what has been idle for too long.
func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if p.idle[i].tired(now) {
			p.discard(i)
		}
	}
	p.sweeper = nil
	if len(p.idle) > 0 {
		p.sweeper = time.AfterFunc(p.pace(), p.sweep)
	}
}

// pace is how often idle connections are looked at; one may live for that much longer.
func (p *pool) pace() time.Duration {
	d := p.o.Idle
	if d <= 0 {
		d = p.o.MaxAge
	}
	return min(max(d/8, 10*time.Millisecond), time.Minute)
}

// Close implements [Transport.Close].
func (p *pool) Close() {
	p.mu.Lock()
	p.closed = true
	for _, w := range p.waiters {
		close(w.ready)
	}
	p.waiters = nil
	p.mu.Unlock()
	p.CloseIdle()
}

// CloseIdle implements [Transport.CloseIdle].
func (p *pool) CloseIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		p.discard(len(p.idle) - 1)
	}
	if p.sweeper != nil {
		p.sweeper.Stop()
		p.sweeper = nil
	}
}

// Stats implements [Transport.Stats].
func (p *pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Open: p.open, Idle: len(p.idle), InUse: p.open - len(p.idle), Dials: p.dials, Reused: p.reused}
}
