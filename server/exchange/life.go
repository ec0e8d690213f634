package exchange

import (
	"context"
	"sync/atomic"
	"time"
)

// Life is what the requests of one app have in common: how they learn that their time is up.
// The zero value never ends.
//
// An app goes in one of two ways. When it is replaced, as by a reload, the server goes on: Leaving is
// closed, and Force ends when the grace is over, but a request that has called [Exchange.Outlive] goes
// on until it ends by itself. When the server stops, Leaving and Stopping are closed, and Force and Last
// end when the grace is over, for apps that were replaced before too.
type Life struct {
	// Leaving is closed when the app is being replaced or the server stops. Requests may
	// finish; streams and sockets of the app itself, which would go on forever, end now of their own
	// accord.
	Leaving <-chan struct{}
	// Stopping is closed when the server stops. What outlives the app ends now of its own accord.
	Stopping <-chan struct{}
	// Force is done when the patience is over; the requests are done with it, but for those that
	// outlive the app. nil never is.
	Force context.Context
	// Last is Force for the requests that outlive the app. nil never is.
	Last context.Context
	// LastWords is what [Exchange.LastWords] gives.
	LastWords time.Duration

	outliving atomic.Int64
}

// Outliving is how many requests now outlive the app.
func (l *Life) Outliving() int64 { return l.outliving.Load() }

// Leaving is the channel of the same name in the [Life]; nil, which blocks forever, without one.
func (e *Exchange) Leaving() <-chan struct{} {
	if e.life == nil {
		return nil
	}
	return e.life.Leaving
}

// Stopping is the channel of the same name in the [Life]; nil, which blocks forever, without one.
func (e *Exchange) Stopping() <-chan struct{} {
	if e.life == nil {
		return nil
	}
	return e.life.Stopping
}

// LastWords is how long a stream or tunnel that has no end of its own may go on after Stopping is closed, so
// that it ends before it is made to.
func (e *Exchange) LastWords() time.Duration {
	if e.life == nil {
		return 0
	}
	return e.life.LastWords
}

// Outlive has the request go on for as long as it takes when its app is replaced: it ends by itself, or
// with the server. The app stays open until then. It is for what others have begun and would have to begin
// again, such as a proxied stream, and not for what only the app keeps going. Nothing happens when the
// request has ended, or is called a second time.
func (e *Exchange) Outlive() {
	if e.life == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.outlives || e.own.Err() != nil {
		return
	}
	e.outlives = true
	e.life.outliving.Add(1)
	if e.tied {
		if e.untie[1] != nil {
			e.untie[1]()
		}
		e.tieToForce()
	}
}

// force is what the request is made to end by; mu is held.
func (e *Exchange) force() context.Context {
	switch {
	case e.life == nil:
		return nil
	case e.outlives:
		return e.life.Last
	}
	return e.life.Force
}

// leaveLife counts the request out; mu is held.
func (e *Exchange) leaveLife() {
	if e.outlives {
		e.outlives = false
		e.life.outliving.Add(-1)
	}
}
