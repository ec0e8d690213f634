package server

import (
	"context"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"rws/server/discard"
)

// background counts what goes on behind answers.
type background struct {
	mu   sync.Mutex
	n    int
	done chan struct{} // closed when n is 0; nil while nobody waits
}

func (b *background) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
}

func (b *background) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n--
	if b.n == 0 && b.done != nil {
		close(b.done)
		b.done = nil
	}
}

// over is closed when nothing goes on; nil is for nothing now.
func (b *background) over() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n > 0 && b.done == nil {
		b.done = make(chan struct{})
	}
	return b.done
}

// Settle waits until all has ended that requests have begun behind their answers, see [exchange.Detacher]: the
// shadows of mirrors, the refreshing of cached answers. The error is that of ctx, if it ends before.
func (h *Handler) Settle(ctx context.Context) error {
	over := h.background.over()
	if over == nil {
		return nil
	}
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Detach implements [exchange.Detacher]: f runs in the background as a request of the same route. It
// is counted in until it returns, so that the app stays open for it, but it is no answer: it is
// neither in the stats nor in the access log. What fails is logged.
func (t *transaction) Detach(r *http.Request, limit time.Duration, f func(http.ResponseWriter, *http.Request)) bool {
	h := t.handler
	if !h.enter() {
		return false
	}
	h.background.begin()
	d := &transaction{handler: h}
	outer := r.WithContext(context.WithoutCancel(t.Exchange.Context))
	d.Begin(outer, &h.life)
	d.Route, d.RouteName, d.Params = t.Route, t.RouteName, t.Params
	d.Follow(&t.Exchange)
	d.Limit(limit)
	d.request = outer.WithContext(&d.Exchange)
	d.writer.begin(discard.Writer(), r, -1)
	d.Server = d
	go func() {
		defer d.finishDetached()
		f(&d.writer, d.request)
	}()
	return true
}

func (t *transaction) finishDetached() {
	if p := recover(); p != nil && p != http.ErrAbortHandler {
		t.Fault = &PanicError{Value: p, Stack: debug.Stack()}
	}
	if t.Fault != nil {
		t.logFault(Status(t.Fault))
	}
	t.End()
	t.handler.background.end()
	t.handler.exit()
}
