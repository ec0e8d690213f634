package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// A stream is one request over HTTP/2.
type stream struct {
	t      *h2
	r      *http.Request // as it was given
	out    *http.Request // as it is sent
	ctx    context.Context
	cancel context.CancelCauseFunc
	body   *h2Request // nil without

	patience time.Duration // for the head of the answer

	mu       sync.Mutex
	timer    *time.Timer // of the wait under way
	answered bool        // the head of the answer is here
	over     bool        // no more waits
}

func (t *h2) newStream(r *http.Request) *stream {
	x := &stream{t: t, r: r, patience: ResponseFor(r.Context(), t.o.Response)}
	x.ctx, x.cancel = context.WithCancelCause(r.Context())
	x.out = r.WithContext(x.ctx)
	u := *r.URL
	u.Scheme, u.Host = t.scheme, t.host
	x.out.URL = &u
	if x.out.Host == "" {
		x.out.Host = t.host
	}
	if x.out.Header == nil {
		x.out.Header = http.Header{}
	}
	if r.Body != nil && r.Body != http.NoBody {
		x.body = &h2Request{ReadCloser: r.Body, x: x, left: r.ContentLength, sized: r.ContentLength > 0}
		x.out.Body = x.body
	}
	return x
}

// run sends the request and waits for the head of the answer.
func (x *stream) run(c *h2Conn) (*http.Response, error) {
	if x.body == nil {
		x.await(x.patience)
	}
	res, err := c.RoundTrip(x.out)
	x.arrived()
	if err != nil {
		defer x.end()
		return nil, x.cause(err)
	}
	res.Request = x.r
	res.Body = &h2Body{ReadCloser: res.Body, x: x}
	return res, nil
}

// await bounds the wait that begins now; 0 ends it.
func (x *stream) await(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.wait(d)
}

// wait is await with mu held.
func (x *stream) wait(d time.Duration) {
	switch {
	case x.over:
	case d <= 0 && x.timer != nil:
		x.timer.Stop()
	case d <= 0:
	case x.timer == nil:
		x.timer = time.AfterFunc(d, func() { x.cancel(os.ErrDeadlineExceeded) })
	default:
		x.timer.Reset(d)
	}
}

// arrived ends the wait for the head of the answer.
func (x *stream) arrived() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answered = true
	x.wait(0)
}

// sent begins the wait for the head of the answer, unless that came before the end of the request.
func (x *stream) sent() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.answered {
		x.wait(x.patience)
	}
}

// end frees what the stream holds.
func (x *stream) end() {
	x.mu.Lock()
	x.wait(0)
	x.over = true
	x.mu.Unlock()
	x.cancel(context.Canceled)
}

// cause says why the stream was reset, when that was us.
func (x *stream) cause(err error) error {
	if x.ctx.Err() != nil {
		return context.Cause(x.ctx)
	}
	return err
}

// repeatable is as that of HTTP/1.1; a stream can also be refused before anything was done.
func (x *stream) repeatable(err error, died bool) bool {
	if x.r.Context().Err() != nil || isTimeout(err) || x.body != nil && x.body.begun.Load() {
		return false
	}
	return isRefused(err) || died && idempotent(x.r)
}

// isRefused reports whether the backend says that it has done nothing (RFC 9113 §8.7).
func isRefused(err error) bool {
	e, ok := errors.AsType[http2.StreamError](err)
	return ok && e.Code == http2.ErrCodeRefusedStream
}

// explain says who is at fault.
func (x *stream) explain(phase Phase, err error) error {
	if x.body != nil {
		if fault := x.body.fault.Load(); fault != nil {
			return clientFault(*fault, true)
		}
	}
	return &Error{Phase: phase, Sent: !isRefused(err), Err: x.t.o.explain(phase, err, x.patience)}
}

// An h2Body is the body of an answer.
type h2Body struct {
	io.ReadCloser
	x *stream
}

func (b *h2Body) Read(p []byte) (int, error) {
	b.x.await(b.x.t.o.ReadIdle)
	n, err := b.ReadCloser.Read(p)
	b.x.await(0)
	if err != nil && err != io.EOF {
		err = b.x.explain(PhaseBody, b.x.cause(err))
	}
	return n, err
}

// Close resets the stream unless it has ended.
func (b *h2Body) Close() error {
	err := b.ReadCloser.Close()
	b.x.end()
	return err
}
