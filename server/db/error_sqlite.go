package db

import (
	"errors"
	"strconv"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// sqliteCodes are extended result codes, then primary ones. https://sqlite.org/rescode.html
var sqliteCodes = map[int]Code{
	lib.SQLITE_CONSTRAINT_UNIQUE: CodeUnique, lib.SQLITE_CONSTRAINT_PRIMARYKEY: CodeUnique, lib.SQLITE_CONSTRAINT_ROWID: CodeUnique,
	lib.SQLITE_CONSTRAINT_FOREIGNKEY: CodeForeignKey, lib.SQLITE_CONSTRAINT_CHECK: CodeCheck, lib.SQLITE_CONSTRAINT_NOTNULL: CodeNotNull,
	lib.SQLITE_CONSTRAINT_DATATYPE: CodeValue, lib.SQLITE_CONSTRAINT: CodeCheck,
	lib.SQLITE_MISMATCH: CodeValue, lib.SQLITE_TOOBIG: CodeValue, lib.SQLITE_RANGE: CodeParameters,
	lib.SQLITE_BUSY: CodeBusy, lib.SQLITE_LOCKED: CodeBusy, lib.SQLITE_BUSY_SNAPSHOT: CodeSerialization,
	lib.SQLITE_INTERRUPT: CodeTimeout, lib.SQLITE_READONLY: CodeReadOnly, lib.SQLITE_AUTH: CodeDenied, lib.SQLITE_PERM: CodeDenied,
	lib.SQLITE_CORRUPT: CodeCorrupt, lib.SQLITE_NOTADB: CodeCorrupt, lib.SQLITE_FULL: CodeFull, lib.SQLITE_NOMEM: CodeFull,
	lib.SQLITE_CANTOPEN: CodeConnection, lib.SQLITE_IOERR: CodeConnection, lib.SQLITE_ABORT: CodeAborted,
}

// sqlitePrefixes tell the faults apart that all have the number 1.
var sqlitePrefixes = []struct {
	text string
	code Code
}{
	{"no such table", CodeNoTable}, {"no such view", CodeNoTable}, {"no such column", CodeNoColumn},
	{"table ", CodeSyntax}, {"near ", CodeSyntax}, {"incomplete input", CodeSyntax}, {"unrecognized token", CodeSyntax},
	{"no such ", CodeSyntax}, {"ambiguous column", CodeSyntax}, {"wrong number of arguments", CodeSyntax},
	{"misuse of", CodeSyntax}, {"row value misused", CodeSyntax}, {"sub-select returns", CodeSyntax}, {"cannot ", CodeSyntax},
	{"integer overflow", CodeValue}, {"malformed JSON", CodeValue},
}

func (e *Error) fromSQLite(err error) bool {
	lite, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	e.State = strconv.Itoa(lite.Code())
	text := sqliteMessage(lite)
	e.Err = &sqliteError{lite, text}
	code, ok := sqliteCodes[lite.Code()]
	if !ok {
		code, ok = sqliteCodes[lite.Code()&0xff]
	}
	if ok {
		e.Code = code
	}
	if lite.Code()&0xff == lib.SQLITE_ERROR {
		e.Code = sqliteFault(text)
	}
	e.sqliteConstraint(text)
	return true
}

func sqliteFault(text string) Code {
	for _, p := range sqlitePrefixes {
		if strings.HasPrefix(text, p.text) {
			return p.code
		}
	}
	if strings.Contains(text, "has no column named") {
		return CodeNoColumn
	}
	return CodeOther
}

// sqliteConstraint reads "UNIQUE constraint failed: users.email, users.site" and "CHECK
// constraint failed: adult".
func (e *Error) sqliteConstraint(text string) {
	_, what, ok := strings.Cut(text, " constraint failed: ")
	if !ok {
		return
	}
	table, _, ok := strings.Cut(what, ".")
	if !ok || e.Code == CodeCheck {
		e.Constraint = strings.TrimPrefix(what, "index ")
		return
	}
	e.Table, e.Column = table, strings.ReplaceAll(what, table+".", "")
}

// sqliteMessage takes the number off the end, and off the beginning the general text that
// the driver puts there: "SQL logic error: near …: syntax error (1)".
func sqliteMessage(err *sqlite.Error) string {
	text := strings.TrimSuffix(err.Error(), " ("+strconv.Itoa(err.Code())+")")
	for _, general := range []string{"SQL logic error: ", "constraint failed: "} {
		text = strings.TrimPrefix(text, general)
	}
	return text
}

type sqliteError struct {
	cause *sqlite.Error
	text  string
}

func (e *sqliteError) Error() string {
	return e.text + " (SQLite " + strconv.Itoa(e.cause.Code()) + ")"
}

func (e *sqliteError) Unwrap() error { return e.cause }
