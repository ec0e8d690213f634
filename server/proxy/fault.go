package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"

	"rws/server/http1"
	"rws/server/problem"
	"rws/server/proxy/transport"
	"rws/server/proxy/upstream"
	"rws/server/status"
)

// Error is a request that was not answered by a backend, or not to the end. The exchange has it as its
// Fault, and the log shows it.
type Error struct {
	Backend string // the last that was asked, "" for none
	Phase   string // dial, queue, write, header or body; pick where there is no backend; hook; request for what the client did
	Status  int    // that the client gets
	Tries   int
	Err     error // the cause

	detail  string  // for the client
	refused bool    // the request itself is at fault
	kind    failure // what a retry goes by
	sent    bool    // some of the request may have reached the backend
	outcome upstream.Kind
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Backend != "" {
		b.WriteString("backend " + e.Backend + ": ")
	}
	fmt.Fprintf(&b, "%s: %v", e.Phase, e.Err)
	if e.Tries > 1 {
		fmt.Fprintf(&b, " (after %d tries)", e.Tries)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// LogLevel is how loud a fault is in the middle of an answer that began well: by its status alone it would be
// none.
func (e *Error) LogLevel() slog.Level {
	if e.refused {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// HTTPStatus is the status for the answer.
func (e *Error) HTTPStatus() int { return e.Status }

// failure is a kind of failure that may be worth another try.
type failure uint8

const (
	noRetry failure = iota
	onConnect
	onTimeout
	onReset
	onStatus
)

// refusal is a request that is not passed on.
func refusal(code int, detail string) *Error {
	return &Error{Phase: "request", Status: code, detail: detail, refused: true, Err: errors.New(strings.TrimSuffix(strings.ToLower(detail[:1])+detail[1:], "."))}
}

// clientError is a request whose body could not be read, or whose client is gone.
func clientError(err error) *Error {
	return &Error{Phase: "request", Status: clientStatus(err), refused: true, Err: err, detail: clientDetail(err)}
}

func clientDetail(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "The request body ended before all of it had come."
	}
	return "The request body can't be read."
}

// clientStatus is what the server makes of the same errors; any other is a body that is badly framed.
func clientStatus(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	switch {
	case errors.Is(err, http1.ErrClientLeft), errors.Is(err, context.Canceled), errors.Is(err, syscall.ECONNRESET):
		return status.ClientClosedRequest
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return statusOf(err, http.StatusBadRequest)
}

// statusOf is what the error says itself, or the usual.
func statusOf(err error, usual int) int {
	if e, ok := errors.AsType[interface {
		error
		HTTPStatus() int
	}](err); ok {
		return e.HTTPStatus()
	}
	if e, ok := errors.AsType[*http1.RequestError](err); ok {
		return e.Status
	}
	return usual
}

// explain says what a failed round trip means, and whose fault it was.
func (c *call) explain(t *try, err error) *Error {
	if c.source != nil {
		if fault := c.source.clientFault(); fault != nil {
			return c.at(t, clientError(fault))
		}
	}
	switch cause := c.over(); {
	case cause != nil:
		return c.at(t, c.ended(cause))
	case context.Cause(&t.life) == errLost:
		return c.at(t, &Error{Phase: "header", Err: errLost, Status: http.StatusBadGateway})
	}
	e := &Error{Phase: "header", Status: http.StatusBadGateway, Err: err, kind: onReset, sent: true, outcome: upstream.Failure}
	known, ok := errors.AsType[*transport.Error](err)
	if ok {
		e.Phase, e.sent = string(known.Phase), known.Sent
	}
	switch {
	case ok && known.Client:
		e = refusal(http.StatusBadRequest, "The request can't be passed on: "+known.Err.Error()+".")
	case isTimeout(e.Err):
		e.Status, e.kind = http.StatusGatewayTimeout, onTimeout
	}
	switch {
	case errors.Is(err, transport.ErrQueue):
		e.Status = http.StatusServiceUnavailable
	case errors.Is(err, transport.ErrUpgrade): // the script is at fault, which chose this backend for it
		e.kind, e.outcome = noRetry, upstream.Neutral
	}
	if e.Phase == string(transport.PhaseDial) || e.Phase == string(transport.PhaseQueue) || !ok && refusedToConnect(err) {
		e.kind, e.sent = onConnect, false
	}
	return c.at(t, e)
}

// at names the backend.
func (c *call) at(t *try, e *Error) *Error {
	e.Backend = t.lease.Backend.Name()
	return e
}

// ended is a request that was over before its answer.
func (c *call) ended(cause error) *Error {
	if c.source != nil && c.in.ProtoMajor == 1 && errors.Is(cause, http1.ErrClientLeft) {
		if fault := c.source.rest(); fault != nil {
			return clientError(fault)
		}
	}
	e := &Error{Phase: "header", Status: statusOf(cause, http.StatusServiceUnavailable), Err: cause}
	switch {
	case errors.Is(cause, http1.ErrClientLeft), errors.Is(cause, context.Canceled):
		e.Status, e.refused = status.ClientClosedRequest, true
	case errors.Is(cause, context.DeadlineExceeded):
		e.Status = http.StatusGatewayTimeout
		if c.source == nil && !c.grpc { // else the client may have taken the time, or set it
			e.outcome = upstream.Failure
		}
	}
	return e
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// refusedToConnect is for transports that are not ours.
func refusedToConnect(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial" || errors.Is(err, syscall.ECONNREFUSED)
}

// fail answers for a request that no backend has answered.
func (c *call) fail(e *Error) {
	e.Tries = c.tries
	c.count(e)
	switch {
	case c.unreachable(e) && c.h.o.Fallback != nil:
		c.h.log.WarnContext(c.ex, "no backend could be reached, the fallback answers", "id", c.ex.ID(), "pool", c.h.o.Pool.Name(), "err", e.Error())
		c.h.o.Fallback.ServeHTTP(c.w, c.unread())
	case c.grpc:
		c.ex.Fault = e
		c.failGRPC(e)
	default:
		c.fault(e)
	}
}

// unread is the request with the body from its beginning: no backend has had it, but some of it may have
// been read to be sent.
func (c *call) unread() *http.Request {
	if c.source == nil || !c.source.renewable() {
		return c.in
	}
	r := c.in.WithContext(c.in.Context())
	r.Body = &reading{source: c.source}
	return r
}

func (c *call) count(e *Error) {
	switch {
	case e.Status == status.ClientClosedRequest:
		c.h.stats.left.Add(1)
	case e.refused:
		c.h.stats.refused.Add(1)
	default:
		c.h.stats.failed.Add(1)
	}
}

// unreachable reports whether no backend could even be asked.
func (c *call) unreachable(e *Error) bool {
	none, ok := errors.AsType[*upstream.NoBackend](e.Err)
	return !e.refused && (e.Phase == "pick" && (!ok || none.Why != upstream.Full) || e.kind == onConnect)
}

// retryAfter is for clients that are sent away because no backend is up.
var retryAfter = []string{"5"}

// fault leaves the answer to the server, which has the pages of the app; where there is none, it is
// written here.
func (c *call) fault(e *Error) {
	c.ex.Fault = e
	header := c.w.Header()
	if e.Status == http.StatusServiceUnavailable {
		header["Retry-After"] = retryAfter
	}
	if e.refused && c.source != nil && c.in.ProtoMajor == 1 {
		header["Connection"] = []string{"close"}
	}
	if c.ex.Server != nil && !(e.refused && e.detail != "" && c.plain(e)) {
		return
	}
	problem.Write(c.w, c.in, problem.Details{Status: e.Status, Detail: e.detail, ID: c.ex.ID()})
}

// plain reports a refusal that the server knows no more about than its status.
func (c *call) plain(e *Error) bool {
	var known error
	if e, ok := errors.AsType[*http1.RequestError](e.Err); ok {
		known = e
	}
	if e, ok := errors.AsType[*http.MaxBytesError](e.Err); ok {
		known = e
	}
	return known == nil && e.Status != status.ClientClosedRequest && e.Status != http.StatusRequestTimeout
}
