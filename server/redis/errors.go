package redis

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// Error is a command that failed. Its text names the command and the server; arguments and
// passwords are not in it.
type Error struct {
	// Code is the first word of the server's reply in its capitals ("WRONGTYPE", "OOM", "ERR"),
	// or one of "timeout", "canceled", "unavailable" (no connection, or it broke), "pool" (all
	// connections are in use), "closed" and "argument".
	Code    string
	Message string
	Command string // in capitals, "" when it is not known
	Server  string // the URL without secrets
	cause   error
}

func (e *Error) Error() string {
	text := "redis: "
	if e.Command != "" {
		text += e.Command + ": "
	}
	if e.Server != "" {
		text += e.Server + ": "
	}
	return text + e.Message
}

// Unwrap returns the error of go-redis or of the context.
func (e *Error) Unwrap() error { return e.cause }

// Unavailable reports whether an error says that the server could not do its work now, such as
// while it starts, in contrast to a command that is wrong: trying later may succeed.
func Unavailable(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	switch e.Code {
	case "unavailable", "timeout", "pool", "closed", "LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "READONLY":
		return true
	}
	return false
}

// fail describes an error of go-redis; nil stays nil.
func (c *Client) fail(command string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if _, ok := errors.AsType[goredis.Error](err); ok {
		e := serverError(command, err)
		e.Server = c.shown
		return e
	}
	code, message := local(err)
	return &Error{Code: code, Message: message, Command: command, Server: c.shown, cause: err}
}

// serverError is one that the server sent.
func serverError(command string, err error) *Error {
	text := err.Error()
	word, _, _ := strings.Cut(text, " ")
	if word == "" || word != strings.ToUpper(word) {
		word = "ERR"
	}
	return &Error{Code: word, Message: hint(word, text), Command: command, cause: err}
}

func hint(code, text string) string {
	switch code {
	case "NOAUTH":
		return text + " (put user and password into the URL)"
	case "CROSSSLOT":
		return text + " (in a cluster, keys of one command need the same {part} in their names)"
	case "MOVED", "ASK":
		return text + " (this server is part of a cluster: use the scheme redis+cluster)"
	}
	return text
}

// local says what happened on our side of the wire.
func local(err error) (code, message string) {
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, goredis.ErrClosed):
		return "closed", "the client is closed"
	case errors.Is(err, context.Canceled):
		return "canceled", "given up, because the caller went away"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout", "no answer before the deadline"
	case errors.Is(err, goredis.ErrPoolTimeout), errors.Is(err, goredis.ErrPoolExhausted):
		return "pool", "all connections are in use; raise pool_size in the URL, or find who holds them"
	case isNet && timeout.Timeout():
		return "timeout", "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "unavailable", "the server closed the connection; whether the command was carried out is not known"
	}
	return "unavailable", err.Error()
}
