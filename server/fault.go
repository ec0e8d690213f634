package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"rws/server/http1"
	"rws/server/status"
)

// ErrSlowBody is what reading a request body gives when the client does not send it in time, see
// Settings.BodyIdle. It has the method HTTPStatus, for 408.
var ErrSlowBody error = slowBody{}

type slowBody struct{}

func (slowBody) Error() string   { return "the client does not send the request body in time" }
func (slowBody) HTTPStatus() int { return http.StatusRequestTimeout }

// PanicError is a panic of a handler.
type PanicError struct {
	Value any
	Stack []byte
}

// Error has the value and not the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Status is the HTTP status for an error of a handler: 413 for a body over the limit, 400 for one
// that is not framed properly, 408 for one
// that the client did not send in time, 504 for a deadline, 503 for a request that was broken off
// because the app leaves, 499 for [http1.ErrClientLeft], what a method HTTPStatus() int of the error says, else 500.
func Status(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	if e, ok := errors.AsType[*http1.RequestError](err); ok {
		return e.Status
	}
	switch {
	case errors.Is(err, http1.ErrClientLeft):
		return status.ClientClosedRequest
	case errors.Is(err, ErrSlowBody):
		return http.StatusRequestTimeout
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.Is(err, ErrReplaced), errors.Is(err, ErrStopped):
		return http.StatusServiceUnavailable
	}
	if e, ok := errors.AsType[interface {
		error
		HTTPStatus() int
	}](err); ok {
		return e.HTTPStatus()
	}
	return http.StatusInternalServerError
}

// Detail is what a client may know of an error: what it did wrong, or that time ran out; "" for all else.
func Detail(err error) string {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fmt.Sprintf("The request body is larger than %d bytes.", e.Limit)
	}
	if e, ok := errors.AsType[*http1.RequestError](err); ok {
		return "The request body can't be read: " + e.Reason + "."
	}
	switch Status(err) {
	case http.StatusRequestTimeout:
		return "The request body did not arrive in time."
	case http.StatusGatewayTimeout:
		return "The answer took too long."
	case status.ClientClosedRequest:
		return "The client closed its side of the connection before the answer was ready."
	}
	return ""
}

// faultLevel is how loud what failed is told: as an error if it is ours, as information if it is the client's,
// and as a fault that has a LogLevel says when it came in the middle of an answer that began well.
func (t *transaction) faultLevel(code int) slog.Level {
	if t.Err() != nil && errors.Is(t.Fault, context.Canceled) {
		return slog.LevelInfo
	}
	if e, ok := errors.AsType[interface {
		error
		LogLevel() slog.Level
	}](t.Fault); ok && code >= 200 && code < 400 {
		return e.LogLevel()
	}
	if code < 500 && code != 0 {
		return slog.LevelInfo
	}
	return slog.LevelError
}

// logFault writes what failed.
func (t *transaction) logFault(code int) {
	level := t.faultLevel(code)
	attrs := []slog.Attr{
		slog.String("id", t.ID()), slog.String("method", t.request.Method), slog.String("path", t.request.URL.Path),
		slog.String("route", t.Route), slog.Int("status", code), slog.String("err", t.Fault.Error()),
	}
	if p, ok := errors.AsType[*PanicError](t.Fault); ok {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	t.handler.around.log.LogAttrs(&t.Exchange, level, "request failed", attrs...)
}
