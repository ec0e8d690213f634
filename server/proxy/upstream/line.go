package upstream

import (
	"container/list"
	"slices"
	"sync"
	"sync/atomic"
)

// A line is the requests that wait for a backend, in their order. The place of a request that ends
// is handed to the first that can use it, and is not free in between: who comes later does not get
// it sooner.
type line struct {
	limit int
	n     atomic.Int32 // how many there are, to see it without the lock
	mu    sync.Mutex
	list  list.List // of *waiter
}

// A waiter is one request.
type waiter struct {
	tried []*Backend
	again chan struct{} // of one place: it has got a backend, or the pool has changed

	// Guarded by the lock of the line.
	at  *list.Element // nil when it is out
	got *Backend      // begun for it
}

// join stands a request at the end, nil when the line is too long.
func (l *line) join(tried []*Backend) *waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.list.Len() >= l.limit {
		return nil
	}
	w := &waiter{tried: tried, again: make(chan struct{}, 1)}
	w.at = l.list.PushBack(w)
	l.n.Add(1)
	return w
}

// leave takes a request out. If it has got a backend meanwhile, that is returned.
func (l *line) leave(w *waiter) *Backend {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.at != nil {
		l.remove(w)
	}
	return w.got
}

func (l *line) remove(w *waiter) {
	l.list.Remove(w.at)
	w.at = nil
	l.n.Add(-1)
}

// hand gives the place of a request that ended to one that waits. False means that nobody wants it.
func (l *line) hand(b *Backend) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := l.list.Front(); e != nil; e = e.Next() {
		if w := e.Value.(*waiter); !slices.Contains(w.tried, b) {
			l.remove(w)
			w.got = b
			w.tell()
			return true
		}
	}
	return false
}

// wakeAll tells all that the pool has changed.
func (l *line) wakeAll() {
	if l.n.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := l.list.Front(); e != nil; e = e.Next() {
		e.Value.(*waiter).tell()
	}
}

func (w *waiter) tell() {
	select {
	case w.again <- struct{}{}:
	default:
	}
}
