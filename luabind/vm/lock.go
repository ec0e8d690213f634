package vm

import (
	"context"
	"sync"
	"time"
)

// patience is how long a waiter may be overtaken. Handing the lock to a goroutine that
// first has to be scheduled leaves it idle meanwhile; letting the one that is running go
// first gave 1.5 times the requests a second with 64 connections on two cores. A waiter
// that has stood in line for longer gets the lock next, in the order of arrival.
const patience = 200 * time.Microsecond

// A fairLock is a mutex that serves its waiters in the order they came, once they have
// waited for patience, and whose waiters can give up. The zero value is unlocked.
type fairLock struct {
	mu    sync.Mutex
	held  bool
	head  *waiter
	tail  *waiter
	queue int

	waited time.Duration // of all that got the lock after a wait

	// Of WaitBriefly, see brief.go.
	lent    *brief      // whose wait keeps the lock, nil when none does
	lends   bool        // it was lent since the sentry looked
	holds   uint64      // how often it was taken
	seen    uint64      // holds when the sentry looked
	due     bool        // the holder must give it up when it waits
	sentry  *time.Timer // nil until the first loan
	watched bool        // the sentry will come
}

// A waiter is one place in the queue. Its fields are guarded by the lock's mu.
type waiter struct {
	ctx        context.Context
	since      time.Time
	wake       chan struct{} // one token at most; see woken
	woken      bool
	granted    bool
	err        error
	prev, next *waiter
}

var waiters = sync.Pool{New: func() any { return &waiter{wake: make(chan struct{}, 1)} }}

// lock waits for the lock. It returns ctx's cause, without the lock, when expire finds
// that ctx has ended first.
func (l *fairLock) lock(ctx context.Context) error {
	l.mu.Lock()
	if !l.held && (l.head == nil || !l.head.impatient()) {
		l.held = true
		l.took()
		l.mu.Unlock()
		return nil
	}
	w := waiters.Get().(*waiter)
	w.ctx, w.since = ctx, time.Now()
	w.woken, w.granted, w.err = false, false, nil
	l.push(w)
	l.mu.Unlock()
	return l.wait(w)
}

func (l *fairLock) wait(w *waiter) error {
	for {
		<-w.wake
		l.mu.Lock()
		if !w.granted && w.err == nil && l.held {
			w.woken = false // overtaken: back to sleep, at the same place
			l.mu.Unlock()
			continue
		}
		if !w.granted && w.err == nil {
			l.held = true
			l.drop(w)
		}
		err := w.err
		if err == nil {
			l.waited += time.Since(w.since)
			l.took()
		}
		w.ctx = nil
		l.mu.Unlock()
		waiters.Put(w)
		return err
	}
}

// unlock gives the lock to the first waiter if that has lost its patience; else it wakes
// that one and leaves the lock to whoever is first.
func (l *fairLock) unlock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.head
	if w == nil {
		l.held = false
		return
	}
	if w.impatient() {
		l.drop(w)
		w.granted = true
	} else {
		l.held = false
	}
	w.rouse()
}

// expire ends the waits whose context has ended. The watchdog calls it, so that waiting
// needs no channel of the context, which is costly to make for each request.
func (l *fairLock) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := l.head; w != nil; {
		next := w.next
		if w.ctx != nil && w.ctx.Err() != nil {
			l.drop(w)
			w.err = context.Cause(w.ctx)
			w.rouse()
			l.pass()
		}
		w = next
	}
}

// pass wakes the first waiter when the lock is free: the one that was woken before it has
// given up.
func (l *fairLock) pass() {
	if !l.held && l.head != nil {
		l.head.rouse()
	}
}

// total returns how long the lock was waited for.
func (l *fairLock) total() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waited
}

// waiting returns how many goroutines stand in the queue.
func (l *fairLock) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queue
}

func (w *waiter) impatient() bool { return time.Since(w.since) > patience }

func (w *waiter) rouse() {
	if !w.woken {
		w.woken = true
		w.wake <- struct{}{}
	}
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
