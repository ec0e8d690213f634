package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Code is the kind of a failure.
type Code string

const (
	CodeTimeout   Code = "timeout"   // the time limit passed, or connecting took too long
	CodeDNS       Code = "dns"       // the host name has no address
	CodeRefused   Code = "refused"   // the server cannot be connected to
	CodeTLS       Code = "tls"       // its certificate or its TLS is not acceptable
	CodeTooLarge  Code = "too_large" // the answer is larger than MaxBody
	CodeRedirects Code = "redirects" // too many redirects, or one that cannot be followed
	CodeDenied    Code = "denied"    // the address is private and DenyPrivate is set
	CodeCanceled  Code = "canceled"  // the caller's context was cancelled
	CodeProtocol  Code = "protocol"  // the connection broke, or what came is not HTTP
	CodeURL       Code = "url"       // the URL cannot be used
)

// Error is a call without an answer.
type Error struct {
	Code     Code
	Method   string
	URL      string // of the hop that failed, without user information and query
	Attempts int    // 1 and one for each retry; 0 when the URL is at fault
	Err      error  // the cause, in words that say what to do
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s: %v", e.Method, e.URL, e.Err)
	if e.Attempts > 1 {
		text += fmt.Sprintf(" (after %d tries)", e.Attempts)
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// explain turns any failure of the call into an *Error. ctx is the context of the call, whose
// end explains every failure that follows from it.
func (c *call) explain(ctx context.Context, err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = c.classify(ctx, err)
	}
	e.Method, e.URL, e.Attempts = c.method, redactURL(c.url.String()), c.attempts
	return e
}

func (c *call) classify(ctx context.Context, err error) *Error {
	if _, ok := errors.AsType[*deniedError](err); ok {
		return failure(CodeDenied, err, "it leads to a private address, which this call denies; set deny_private to false only if the URL cannot come from a stranger")
	}
	if ctx.Err() != nil {
		return c.ended(context.Cause(ctx))
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dnsFailure(dns)
	}
	if e := tlsFailure(err); e != nil {
		return e
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return failure(CodeTimeout, err, "connecting took too long; is the host up and the port open?")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return dialFailure(op)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isReset(err) {
		return failure(CodeProtocol, err, "the server closed the connection before its answer was complete")
	}
	return failure(CodeProtocol, err, "sending the request or reading the answer failed")
}

// ended explains the end of the call's context.
func (c *call) ended(cause error) *Error {
	switch {
	case errors.Is(cause, errTimeout):
		return failure(CodeTimeout, fmt.Errorf("%w: %w", errTimeout, context.DeadlineExceeded),
			fmt.Sprintf("no complete answer within %s; raise timeout if the server needs longer", c.Timeout))
	case errors.Is(cause, context.DeadlineExceeded):
		return failure(CodeTimeout, cause, "the time of the caller ran out before the answer")
	}
	return failure(CodeCanceled, cause, "the call was cancelled")
}

func dnsFailure(err *net.DNSError) *Error {
	switch {
	case err.IsNotFound:
		return failure(CodeDNS, err, fmt.Sprintf("no address is known for the host %q; check its spelling", err.Name))
	case err.IsTimeout:
		return failure(CodeDNS, err, fmt.Sprintf("no name server answered for the host %q; check the network", err.Name))
	}
	return failure(CodeDNS, err, fmt.Sprintf("looking up the host %q failed", err.Name))
}

func dialFailure(op *net.OpError) *Error {
	where := "the server"
	if op.Addr != nil {
		where = op.Addr.String()
	}
	if op.Op == "proxyconnect" {
		where = "the proxy " + where
	}
	if isRefused(op) {
		return failure(CodeRefused, op, "nothing accepts connections on "+where+"; is the server running, is the port right?")
	}
	return failure(CodeRefused, op, "connecting to "+where+" failed")
}

// tlsFailure explains failures of TLS; nil when err is none.
func tlsFailure(err error) *Error {
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		if string(e.RecordHeader[:]) == "HTTP/" {
			return failure(CodeTLS, err, "the server speaks plain HTTP; use http:// in the URL")
		}
		return failure(CodeTLS, err, "the server does not speak TLS on this port")
	}
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return failure(CodeTLS, e, "no authority that is trusted here signed the server's certificate; name its authority with ca")
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return failure(CodeTLS, e, "the server's certificate is for another host name")
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return failure(CodeTLS, e, invalidCertificate(e))
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return failure(CodeTLS, err, "the server's certificate cannot be verified")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" { // how crypto/tls reports an alert
		return failure(CodeTLS, err, "the server refused the TLS handshake")
	}
	return nil
}

func invalidCertificate(e x509.CertificateInvalidError) string {
	if e.Reason != x509.Expired || e.Cert == nil {
		return "the server's certificate is not valid"
	}
	if now := time.Now(); now.Before(e.Cert.NotBefore) {
		return "the server's certificate is not valid yet; is the clock of this machine right?"
	}
	return "the server's certificate expired on " + e.Cert.NotAfter.UTC().Format(time.DateOnly)
}

// failure returns an error that says text, then the cause, and unwraps to the cause.
func failure(code Code, cause error, text string) *Error {
	return &Error{Code: code, Err: fmt.Errorf("%s: %w", text, cause)}
}
