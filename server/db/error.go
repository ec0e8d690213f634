package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// Code is the kind of a failure, the same on every engine.
type Code string

const (
	CodeUnique        Code = "unique"        // the value exists already
	CodeForeignKey    Code = "foreign_key"   // a row refers to one that is not there, or is referred to
	CodeCheck         Code = "check"         // a check or exclusion constraint does not hold
	CodeNotNull       Code = "not_null"      // a column that must have a value has none
	CodeValue         Code = "value"         // a value does not fit its type: too long, out of range, not a date
	CodeBusy          Code = "busy"          // a lock or a free connection did not come in time
	CodeSerialization Code = "serialization" // two transactions collided; running this one again may succeed
	CodeTimeout       Code = "timeout"       // the deadline passed
	CodeCanceled      Code = "canceled"      // the caller gave up
	CodeSyntax        Code = "syntax"        // the statement is wrong
	CodeNoTable       Code = "no_table"      // it names a table that is not there
	CodeNoColumn      Code = "no_column"     // it names a column that is not there
	CodeParameters    Code = "parameters"    // values and parameters do not go together
	CodeConnection    Code = "connection"    // the server cannot be reached, or the connection broke
	CodeDenied        Code = "denied"        // wrong password, or a right is missing
	CodeReadOnly      Code = "read_only"     // a write where only reading is possible
	CodeAborted       Code = "aborted"       // an earlier failure ended the transaction
	CodeClosed        Code = "closed"        // the database, transaction or result was closed before
	CodeCorrupt       Code = "corrupt"       // the database file is damaged, or is none
	CodeFull          Code = "full"          // no room on the disk, or in memory
	CodeURL           Code = "url"           // the URL or an option cannot be used
	CodeCursor        Code = "cursor"        // the cursor of a page is not one of this query: the visitor's fault
	CodePage          Code = "page"          // there is no such page, or size of pages: the visitor's fault
	CodeRefused       Code = "refused"       // this package does not do it, for safety
	CodeOther         Code = "other"         // see State and Err
)

// Error is a failure of a statement, or of opening a database. It never holds the values that
// a statement was given, nor passwords, as far as the engine keeps them out of its messages.
type Error struct {
	Code       Code
	Statement  string // as it was written; "" when there was none
	Constraint string // its name, where the engine says it
	Table      string
	Column     string // or columns, "a, b"
	State      string // SQLSTATE, or the number that the engine gives
	Line       int    // of the fault in a script that cannot be split, from 1; else 0
	Offset     int    // of the fault in the text sent, in characters from 1; Postgres only, 0 when unknown
	Err        error
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %v", e.Code, e.Err)
	if e.Line > 0 {
		text = fmt.Sprintf("line %d: %s", e.Line, text)
	}
	if e.Statement != "" {
		text += fmt.Sprintf(" (in %q)", excerpt(e.Statement, 200))
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of an error of this package, "" for others.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// Retryable says whether running the whole transaction again may succeed.
func (e *Error) Retryable() bool { return e.Code == CodeSerialization || e.Code == CodeBusy }

// explain makes an *Error of any failure. ctx is the one the statement ran under.
func (d *DB) explain(ctx context.Context, statement string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		if e.Statement == "" {
			e.Statement = statement
		}
		return e
	}
	e := &Error{Code: CodeOther, Statement: statement, Err: err}
	if !e.fromContext(ctx) && !e.fromEngine(err) && !e.fromConnection(err) {
		e.Code = CodeOther
	}
	return e
}

// fromContext: whatever a driver makes of the end of the context, that is the reason.
func (e *Error) fromContext(ctx context.Context) bool {
	cause := ctx.Err()
	if cause == nil && (errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, context.Canceled)) {
		cause = e.Err
	}
	switch {
	case cause == nil:
		return false
	case errors.Is(cause, context.DeadlineExceeded):
		e.Code, e.Err = CodeTimeout, fmt.Errorf("the deadline passed before the database answered: %w", cause)
	default:
		e.Code, e.Err = CodeCanceled, fmt.Errorf("the caller gave up before the database answered: %w", cause)
	}
	return true
}

func (e *Error) fromEngine(err error) bool {
	return e.fromSQLite(err) || e.fromPostgres(err) || e.fromMySQL(err)
}

func (e *Error) fromConnection(err error) bool {
	switch {
	case errors.Is(err, sql.ErrTxDone), errors.Is(err, sql.ErrConnDone), strings.Contains(err.Error(), "sql: database is closed"),
		strings.Contains(err.Error(), "sql: Rows are closed"):
		e.Code = CodeClosed
	case broken(err):
		e.Code, e.Err = CodeConnection, fmt.Errorf("the connection to the database failed: %w", err)
	default:
		return false
	}
	return true
}

func broken(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	for _, target := range []error{driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
