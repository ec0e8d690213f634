package vm

import (
	"context"
	"sync"
)

// A fairLock is a mutex that serves its waiters in the order they came, and whose
// waiters can give up. The zero value is unlocked.
//
// sync.Mutex lets a running goroutine overtake the queue, which under load lets one
// busy request starve the rest for a millisecond at a time.
type fairLock struct {
	mu    sync.Mutex
	held  bool
	head  *waiter
	tail  *waiter
	queue int
}

// A waiter is one place in the queue; turn is closed-over once by handing it a token.
type waiter struct {
	turn       chan struct{}
	prev, next *waiter
}

var waiters = sync.Pool{New: func() any { return &waiter{turn: make(chan struct{}, 1)} }}

// lock waits for the lock. It returns ctx's error, without the lock, when ctx ends
// first; a nil ctx waits for ever.
func (l *fairLock) lock(ctx context.Context) error {
	l.mu.Lock()
	if !l.held {
		l.held = true
		l.mu.Unlock()
		return nil
	}
	w := waiters.Get().(*waiter)
	l.push(w)
	l.mu.Unlock()

	var gone <-chan struct{}
	if ctx != nil {
		gone = ctx.Done()
	}
	select {
	case <-w.turn:
		waiters.Put(w)
		return nil
	case <-gone:
	}

	l.mu.Lock()
	select {
	case <-w.turn: // handed over in the meantime: pass it on
		l.mu.Unlock()
		l.unlock()
	default:
		l.drop(w)
		l.mu.Unlock()
	}
	waiters.Put(w)
	return context.Cause(ctx)
}

// unlock hands the lock to the first waiter, if there is one.
func (l *fairLock) unlock() {
	l.mu.Lock()
	w := l.head
	if w == nil {
		l.held = false
		l.mu.Unlock()
		return
	}
	l.drop(w)
	w.turn <- struct{}{}
	l.mu.Unlock()
}

// waiting returns how many goroutines stand in the queue.
func (l *fairLock) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queue
}

func (l *fairLock) push(w *waiter) {
	w.prev, w.next = l.tail, nil
	if l.tail == nil {
		l.head = w
	} else {
		l.tail.next = w
	}
	l.tail = w
	l.queue++
}

func (l *fairLock) drop(w *waiter) {
	if w.prev == nil {
		l.head = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.tail = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
	l.queue--
}
