package proxy

import (
	"context"
	"net/http"
	"time"

	"rws/server/exchange"
	"rws/server/http1"
	"rws/server/proxy/upstream"
)

// A call is one request on its way through the handler.
type call struct {
	h  *Handler
	w  http.ResponseWriter
	in *http.Request
	ex *exchange.Exchange

	out     *http.Request // for the backend, whichever it will be
	source  *source       // nil without a body
	upgrade string        // what an upgrade asks for, "" for none
	grpc    bool
	due     time.Time // when the time that a client of gRPC gives is all but over; zero for never

	tried   []*upstream.Backend
	tries   int
	values  [6]string
	used    int
	interim interim
}

// value is a field with one value, without an allocation of its own.
func (c *call) value(text string) []string {
	if c.used == len(c.values) {
		return []string{text}
	}
	c.values[c.used] = text
	c.used++
	return c.values[c.used-1 : c.used : c.used]
}

// ServeHTTP implements [http.Handler]. It panics with [http.ErrAbortHandler] when an answer has to be
// broken off, so that the client notices. The request outlives its app, see [exchange.Exchange.Outlive]: an
// app that is replaced is no reason for a backend to do its work again.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	own := exchange.From(r.Context()) == nil
	e, r := exchange.Of(r)
	if own {
		defer e.End()
	}
	e.Outlive()
	c := &call{h: h, w: w, in: r, ex: e}
	h.stats.requests.Add(1)
	h.stats.active.Add(1)
	h.retry.budget.begin()
	defer c.close()
	if fault := c.prepare(); fault != nil {
		c.fail(fault)
		return
	}
	if done := c.onRequest(); done {
		return
	}
	t, fault := c.ask()
	c.interim.close()
	if fault == nil {
		c.answered(t)
	}
	switch {
	case fault != nil:
		c.fail(fault)
	case t.res.StatusCode == http.StatusSwitchingProtocols:
		c.tunnel(t)
	default:
		c.deliver(t)
	}
}

func (c *call) close() {
	c.h.stats.active.Add(-1)
	c.interim.close()
	if c.source != nil {
		c.source.settle()
	}
}

// onRequest calls the hook; it reports whether the request is answered.
func (c *call) onRequest() bool {
	hook := c.h.o.OnRequest
	if hook == nil {
		return false
	}
	w := &watch{ResponseWriter: c.w}
	if err := hook(w, c.in, c.out); err != nil {
		c.fault(&Error{Phase: "hook", Err: err, Status: statusOf(err, http.StatusInternalServerError)})
		return true
	}
	if w.started() {
		return true
	}
	if err := c.h.paths.checkPlace(c.out); err != nil {
		c.fail(refusal(http.StatusBadRequest, "The path of the request was changed to one that is not passed on: "+err.Error()+"."))
		return true
	}
	if name := invalidField(c.out.Header); name != "" {
		c.fault(&Error{Phase: "hook", Status: http.StatusInternalServerError, Err: &fieldError{name}})
		return true
	}
	return false
}

// over reports why the request is over by no fault of a backend: its client left, its time is up, or
// the app or the server goes. nil means it is not.
func (c *call) over() error {
	if c.in.Context().Err() == nil {
		return nil
	}
	cause := context.Cause(c.in.Context())
	if cause == context.Canceled && c.ex.Context.Err() == context.Canceled { // HTTP/2 does not say
		return http1.ErrClientLeft
	}
	return cause
}

// limit bounds the request as the options and gRPC have it.
func (c *call) limit(d time.Duration) {
	if d > 0 && c.upgrade == "" {
		c.ex.Limit(d)
	}
}
