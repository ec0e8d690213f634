package upstream

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// A line is the requests that wait for a backend, in their order. It has the word of one that may
// go on: who cannot use it passes it to those behind.
type line struct {
	limit int
	n     atomic.Int32 // how many there are, to see it without the lock
	mu    sync.Mutex
	list  list.List // of *waiter
}

// A waiter is one request.
type waiter struct {
	turn chan struct{} // of one place: something has changed, try again
	at   *list.Element
}

// join stands a request at the end, nil when the line is too long.
func (l *line) join() *waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.list.Len() >= l.limit {
		return nil
	}
	w := &waiter{turn: make(chan struct{}, 1)}
	w.at = l.list.PushBack(w)
	l.n.Add(1)
	return w
}

// leave takes a request out. What it was told and did not use is told to the next.
func (l *line) leave(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := w.at.Next()
	l.list.Remove(w.at)
	l.n.Add(-1)
	select {
	case <-w.turn:
		tell(next)
	default:
	}
}

// wake tells the first that a backend may have room.
func (l *line) wake() {
	if l.n.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	tell(l.list.Front())
}

// pass tells those behind w what w could not use.
func (l *line) pass(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	tell(w.at.Next())
}

// wakeAll tells all that something has changed.
func (l *line) wakeAll() {
	if l.n.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := l.list.Front(); e != nil; e = e.Next() {
		select {
		case e.Value.(*waiter).turn <- struct{}{}:
		default:
		}
	}
}

// tell tells the first from e on that was not told yet.
func tell(e *list.Element) {
	for ; e != nil; e = e.Next() {
		select {
		case e.Value.(*waiter).turn <- struct{}{}:
			return
		default:
		}
	}
}
