package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

const (
	// firstFetch is how many rows a cursor asks for at first; then twice as many, up to mostFetch.
	firstFetch = 64
	mostFetch  = 256
	// fetchBytes is about how much it asks for at once, by the size of the rows so far.
	fetchBytes = 256 << 10
)

// Each is [Querier.Query] for rows that are gone through with other statements between, and maybe
// not to their end. In a transaction of Postgres the server keeps them (declare, fetch), so the
// rest costs nothing. What writes and returns rows is run to its end first, since a server may
// write as its rows are read. In a transaction of MySQL, which has no such thing for its clients, another statement
// has the rest read into memory, up to 32 MiB; beyond that reading on fails with the code busy,
// and the transaction goes on.
func Each(ctx context.Context, q Querier, statement string, args ...any) (*Rows, error) {
	if tx, ok := q.(*Tx); ok && tx.Engine() == Postgres {
		return tx.declare(ctx, statement, args)
	}
	rows, err := q.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	if err := rows.settle(); err != nil {
		_ = rows.Close()
		return nil, err
	}
	return rows, nil
}

// A cursor is a result that a server of Postgres keeps until the end of its transaction.
type cursor struct {
	tx      *Tx
	ctx     context.Context
	number  int // in its name
	columns []string
	batch   [][]any // rows that were fetched and not given out
	current []any
	count   int // of rows in the next fetch
	ended   bool
	err     error
}

// declare is Query with a cursor, where the statement may have one.
func (t *Tx) declare(ctx context.Context, source string, args []any) (*Rows, error) {
	st, text, values, err := t.bind(source, args)
	if err != nil {
		return nil, err
	}
	if !st.mayHaveCursor() {
		return t.query(ctx, st, text, values)
	}
	c := &cursor{tx: t, ctx: ctx, number: t.root.takeCursor(), count: firstFetch}
	before := "declare " + c.name() + " no scroll cursor for "
	if _, err = t.root.tx.ExecContext(st.soil(ctx), before+text, values...); err == nil {
		err = c.fetch()
	}
	if err != nil {
		t.root.freeCursor(c.number)
		return nil, inside(t.explain(ctx, source, err), len(before))
	}
	rows := newRows(ctx, t.db, st, c, func() {})
	rows.root = t.root
	t.root.results.add(rows)
	return rows, nil
}

// mayHaveCursor: what writes must run to its end, whether its rows are read or not.
func (st *statement) mayHaveCursor() bool {
	switch st.verb {
	case "select", "values", "with", "table":
		return !st.mayWrite()
	}
	return false
}

// inside counts the place of a fault from behind what was put before the statement.
func inside(err error, before int) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Offset > before {
		e.Offset -= before
	}
	return err
}

func (c *cursor) name() string { return fmt.Sprintf("rws_each_%d", c.number) }

// usable says whether the server still has the cursor.
func (c *cursor) usable() error {
	for at := c.tx; at != nil; at = at.outer {
		if at.state == txRolledBack || at.outer == nil && at.state != txOpen {
			return &Error{Code: CodeClosed, Err: errors.New("the rows ended with the transaction, or savepoint, that they were asked for in")}
		}
	}
	return c.tx.root.aborted()
}

// fetch reads the next rows, so that the connection is free.
func (c *cursor) fetch() error {
	if err := c.usable(); err != nil {
		return err
	}
	c.tx.root.results.makeRoom(Postgres, false)
	// The same text has other columns for another cursor, so nothing is kept of it.
	rows, err := c.tx.root.tx.QueryContext(c.ctx, fmt.Sprintf("fetch %d from %s", c.count, c.name()), pgx.QueryExecModeDescribeExec)
	if err != nil {
		return err
	}
	defer rows.Close()
	if c.columns == nil {
		if c.columns, err = rows.Columns(); err != nil {
			return err
		}
	}
	size := 0
	for rows.Next() {
		values, err := scanned(rows, len(c.columns))
		if err != nil {
			return err
		}
		c.batch = append(c.batch, values)
		size += rowOverhead + sizeOf(values)
	}
	c.ended = len(c.batch) < c.count
	c.count = min(2*c.count, mostFetch, max(1, fetchBytes*len(c.batch)/max(size, 1)))
	return rows.Err()
}

func scanned(rows *sql.Rows, columns int) ([]any, error) {
	values, dests := make([]any, columns), make([]any, columns)
	for i := range values {
		dests[i] = &values[i]
	}
	return values, rows.Scan(dests...)
}

// Columns implements result.
func (c *cursor) Columns() ([]string, error) { return c.columns, nil }

// Next implements result.
func (c *cursor) Next() bool {
	if len(c.batch) == 0 && !c.ended && c.err == nil {
		c.batch = nil
		c.err = c.fetch()
	}
	if len(c.batch) == 0 || c.err != nil {
		return false
	}
	c.current, c.batch[0], c.batch = c.batch[0], nil, c.batch[1:]
	return true
}

// Scan implements result.
func (c *cursor) Scan(dests ...any) error {
	for i, d := range dests {
		*d.(*any) = c.current[i]
	}
	return nil
}

// Err implements result.
func (c *cursor) Err() error { return c.err }

// Close tells the server, unless the transaction has ended or is about to.
func (c *cursor) Close() error {
	c.batch, c.current = nil, nil
	defer c.tx.root.freeCursor(c.number)
	if c.tx.root.ending || c.usable() != nil || c.tx.ctx.Err() != nil {
		return nil
	}
	c.tx.root.results.makeRoom(Postgres, false)
	_, err := c.tx.root.tx.ExecContext(c.tx.ctx, "close "+c.name())
	return err
}

// takeCursor returns the lowest number that is free, so that texts come again, which the driver
// keeps prepared.
func (r *root) takeCursor() int {
	n := slices.Index(r.cursors, false)
	if n < 0 {
		n = len(r.cursors)
		r.cursors = append(r.cursors, false)
	}
	r.cursors[n] = true
	return n + 1
}

func (r *root) freeCursor(number int) { r.cursors[number-1] = false }

// lingers says that rows take no connection while nobody reads them.
func (r *Rows) lingers() bool {
	_, ok := r.inner.(*cursor)
	return ok
}
