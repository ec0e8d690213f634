package proxy

import (
	"context"
	"sync"
	"time"

	"rws/server/cancel"
)

// life is the context of one try: it ends with the request, or before by end. Most tries are over before
// anything could end them, and to watch over a client costs two system calls: so it looks at the request only
// when asked, or when somebody has been waiting for patience.
type life struct {
	context.Context                 // of the request, with what the try adds
	request         context.Context // of the request itself, which may know AfterFunc
	own             cancel.Context

	mu    sync.Mutex
	timer *time.Timer // until somebody's waiting has lasted
	tied  bool
	untie func() bool
}

// patience is by how much a try may outlive its request.
const patience = 10 * time.Millisecond

func (l *life) begin(request, with context.Context) { l.request, l.Context = request, with }

// end ends the context, if it has not ended already, and lets go of the request.
func (l *life) end(err, cause error) {
	l.own.End(err, cause)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.untie != nil {
		l.untie()
		l.untie = nil
	}
}

// wait has the end of the request end the try, from patience on.
func (l *life) wait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer == nil {
		l.timer = time.AfterFunc(patience, l.tie)
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
	l.wait()
	return l.own.Done()
}

// AfterFunc is for package context, see [cancel.Context].
func (l *life) AfterFunc(f func()) (stop func() bool) {
	l.wait()
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
