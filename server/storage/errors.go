package storage

import (
	"cmp"
	"context"
	"errors"
	"net"
)

// Code says what kind of error it is.
type Code string

// The codes of errors.
const (
	CodeNotFound    Code = "not_found"   // no file under the key
	CodeDenied      Code = "denied"      // credentials that are missing or do not suffice, permissions of the folder
	CodeInvalidKey  Code = "invalid_key" // see CheckKey
	CodeTooLarge    Code = "too_large"   // larger than the store takes
	CodeChanged     Code = "changed"     // another content than the ETag of GetOptions says
	CodeTimeout     Code = "timeout"     // no answer before the deadline
	CodeUnavailable Code = "unavailable" // the store does not answer, has no room, or its bucket does not exist
	CodeUnsupported Code = "unsupported" // the store cannot do that
	CodeInvalid     Code = "invalid"     // content type, metadata or expiry
)

// Error is what a store could not do. Its text names the store and the key, and no secret.
type Error struct {
	Code    Code
	Op      string // as in "put"
	Key     string // "" where none is concerned
	Store   string // see Store.String
	Message string
	cause   error
	rule    string // Message without what is inside; "" where nothing is
}

// Public is what visitors may know: the key and the rule, and neither the store nor what its server said; ""
// for errors that are no business of theirs.
func (e *Error) Public() string {
	switch e.Code {
	case CodeInvalidKey:
		return "the key " + quoted(e.Key) + ": " + cmp.Or(e.rule, e.Message)
	case CodeTooLarge:
		return "the file " + quoted(e.Key) + " is larger than there is room for"
	case CodeNotFound:
		return "there is no file " + quoted(e.Key)
	}
	return ""
}

func (e *Error) Error() string {
	text := "storage: " + e.Op
	if e.Key != "" {
		text += " " + quoted(e.Key)
	}
	if e.Store != "" {
		text += " (" + e.Store + ")"
	}
	return text + ": " + e.Message
}

// ErrorCode is the code for scripts.
func (e *Error) ErrorCode() string { return string(e.Code) }

// Unwrap returns what the file system, the network or the context said.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf is the code of an error, "" where it has none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// IsNotFound reports whether an error says that there is no file under the key.
func IsNotFound(err error) bool { return CodeOf(err) == CodeNotFound }

// Unavailable reports whether trying later may succeed.
func Unavailable(err error) bool {
	code := CodeOf(err)
	return code == CodeUnavailable || code == CodeTimeout
}

// named completes an error with what was done.
func named(err error, op, key, store string) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	whole := *e
	whole.Op, whole.Key, whole.Store = op, key, store
	return &whole
}

// ended is the error of a call whose context has ended; nil if it has not.
func ended(ctx context.Context, cause error) error {
	if ctx.Err() == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return &Error{Code: CodeTimeout, Message: "not done before the deadline", cause: errors.Join(context.Cause(ctx), cause)}
	}
	return context.Cause(ctx)
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}
