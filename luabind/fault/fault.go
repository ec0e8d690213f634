// Package fault is what goes wrong in a script: the structured errors that functions of
// rws raise, where and in which state an error happened, and how its author sees it.
//
// An error crosses Lua as a userdata with the fields code, message, at, status, fields,
// hint and traceback, and crosses Go as *Error. [Capture] makes one of whatever was raised, while
// all frames are still there; [Load] and [FromLoad] make one of a file that does not
// compile. [Error.Text] and [Error.HTML] show it with its source, a caret, the variables
// and what to do next; both are for developers, never for visitors.
package fault

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// An Error is a failure in a script. Code is for programs, Message for people.
type Error struct {
	// Code is one word of lower case that tells kinds of failure apart, as "timeout"
	// or "not_found". Empty for errors that the script raised as plain text.
	Code string
	// Message says what happened, without the place.
	Message string
	// Public is what visitors in production see in place of Message, where a status below 500 shows
	// that; "" for Message itself. The log has both.
	Public string
	// At is the place, "app.lua:61". Empty when no Lua code was running.
	At string
	// Status is the HTTP status a request that ends with this error gets, 0 for 500.
	Status int
	// Fields are messages per input field, for status 422.
	Fields []Field
	// Frames are the calls of Lua code that led here, the innermost first, at most 20.
	Frames []Frame
	// Hint says what to do next, when we know.
	Hint string
	// Value is what the script raised, when that was neither text nor an *Error.
	Value string
	// More are further fields for scripts, as err.statement of a database.
	More map[string]string
	// Cause is the Go error below, or nil.
	Cause error

	raised *lua.LTable // the table that the script raised; its isolate's

	mark mark // what the caret points at
}

// A mark finds the culprit on the line of At: a column, or else an expression.
type mark struct {
	column int    // of its first byte, from 1; 0 when only expr is known
	length int    // in bytes, with column
	expr   string // as the symbolic walk names it, "c.params"
	after  string // what follows it in the source, ".id"; may be empty
}

// A Field is one problem of the input.
type Field struct {
	Path    string `json:"path"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// A Frame is one call. Locals are filled for the frame the error points at; their
// values were written down when the error happened, secrets as "[redacted]".
type Frame struct {
	File     string
	Line     int
	Function string // "db.load", "c:show", "main chunk", "function at line 12"
	Locals   []Local

	loaded bool // not a call, but where the code of the frame before was loaded
}

// A Local is a variable that the frame could see, with its value as text.
type Local struct{ Name, Value string }

// Source returns the text of a file as it was loaded, and whether it is known.
type Source func(file string) (string, bool)

// Error is the place and the message.
func (e *Error) Error() string {
	if e.At == "" {
		return e.Message
	}
	return e.At + ": " + e.Message
}

// Unwrap returns the Go error below.
func (e *Error) Unwrap() error { return e.Cause }

// LogValue is the error as attributes of a log record: code, at, message, hint, and
// trace, the calls on one line. Variables stay out of logs.
func (e *Error) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, 5)
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("code", e.Code)
	add("at", e.At)
	add("message", e.Message)
	add("hint", e.Hint)
	add("trace", e.trace(" < "))
	return slog.GroupValue(attrs...)
}

// trace lists the calls, the innermost first.
func (e *Error) trace(separator string) string {
	lines := make([]string, len(e.Frames))
	for i, f := range e.Frames {
		lines[i] = f.place() + " in " + f.Function
	}
	return strings.Join(lines, separator)
}

func (f Frame) place() string { return fmt.Sprintf("%s:%d", f.File, f.Line) }

// culprit returns the index of the frame that At points at, or -1.
func (e *Error) culprit() int {
	for i, f := range e.Frames {
		if f.place() == e.At {
			return i
		}
	}
	return -1
}

// FromError returns the *Error in err's chain, or one that says the same. It also knows
// what gopher-lua reports when it can't run an error handler. A nil err gives nil.
func FromError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	api, ok := errors.AsType[*lua.ApiError](err)
	if !ok {
		return &Error{Message: err.Error(), Cause: err}
	}
	if e, ok := From(api.Object); ok {
		return e
	}
	e := &Error{Message: api.Object.String(), Cause: api}
	e.At, e.Message = splitPlace(e.Message, isLuaFile)
	if isOverflow(e.Message) {
		e.overflow()
	} else if api.Type == lua.ApiErrorPanic {
		e.internal()
	}
	return e
}

// isOverflow knows the ways in which gopher-lua says that calls nest too deep.
func isOverflow(message string) bool {
	return strings.HasPrefix(message, "stack overflow") || message == "lua callstack overflow" || message == "registry overflow"
}

func (e *Error) overflow() {
	e.Code, e.Message = "overflow", "stack overflow: calls are nested too deep"
	e.Hint = "a function calls itself without an end: check the condition that should stop it"
}

// internal marks a Go panic.
func (e *Error) internal() {
	e.Code = "internal"
	e.Hint = "this is a bug in rws, not in your script: please report it with this text"
}
