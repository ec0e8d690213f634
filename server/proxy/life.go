package proxy

import (
	"context"
	"sync"

	"rws/server/cancel"
)

// life is the context of one try: it ends with the request, or before by end. As most tries are ended by
// nobody, it costs nothing until somebody waits for it.
type life struct {
	context.Context                 // of the request, with what the try adds
	request         context.Context // of the request itself, which may know AfterFunc
	own             cancel.Context

	mu    sync.Mutex
	tied  bool
	untie func() bool
}

func (l *life) begin(request, with context.Context) { l.request, l.Context = request, with }

// end ends the context, if it has not ended already, and lets go of the request.
func (l *life) end(err, cause error) {
	l.own.End(err, cause)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.untie != nil {
		l.untie()
		l.untie = nil
	}
}

func (l *life) tie() {
	if l.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tied {
		return
	}
	l.tied = true
	l.untie = cancel.After(l.request, l.follow)
}

func (l *life) follow() { l.own.End(l.request.Err(), context.Cause(l.request)) }

// Done implements [context.Context].
func (l *life) Done() <-chan struct{} {
	l.tie()
	return l.own.Done()
}

// AfterFunc is for package context, see [cancel.Context].
func (l *life) AfterFunc(f func()) (stop func() bool) {
	l.tie()
	return l.own.AfterFunc(f)
}

// Err implements [context.Context].
func (l *life) Err() error {
	if err := l.own.Err(); err != nil {
		return err
	}
	if l.request.Err() != nil {
		l.follow()
	}
	return l.own.Err()
}

// Value implements [context.Context].
func (l *life) Value(key any) any {
	if l.own.Err() != nil { // the package context looks for the cause
		if v := l.own.Value(key); v != nil {
			return v
		}
	}
	return l.Context.Value(key)
}
