package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"rws/server/proxy/transport"
	"rws/server/proxy/upstream"
)

// A try is one request to one backend.
type try struct {
	life  life
	lease *upstream.Lease
	res   *http.Response
	start time.Time
	took  time.Duration // until the head of the answer
	body  *reading      // nil without
}

// ask tries until there is an answer to pass on, or nothing more to try.
func (c *call) ask() (*try, *Error) {
	c.interim.begin(c)
	if c.hedges() {
		return c.race()
	}
	t, fault := c.lease(nil)
	if fault != nil {
		return nil, fault
	}
	for {
		fault = c.send(t, c.interim.within(c.in.Context()))
		next := c.next(t, fault)
		if next == nil {
			return t, fault
		}
		t = next
	}
}

// lease takes a backend that has not been tried.
func (c *call) lease(tried []*upstream.Backend) (*try, *Error) {
	l, err := c.h.o.Pool.Pick(c.in, tried)
	if cause := c.over(); err != nil && cause != nil {
		return nil, c.ended(cause)
	}
	if err != nil {
		return nil, &Error{Phase: "pick", Status: http.StatusServiceUnavailable, Err: err, Tries: c.tries}
	}
	c.tries++
	return &try{lease: l, start: time.Now()}, nil
}

// send asks the backend of t, with a context that has the values of with.
func (c *call) send(t *try, with context.Context) *Error {
	if t.life.Context == nil {
		t.life.begin(c.in.Context(), c.tell(with))
	}
	res, err := t.lease.Backend.RoundTrip(c.request(t))
	t.took = time.Since(t.start)
	if err != nil {
		fault := c.explain(t, err)
		c.drop(t, fault.outcome, err)
		return fault
	}
	t.res = res
	return c.check(t)
}

// tell adds what connections go by: how long to wait for the answer, and the addresses of the client for backends
// that learn them from the connection.
func (c *call) tell(ctx context.Context) context.Context {
	if d := c.h.o.Timeout.Header; d != 0 {
		ctx = transport.WithResponse(ctx, d)
	}
	if !c.h.o.Pool.TellsClient() {
		return ctx
	}
	source, err := netip.ParseAddrPort(c.in.RemoteAddr)
	if err != nil {
		return ctx // a unix socket
	}
	if c.ex.Client.IsValid() && !c.ex.Client.IsUnspecified() {
		source = netip.AddrPortFrom(c.ex.Client, 0)
	}
	local, _ := c.in.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil {
		return ctx
	}
	destination, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return ctx
	}
	return transport.WithClientAddr(ctx, source, destination)
}

// request is a copy for one backend.
func (c *call) request(t *try) *http.Request {
	r := c.out.WithContext(&t.life)
	r.Host = c.h.hostFor(t.lease.Backend.URL(), c.out.Host)
	if c.source != nil {
		t.body = &reading{source: c.source}
		r.Body = t.body
	}
	return r
}

// check refuses an answer that is none.
func (c *call) check(t *try) *Error {
	res := t.res
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols && !c.agrees(res):
	case res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols, res.StatusCode > 599:
	default:
		return nil
	}
	err := errors.New("it answered " + res.Status + ", which was not asked for")
	fault := c.at(t, &Error{Phase: "header", Status: http.StatusBadGateway, Err: err, outcome: upstream.Failure})
	c.drop(t, upstream.Failure, err)
	return fault
}

// drop ends a try whose answer is not used.
func (c *call) drop(t *try, kind upstream.Kind, err error) {
	status := 0
	if t.res != nil {
		status = t.res.StatusCode
	}
	c.settle(t, upstream.Outcome{Kind: kind, Status: status, Err: err, Took: t.took})
}

// settle ends a try, with what it says of the backend.
func (c *call) settle(t *try, o upstream.Outcome) {
	if t.body != nil {
		_ = t.body.Close()
	}
	t.life.end(context.Canceled, nil)
	if t.res != nil {
		_ = t.res.Body.Close() // what is left of an answer that is not used tells nothing
	}
	t.lease.Done(o)
}

// kindOf says what a complete answer tells of the backend.
func kindOf(status int) upstream.Kind {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return upstream.Failure
	}
	return upstream.Success
}
