package db

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgresCodes are SQLSTATE values, five letters or the two of a class.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
var postgresCodes = map[string]Code{
	"23505": CodeUnique, "23503": CodeForeignKey, "23001": CodeForeignKey, "23514": CodeCheck, "23P01": CodeCheck,
	"23502": CodeNotNull, "23": CodeCheck, "22": CodeValue, "42804": CodeValue, "42P18": CodeParameters,
	"40": CodeSerialization, "55P03": CodeBusy, "57014": CodeTimeout, "55006": CodeBusy, "53300": CodeBusy,
	"42601": CodeSyntax, "42": CodeSyntax, "42P01": CodeNoTable, "3F000": CodeNoTable, "42703": CodeNoColumn,
	"42501": CodeDenied, "28": CodeDenied, "25006": CodeReadOnly, "25P02": CodeAborted,
	"08": CodeConnection, "57": CodeConnection, "3D000": CodeConnection,
	"53100": CodeFull, "53200": CodeFull, "53": CodeBusy, "XX001": CodeCorrupt, "XX002": CodeCorrupt,
}

func (e *Error) fromPostgres(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		if c, ok := errors.AsType[*pgconn.ConnectError](err); ok {
			e.Code, e.Err = CodeConnection, c // its text has no password
			return true
		}
		if pgconn.SafeToRetry(err) { // nothing was sent: the connection was closed
			e.Code, e.Err = CodeConnection, fmt.Errorf("the connection to the database failed: %w", err)
			return true
		}
		if errors.Is(err, pgx.ErrTxCommitRollback) {
			e.Code = CodeAborted
			return true
		}
		return e.fromEncoding(err)
	}
	code, ok := postgresCodes[pg.Code]
	if !ok && len(pg.Code) >= 2 {
		code, ok = postgresCodes[pg.Code[:2]]
	}
	if ok {
		e.Code = code
	}
	e.State, e.Constraint, e.Table, e.Column = pg.Code, pg.ConstraintName, pg.TableName, pg.ColumnName
	e.Offset = int(pg.Position)
	e.Err = &postgresError{pg}
	if planChanged(pg) {
		e.Code = CodeSerialization // in a transaction, which may run again; elsewhere it was
		e.Err = fmt.Errorf("a table or type was changed under a statement that was prepared before: run the transaction again, which prepares it anew: %w", e.Err)
	}
	if pg.Code == "42P18" {
		e.Err = fmt.Errorf("%w: say its type, as in ?::text", e.Err)
	}
	return true
}

// unencoded is the driver's message for a value that it cannot write as the type of a parameter;
// the value is in front.
var unencoded = regexp.MustCompile(`(?s)failed to encode args\[(\d+)\].* into \w+ format for (.*?) \(OID`)

// fromEncoding: the driver itself could not send a value.
func (e *Error) fromEncoding(err error) bool {
	m := unencoded.FindStringSubmatch(err.Error())
	if m == nil {
		return false
	}
	n, _ := strconv.Atoi(m[1])
	e.Code, e.Err = CodeValue, fmt.Errorf("the value of parameter %d is none for the type %s", n+1, m[2])
	if why, ok := errors.AsType[unfit](err); ok {
		e.Err = fmt.Errorf("parameter %d: %w", n+1, why.error)
	}
	return true
}

// postgresError says what the server said, without the detail, which quotes values.
type postgresError struct{ *pgconn.PgError }

func (e *postgresError) Error() string {
	text := e.Message
	if e.Hint != "" {
		text += "; hint: " + e.Hint
	}
	return text + " (SQLSTATE " + e.Code + ")"
}

func (e *postgresError) Unwrap() error { return e.PgError }

// planChanged says that a table, or the type of a parameter, changed under a prepared statement.
func planChanged(pg *pgconn.PgError) bool {
	return pg.Code == "0A000" && strings.Contains(pg.Message, "cached plan") ||
		pg.Code == "XX000" && strings.HasPrefix(pg.Message, "cache lookup failed for type")
}
