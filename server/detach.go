package server

import (
	"context"
	"net/http"
	"runtime/debug"
	"time"

	"rws/server/discard"
)

// Detach implements [exchange.Detacher]: f runs in the background as a request of the same route. It
// is counted in until it returns, so that the app stays open for it, but it is no answer: it is
// neither in the stats nor in the access log. What fails is logged.
func (t *transaction) Detach(r *http.Request, limit time.Duration, f func(http.ResponseWriter, *http.Request)) bool {
	h := t.handler
	if !h.enter() {
		return false
	}
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
	t.handler.exit()
}
