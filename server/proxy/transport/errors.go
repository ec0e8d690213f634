package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// Phase is how far a request came.
type Phase string

// The phases of a request.
const (
	PhaseDial   Phase = "dial"   // opening a connection
	PhaseQueue  Phase = "queue"  // waiting for one, as MaxConns are in use, or the transport is closed
	PhaseWrite  Phase = "write"  // sending the request
	PhaseHeader Phase = "header" // waiting for the head of the answer, and reading it
	PhaseBody   Phase = "body"   // reading the body of the answer
)

// Error is a request without an answer, or with part of one.
type Error struct {
	Phase  Phase
	Client bool  // the request is at fault: its body could not be read, or it cannot be sent as it is. Never the backend's fault
	Sent   bool  // some bytes of the request may have reached the backend
	Err    error // the cause. Context errors, os.ErrDeadlineExceeded, *net.OpError and the like are below it
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether the backend, or a connection to it, was too slow.
func (e *Error) Timeout() bool {
	timeout, ok := errors.AsType[net.Error](e.Err)
	return ok && timeout.Timeout() && !e.Client
}

// ErrClosed is below the error of a request to a transport that has been closed.
var ErrClosed = errors.New("the backend has been removed")

// ErrQueue is below the error of a request that waited too long for a connection.
var ErrQueue = errors.New("all connections are in use")

// ErrUpgrade is below the error of a request for another protocol, such as WebSocket, to a backend that is
// spoken to over HTTP/2.
var ErrUpgrade = errors.New("HTTP/2 has no way to switch to another protocol")

var (
	errShort     = errors.New("the body of the request is shorter than its Content-Length")
	errTooMany   = errors.New("it sent more than 5 informational answers")
	errUnasked   = errors.New("it switched protocols without being asked")
	errTooLarge  = errors.New("the head of its answer is too large")
	errAbandoned = errors.New("the body of the request was given up after the answer")
)

// badRequest refuses what cannot be sent.
func badRequest(format string, args ...any) *Error {
	return &Error{Phase: PhaseWrite, Client: true, Err: fmt.Errorf(format, args...)}
}

func clientFault(err error, sent bool) *Error {
	return &Error{Phase: PhaseWrite, Client: true, Sent: sent, Err: fmt.Errorf("reading the body of the request: %w", err)}
}

// dialError explains why there is no connection.
func (d *dialer) dialError(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return &Error{Phase: PhaseDial, Err: fmt.Errorf("connecting to the backend %s: %s%w", d.address, d.hint(ctx, err), err)}
}

func (d *dialer) hint(ctx context.Context, err error) string {
	dns, isDNS := errors.AsType[*net.DNSError](err)
	_, isRecord := errors.AsType[tls.RecordHeaderError](err)
	_, isCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case ctx.Err() != nil:
		return ""
	case isDNS && dns.IsNotFound:
		return "its name has no address; check the spelling: "
	case isDNS:
		return "looking up its name failed: "
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing accepts connections there; is it running, is the port right?: "
	case errors.Is(err, os.ErrNotExist):
		return "there is no such socket; is it running?: "
	case errors.Is(err, os.ErrPermission):
		return "the socket may not be written to by this user: "
	case isRecord:
		return "it does not speak TLS on this port; use " + d.plainScheme() + ": "
	case strings.HasSuffix(err.Error(), "tls: no application protocol"): // an alert has no exported type
		return "it speaks no " + map[bool]string{true: "HTTP/2 over TLS; use https, or enable h2 there", false: "HTTP/1.1 over TLS; use h2"}[d.tls.NextProtos[0] == "h2"] + ": "
	case isCertificate:
		return "its certificate is not trusted; name its authority as CA, or its name as server name: "
	case isTimeout(err):
		return fmt.Sprintf("not within %s; is the host up and the port open?: ", d.limit)
	}
	return ""
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// explain says in words what a failed write or read means; patience is how long the head of the answer was waited
// for.
func (o *Options) explain(phase Phase, err error, patience time.Duration) error {
	doing := map[Phase]string{PhaseWrite: "sending the request to", PhaseHeader: "waiting for the answer of", PhaseBody: "reading the body of the answer of"}[phase]
	return fmt.Errorf("%s the backend %s: %s%w", doing, o.Address, o.reason(phase, err, patience), err)
}

func (o *Options) reason(phase Phase, err error, patience time.Duration) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && phase == PhaseHeader:
		return fmt.Sprintf("none within %s; raise the response timeout if it needs longer: ", patience)
	case errors.Is(err, os.ErrDeadlineExceeded) && phase == PhaseWrite:
		return fmt.Sprintf("it took nothing for %s: ", o.ReadIdle)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("nothing came for %s; raise the read timeout if it may be silent for longer: ", o.ReadIdle)
	case errors.Is(err, errTooLarge):
		return fmt.Sprintf("more than %d bytes: ", o.MaxHeaderBytes)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it closed the connection too early: "
	}
	return ""
}

// idempotent reports whether doing it twice is doing it once (RFC 9110 §9.2.2), or the client says so.
func idempotent(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	_, keyed := r.Header["Idempotency-Key"]
	return keyed
}
