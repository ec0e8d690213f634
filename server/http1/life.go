package http1

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"rws/server/cancel"
)

// ErrClientLeft is why the context of a request ended whose client left, as [context.Cause] tells. It
// is a [context.Canceled].
var ErrClientLeft error = clientLeft{errors.New("client closed request")}

type clientLeft struct{ error }

func (clientLeft) Is(target error) bool { return target == context.Canceled }

// A life is the context of a request. It ends with the request, or when the client leaves; the
// connection is only watched once somebody wants to know.
type life struct {
	cancel.Context
	t *transaction

	mu      sync.Mutex
	wanted  bool          // somebody wants to know when the client leaves
	over    bool          // the handler has returned, or taken the connection: no more watching
	ticket  ticket        // of the watch by the system
	watcher chan struct{} // closed when the watch by a goroutine ends; nil when there is none
}

// Value knows [http.LocalAddrContextKey].
func (l *life) Value(key any) any {
	if key == http.LocalAddrContextKey {
		return l.t.conn.nc.LocalAddr()
	}
	return l.Context.Value(key)
}

// Done implements [context.Context].
func (l *life) Done() <-chan struct{} {
	l.want()
	return l.Context.Done()
}

// AfterFunc is for package context, see [cancel.Context].
func (l *life) AfterFunc(f func()) (stop func() bool) {
	l.want()
	return l.Context.AfterFunc(f)
}

// end ends the context.
func (l *life) end() { l.End(context.Canceled, nil) }

// left ends the context because the client has left.
func (l *life) left() { l.End(context.Canceled, ErrClientLeft) }

func (l *life) want() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted = true
	l.watch()
}

// bodyEnded lets a watch begin that had to wait for the end of the body.
func (l *life) bodyEnded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wanted {
		l.watch()
	}
}

// watch begins to look whether the client is still there, once somebody wants to know. Where the
// system does not tell, we have to read: not what belongs to a body, nor beyond the next request
// if the client sends that already. mu is held.
func (l *life) watch() {
	c := l.t.conn
	if l.over || l.watcher != nil || l.ticket != 0 {
		return
	}
	if l.ticket = c.server.hangups.add(c.nc, l); l.ticket != 0 || l.t.body.pending.Load() || c.in.Len() > 0 {
		return
	}
	c.deadline(0)
	l.watcher = make(chan struct{})
	go l.listen(c, l.watcher)
}

// listen waits for the client to leave, by reading.
func (l *life) listen(c *conn, watcher chan struct{}) {
	defer close(watcher)
	n, err := c.nc.Read(c.peek[:])
	switch {
	case n == 1:
		c.peeked = true // of the next request, which waits
	case err != nil && !c.unwatching.Load():
		l.left()
	}
}

// unwatch ends the watch for good and puts back what it has read.
func (l *life) unwatch() {
	l.mu.Lock()
	watcher, ticket := l.watcher, l.ticket
	l.over = true
	l.mu.Unlock()
	c := l.t.conn
	if ticket != 0 {
		c.server.hangups.remove(c.nc, ticket)
	}
	if watcher == nil {
		return
	}
	c.unwatching.Store(true)
	_ = c.nc.SetReadDeadline(past) // fails on a closed connection, as the read does
	<-watcher
	c.unwatching.Store(false)
	c.deadline(0)
	c.unread()
}

// past is a deadline that ends a read at once.
var past = time.Unix(1, 0)
