package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A Querier runs statements: a [DB], each on any connection, or a [Tx], all on one.
//
// Arguments are nil, bool, int, int64, float64, string, []byte, [Blob], time.Time, [JSON],
// [List] for "in (?)", []any for arrays of Postgres; or one [Named]. A string that is not
// valid UTF-8 is stored as binary data. A text is one statement; see [Script] for more.
type Querier interface {
	// Query returns the rows of a statement. They must be closed.
	Query(ctx context.Context, statement string, args ...any) (*Rows, error)
	// Exec runs a statement without rows.
	Exec(ctx context.Context, statement string, args ...any) (Result, error)
	// Begin starts a transaction; in a transaction, a savepoint.
	Begin(ctx context.Context, o TxOptions) (*Tx, error)
	// Engine says what kind of database it is.
	Engine() Engine

	database() *DB
}

// Result of a statement without rows.
type Result struct {
	Affected int64 // rows changed; an update that sets what was there counts
	ID       int64 // of the row inserted last, SQLite and MySQL; 0 without
}

// runner is a *sql.DB or a *sql.Tx.
type runner interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (d *DB) database() *DB { return d }

// Query implements [Querier].
func (d *DB) Query(ctx context.Context, source string, args ...any) (*Rows, error) {
	st, text, values, err := d.bind(source, args)
	if err == nil {
		err = st.allowed(false)
	}
	if err != nil {
		return nil, err
	}
	p := d.poolFor(st)
	rows, err := d.queryPool(ctx, p, st, text, values)
	if p != d.write && CodeOf(err) == CodeReadOnly {
		st.writes.Store(true) // a select that writes after all; it did nothing on a reader
		return d.queryPool(ctx, d.write, st, text, values)
	}
	return rows, err
}

func (d *DB) queryPool(ctx context.Context, p *pool, st *statement, text string, values []any) (*Rows, error) {
	if err := p.acquire(ctx); err != nil {
		return nil, d.explain(ctx, st.source, err)
	}
	inner, err := p.query(st.soil(ctx), text, values)
	if err != nil {
		p.release()
		return nil, d.explain(ctx, st.source, err)
	}
	rows := newRows(ctx, d, st, inner, p.release)
	rows.pool = p
	if d.buffered || p == d.write && d.read != d.write {
		if err := rows.buffer(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// Exec implements [Querier].
func (d *DB) Exec(ctx context.Context, source string, args ...any) (Result, error) {
	st, text, values, err := d.bind(source, args)
	if err == nil {
		err = st.allowed(false)
	}
	if err != nil {
		return Result{}, err
	}
	if err := d.write.acquire(ctx); err != nil {
		return Result{}, d.explain(ctx, source, err)
	}
	defer d.write.release()
	return d.exec(ctx, d.write.db, st, text, values)
}

func (d *DB) exec(ctx context.Context, on runner, st *statement, text string, values []any) (Result, error) {
	r, err := on.ExecContext(st.soil(ctx), text, values...)
	if err != nil {
		return Result{}, d.explain(ctx, st.source, err)
	}
	d.ran(st)
	var out Result
	if d.engine != SQLite || st.changesRows() { // SQLite says what the last statement that did changed
		out.Affected, _ = r.RowsAffected() // the drivers here always know
	}
	if d.engine != Postgres && out.Affected > 0 && (st.verb == "insert" || st.verb == "replace") {
		out.ID, _ = r.LastInsertId()
	}
	return out, nil
}

// changesRows says whether a statement counts the rows that it changes.
func (st *statement) changesRows() bool {
	switch st.verb {
	case "insert", "update", "delete", "replace", "merge":
		return true
	case "with":
		return !st.reads
	}
	return false
}

// ran forgets what was known of the tables when a statement may have changed them.
func (d *DB) ran(st *statement) {
	if st.schema {
		d.keys.forget()
	}
}

// bind parses, checks and orders.
func (d *DB) bind(source string, args []any) (*statement, string, []any, error) {
	if d.closed.Load() {
		return nil, "", nil, &Error{Code: CodeClosed, Statement: source, Err: fmt.Errorf("the database %s is closed", d.name)}
	}
	if len(args) == 1 && args[0] == any(Verbatim{}) {
		if err := checkNul(source); err != nil {
			return nil, "", nil, &Error{Code: CodeSyntax, Statement: source, Err: err}
		}
		st, err := verbatim(d.engine, source)
		return st, source, nil, err
	}
	st, err := d.statement(source)
	if err != nil {
		return nil, "", nil, err
	}
	if err := st.refused(); err != nil {
		return nil, "", nil, err
	}
	text, values, err := st.bind(d.engine, args)
	return st, text, values, err
}

// refused keeps statements away that would leave a connection of the pool in a transaction
// that nobody knows of.
func (st *statement) refused() error {
	switch st.verb {
	case "begin", "commit", "rollback", "savepoint", "release", "end", "abort", "start":
		return &Error{Code: CodeRefused, Statement: st.source, Err: fmt.Errorf("%q is not run as a statement: transactions are begun and ended by their own functions, so that each keeps to one connection", st.verb)}
	case "xa":
		return &Error{Code: CodeRefused, Statement: st.source, Err: errors.New("\"xa\" would leave the connection in a transaction that takes in what others do, and may undo it: use a transaction (db:tx)")}
	case "":
		return &Error{Code: CodeSyntax, Statement: st.source, Err: fmt.Errorf("the statement is empty")}
	}
	if st.copies != "" {
		return &Error{Code: CodeRefused, Statement: st.source, Err: errors.New(st.copies)}
	}
	return nil
}

func (d *DB) poolFor(st *statement) *pool {
	if st.reads && !st.writes.Load() {
		return d.read
	}
	return d.write
}

// TakesValues says whether a statement has parameters written ?.
func TakesValues(q Querier, statement string) bool {
	st, err := q.database().statement(statement)
	return err == nil && st.style == styleMarks
}

// Record is one row that is kept.
type Record struct {
	Columns []string
	Values  []any
}

// Get returns the value of a column, nil without it.
func (r *Record) Get(column string) any {
	for i, c := range r.Columns {
		if c == column {
			return r.Values[i]
		}
	}
	return nil
}

// Set are rows that are kept.
type Set struct {
	Columns []string
	Rows    [][]any
}

// All returns all rows of a statement.
func All(ctx context.Context, q Querier, statement string, args ...any) (*Set, error) {
	start := time.Now()
	rows, err := q.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer rows.st.pace.took(start)
	return rows.all()
}

// One returns the first row, or nil when there is none.
func One(ctx context.Context, q Querier, statement string, args ...any) (*Record, error) {
	start := time.Now()
	rows, err := q.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer rows.st.pace.took(start)
	var out *Record
	if rows.Next() {
		out = &Record{Columns: rows.Columns(), Values: rows.take()}
	}
	return out, rows.Close()
}

// Value returns the first column of the first row. ok says whether there was a row.
func Value(ctx context.Context, q Querier, statement string, args ...any) (v any, ok bool, err error) {
	start := time.Now()
	rows, err := q.Query(ctx, statement, args...)
	if err != nil {
		return nil, false, err
	}
	defer rows.st.pace.took(start)
	if ok = rows.Next(); ok && len(rows.Values()) > 0 { // Postgres has rows without columns
		v = rows.Values()[0]
	}
	return v, ok, rows.Close()
}
