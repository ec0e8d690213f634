package transport

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"sync"
	"time"
)

// continueWait is how long the backend has to answer "Expect: 100-continue" before the body is sent
// nonetheless: some servers know nothing of it (RFC 9110 §10.1.1), and the client waits meanwhile, which
// is sent 100 Continue when its body is first read.
const continueWait = 100 * time.Millisecond

// uploadGrace is how long the rest of a request is waited for after its answer.
const uploadGrace = time.Second

// unwatched is how long the head of an answer is waited for before the context is watched. Watching
// makes the server watch over its client too, which costs several microseconds and 17 allocations, and
// most backends are faster than this.
const unwatched = 10 * time.Millisecond

// maxInformational is how many 1xx answers may come before the answer.
const maxInformational = 5

// h1 speaks HTTP/1.1.
type h1 struct{ pool }

func newH1(o *Options, d *dialer) *h1 { return &h1{pool{o: o, dialer: d}} }

// An exchange is one request and its answer on one connection.
type exchange struct {
	t     *h1
	c     *conn
	r     *http.Request
	m     message
	trace *httptrace.ClientTrace
	stop  func() bool // ends the watch over the context; nil before

	patience time.Duration // for the head of the answer

	watched bool // over the context
	sent    bool // some of the request
	landed  bool // some of the answer has come
	up      *upload

	mu      sync.Mutex
	halves  int   // the answer, and a body that is being sent, unless they are over
	settled bool  // the connection is no longer ours
	client  error // reading the client's body
	broken  error // writing it
	grace   *time.Timer

	response http.Response
	body     body
}

// RoundTrip implements [http.RoundTripper].
func (t *h1) RoundTrip(r *http.Request) (*http.Response, error) {
	m, err := t.newMessage(r)
	if err != nil {
		closeBody(r)
		return nil, err
	}
	defer m.discard()
	if m.body <= inline {
		closeBody(r)
	}
	client, patience := t.o.client(r.Context()), ResponseFor(r.Context(), t.o.Response)
	for try := 0; ; try++ {
		c, err := t.get(r.Context(), client, try > 0)
		if err != nil {
			closeBody(r)
			return nil, again(err, try)
		}
		x := &exchange{t: t, c: c, r: r, m: m, halves: 1, patience: patience}
		reused := c.used
		res, err := x.run()
		if err == nil {
			return res, nil
		}
		if try > 0 || !reused || !x.repeatable(err) {
			closeBody(r)
			return nil, err
		}
	}
}

// again says of the error of a second try that the first has sent something.
func again(err error, try int) error {
	if e, ok := errors.AsType[*Error](err); ok && try > 0 {
		e.Sent = true
	}
	return err
}

// repeatable reports whether the request may be sent again after the connection broke: nothing has
// been answered, and nothing can have been done.
func (x *exchange) repeatable(err error) bool {
	if x.landed || x.up != nil || x.r.Context().Err() != nil || isTimeout(err) || isProtocol(err) {
		return false
	}
	return !x.sent || x.m.body > inline || idempotent(x.r)
}

// run sends the request and reads the head of the answer.
func (x *exchange) run() (*http.Response, error) {
	ctx := x.r.Context()
	if err := context.Cause(ctx); err != nil {
		return nil, x.fail(PhaseWrite, err)
	}
	if x.trace = httptrace.ContextClientTrace(ctx); x.trace != nil && x.trace.GotConn != nil {
		x.trace.GotConn(httptrace.GotConnInfo{Conn: x.c.nc, Reused: x.c.used})
	}
	x.c.partial.Store(true)
	n, err := x.c.write(*x.m.out, x.t.o.ReadIdle)
	x.sent = n > 0
	if err != nil {
		return nil, x.fail(PhaseWrite, err)
	}
	x.c.partial.Store(x.m.body > inline)
	a, err := x.await()
	if err == nil {
		err = x.givenUp()
	}
	if err != nil {
		return nil, x.fail(PhaseHeader, err)
	}
	return x.respond(&a)
}

// givenUp is why the request ended before its answer was here: what has come then may be about half of
// it. nil means it did not.
func (x *exchange) givenUp() error {
	if x.up != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.client != nil {
			return x.client
		}
	}
	if ctx := x.r.Context(); x.watched && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// await reads the head of the answer, while the body is being sent if there is one.
func (x *exchange) await() (answer, error) {
	switch {
	case x.m.expect:
		x.watch()
		x.c.limit(continueWait, false)
	case x.m.body > inline:
		x.watch()
		x.send()
	default:
		x.limitHead()
	}
	for informational := 0; ; informational++ {
		a, err := x.readHead()
		switch {
		case err != nil:
			return a, err
		case a.code >= 200 || a.code == http.StatusSwitchingProtocols:
			return a, nil
		case informational == maxInformational:
			return a, errTooMany
		}
		if err := x.inform(&a); err != nil {
			return a, err
		}
	}
}

// watch lets the end of the context close the connection.
func (x *exchange) watch() {
	if ctx := x.r.Context(); x.stop == nil && ctx.Done() != nil {
		x.stop = context.AfterFunc(ctx, x.c.interrupt)
	}
	x.watched = true
}

// limitHead begins the wait for the head of an answer to a request that has been sent.
func (x *exchange) limitHead() {
	if d := x.patience; !x.watched && (d <= 0 || d > unwatched) {
		x.c.limit(unwatched, false)
		return
	}
	x.watch()
	x.c.limit(x.patience, false)
}

// readHead also does what comes after the first wait: it sends the body when the backend does not say
// whether it wants it, or begins to watch the context.
func (x *exchange) readHead() (answer, error) {
	a, err := x.c.readHead(x.t.o.MaxHeaderBytes)
	first := errors.Is(err, os.ErrDeadlineExceeded)
	switch {
	case first && x.m.expect && x.up == nil:
		x.send()
		a, err = x.c.readHead(x.t.o.MaxHeaderBytes)
	case first && !x.watched:
		x.watch()
		x.limitHead()
		a, err = x.c.readHead(x.t.o.MaxHeaderBytes)
	}
	x.landed = x.landed || err == nil || len(x.c.in.Buffered()) > 0
	return a, err
}

// inform passes an informational answer on.
func (x *exchange) inform(a *answer) error {
	if a.code == http.StatusContinue && x.m.expect && x.up == nil {
		x.send()
	} else if x.up == nil && !x.m.expect {
		x.limitHead() // it is at work
	}
	if x.trace == nil {
		return nil
	}
	if a.code == http.StatusContinue && x.trace.Got100Continue != nil {
		x.trace.Got100Continue()
	}
	if x.trace.Got1xxResponse != nil {
		return x.trace.Got1xxResponse(a.code, textproto.MIMEHeader(a.fields.Header))
	}
	return nil
}

// respond makes a response of the head of the answer.
func (x *exchange) respond(a *answer) (*http.Response, error) {
	if a.code == http.StatusSwitchingProtocols {
		return x.switchProtocols(a)
	}
	x.c.limit(x.t.o.ReadIdle, true)
	if _, ok := a.fields.Header["Keep-Alive"]; ok {
		x.c.believe(a.fields.Header)
	}
	kind, length := a.body(x.r.Method)
	a.fill(&x.response, x.r, length)
	x.response.TLS = x.c.tls
	x.body.begin(x, kind, length)
	if x.m.expect && x.up == nil {
		closeBody(x.r) // the backend does not want it
	}
	if kind == empty {
		x.response.Body = http.NoBody
		x.half(x.body.reusable)
		return &x.response, nil
	}
	if !x.watched {
		x.c.unwatched = x
	}
	x.response.Body = &x.body
	return &x.response, nil
}

// half ends the answer. The connection goes back to the pool once the request has been sent too; it
// is closed at once if it is of no more use.
func (x *exchange) half(ok bool) {
	x.mu.Lock()
	x.halves--
	switch {
	case x.settled:
		x.mu.Unlock()
		return
	case ok && x.halves > 0: // the rest of the request is not waited for long
		x.grace = time.AfterFunc(uploadGrace, x.abandon)
		x.mu.Unlock()
		return
	}
	x.settled = true
	ok = ok && x.broken == nil
	x.mu.Unlock()
	x.release(ok)
}

// uploaded ends the request.
func (x *exchange) uploaded() {
	x.mu.Lock()
	x.halves--
	last := x.halves == 0 && !x.settled
	x.settled = x.settled || last
	if x.grace != nil {
		x.grace.Stop()
	}
	x.mu.Unlock()
	if last {
		x.release(true)
	}
}

// release gives the connection back.
func (x *exchange) release(ok bool) {
	if !x.watched {
		x.c.unwatched = nil
	}
	if x.stop != nil && !x.stop() {
		ok = false // it is being closed
	}
	if ok {
		x.t.put(x.c)
		return
	}
	x.t.drop(x.c)
	if x.up != nil {
		closeBody(x.r) // which ends a read that waits for the client
	}
}

// abandon gives the rest of the request up after the answer.
func (x *exchange) abandon() {
	x.mu.Lock()
	was := x.settled
	x.settled = true
	if x.broken == nil {
		x.broken = errAbandoned
	}
	x.mu.Unlock()
	if !was {
		x.release(false)
	}
}

// fail closes the connection and says who is at fault.
func (x *exchange) fail(phase Phase, err error) error {
	x.mu.Lock()
	client, broken, was := x.client, x.broken, x.settled
	x.settled = true
	x.mu.Unlock()
	if !was {
		x.release(false)
	}
	ctx := x.r.Context()
	switch {
	case client != nil:
		return &Error{Phase: phase, Client: true, Sent: x.sent, Err: client}
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case broken != nil && !isProtocol(err):
		phase, err = PhaseWrite, broken
	}
	return &Error{Phase: phase, Sent: x.sent, Err: x.t.o.explain(phase, err, x.patience)}
}
