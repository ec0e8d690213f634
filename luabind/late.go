package luabind

import (
	"context"
	"sync"
	"sync/atomic"
)

// late is a store that is opened when it is first used, so that a server that is away for a while
// keeps no app from starting. One that could not be opened is tried again.
type late[T any] struct {
	open  func() (*T, error)
	ready atomic.Pointer[T]

	mu      sync.Mutex
	attempt *opening // under way, nil for none
}

// opening is one attempt to open a store.
type opening struct {
	done chan struct{}
	err  error
}

// get returns the store. It waits no longer than ctx; opening it goes on.
func (l *late[T]) get(ctx context.Context) (*T, error) {
	if store := l.ready.Load(); store != nil {
		return store, nil
	}
	a := l.begin()
	select {
	case <-a.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if a.err != nil {
		return nil, a.err
	}
	return l.ready.Load(), nil
}

// begin returns the attempt that is under way, or begins one.
func (l *late[T]) begin() *opening {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attempt != nil {
		return l.attempt
	}
	a := &opening{done: make(chan struct{})}
	l.attempt = a
	go func() {
		defer close(a.done)
		store, err := l.open()
		l.mu.Lock()
		defer l.mu.Unlock()
		if a.err = err; err == nil {
			l.ready.Store(store)
			return
		}
		l.attempt = nil // the next request tries again
	}()
	return a
}
