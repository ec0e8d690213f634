package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"rws/server/suggest"
)

// TxOptions of a transaction. A savepoint has none of its own.
type TxOptions struct {
	// ReadOnly transactions see one state of the data. Of SQLite they run beside the writer.
	ReadOnly bool
	// Isolation is "read uncommitted", "read committed", "repeatable read" or "serializable";
	// default that of the server. SQLite has only serializable, which satisfies all of them.
	Isolation string
}

// Tx is a transaction, or a savepoint in one. It belongs to one goroutine. It must be ended by
// Commit or Rollback; the end of the context that it was begun with rolls it back, too.
//
// Of SQLite a transaction that may write has the writer to itself from the beginning (begin
// immediate), so it cannot fail half way for being too late. Readers go on beside it, and see
// what was there before; only of a database in memory they wait until it ends.
type Tx struct {
	db    *DB
	ctx   context.Context // that it was begun with
	root  *root
	outer *Tx    // nil of the transaction itself
	name  string // of the savepoint
	state txState
}

type txState uint8

const (
	txOpen txState = iota
	txCommitted
	txRolledBack
)

// root is what a transaction and its savepoints share.
type root struct {
	tx      *sql.Tx
	stop    func() bool // the watch over the context
	free    sync.Once
	give    func() // the connection back
	results *results
	number  int    // of savepoints so far
	session bool   // nobody gets the connection afterwards
	failure *Error // that ended a transaction of Postgres, until a savepoint before it is gone back to
	cursors []bool // of Postgres: numbers in use, from 1
	ending  bool   // it is being committed or rolled back
}

func (r *root) release() { r.free.Do(r.give) }

// Begin implements [Querier].
func (d *DB) Begin(ctx context.Context, o TxOptions) (*Tx, error) {
	if d.closed.Load() {
		return nil, &Error{Code: CodeClosed, Err: fmt.Errorf("the database %s is closed", d.name)}
	}
	options, err := d.txOptions(o)
	if err != nil {
		return nil, err
	}
	p := d.write
	if o.ReadOnly {
		p = d.read
	}
	if err := p.acquire(ctx); err != nil {
		return nil, d.explain(ctx, "begin", err)
	}
	inner, err := p.db.BeginTx(ctx, options)
	if err != nil {
		p.release()
		return nil, d.explain(ctx, "begin", err)
	}
	return d.newTx(ctx, inner, &results{}, p.release), nil
}

func (d *DB) newTx(ctx context.Context, inner *sql.Tx, open *results, give func()) *Tx {
	r := &root{tx: inner, give: give, results: open}
	r.stop = context.AfterFunc(ctx, func() {
		_ = inner.Rollback()
		r.release()
	})
	return &Tx{db: d, ctx: ctx, root: r}
}

var isolations = map[string]sql.IsolationLevel{
	"read uncommitted": sql.LevelReadUncommitted, "read committed": sql.LevelReadCommitted,
	"repeatable read": sql.LevelRepeatableRead, "serializable": sql.LevelSerializable,
}

func (d *DB) txOptions(o TxOptions) (*sql.TxOptions, error) {
	out := &sql.TxOptions{ReadOnly: o.ReadOnly}
	if o.Isolation == "" {
		return out, nil
	}
	level, ok := isolations[strings.ToLower(strings.ReplaceAll(o.Isolation, "_", " "))]
	if !ok {
		known := []string{"read uncommitted", "read committed", "repeatable read", "serializable"}
		return nil, &Error{Code: CodeRefused, Err: fmt.Errorf("there is no isolation %q%s; there are %s", o.Isolation, suggest.DidYouMean(o.Isolation, known), strings.Join(known, ", "))}
	}
	if d.engine != SQLite {
		out.Isolation = level
	}
	return out, nil
}

// Engine implements [Querier].
func (t *Tx) Engine() Engine { return t.db.engine }

func (t *Tx) database() *DB { return t.db }

// Query implements [Querier]. While its rows are read other statements may run: what is left
// of the rows is then read first, because a connection of a server does one thing at a time.
func (t *Tx) Query(ctx context.Context, source string, args ...any) (*Rows, error) {
	st, text, values, err := t.bind(source, args)
	if err != nil {
		return nil, err
	}
	return t.query(ctx, st, text, values)
}

func (t *Tx) query(ctx context.Context, st *statement, text string, values []any) (*Rows, error) {
	inner, err := t.root.tx.QueryContext(st.soil(ctx), text, values...)
	if err != nil {
		return nil, t.explain(ctx, st.source, err)
	}
	rows := newRows(ctx, t.db, st, inner, func() {})
	rows.root = t.root
	t.root.results.add(rows)
	return rows, nil
}

// Exec implements [Querier].
func (t *Tx) Exec(ctx context.Context, source string, args ...any) (Result, error) {
	st, text, values, err := t.bind(source, args)
	if err != nil {
		return Result{}, err
	}
	r, err := t.db.exec(ctx, t.root.tx, st, text, values)
	if err != nil {
		return r, t.explain(ctx, source, err)
	}
	return r, nil
}

// bind makes the connection ready for a statement.
func (t *Tx) bind(source string, args []any) (*statement, string, []any, error) {
	if err := t.usable(source); err != nil {
		return nil, "", nil, err
	}
	if t.ctx.Err() != nil { // it is being rolled back
		return nil, "", nil, t.db.explain(t.ctx, source, t.ctx.Err())
	}
	if err := t.root.aborted(); err != nil {
		return nil, "", nil, err
	}
	st, text, values, err := t.db.bind(source, args)
	if err == nil && !t.root.session {
		err = st.allowed(true)
	}
	if err == nil {
		t.root.results.makeRoom(t.db.engine, st.schema)
	}
	return st, text, values, err
}

func (t *Tx) usable(source string) error {
	for at := t; at != nil; at = at.outer {
		if at.state == txOpen {
			continue
		}
		what := map[txState]string{txCommitted: "committed", txRolledBack: "rolled back"}[at.state]
		return &Error{Code: CodeClosed, Statement: source, Err: fmt.Errorf("the transaction was %s before", what)}
	}
	return nil
}

// aborted says what the server has been told, and nothing but a rollback is of use any more.
func (r *root) aborted() error {
	if r.failure == nil {
		return nil
	}
	return &Error{Code: CodeAborted, Statement: r.failure.Statement, Err: fmt.Errorf("an earlier statement failed, which ended the transaction: %s: %w", r.failure.Code, r.failure.Err)}
}

// note keeps the first failure that the server of Postgres reports: it ends the transaction.
func (r *root) note(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && r.failure == nil {
		if _, ok := errors.AsType[*pgconn.PgError](e.Err); ok {
			r.failure = e
		}
	}
	return err
}

// explain prefers the end of the transaction's own context over what follows from it.
func (t *Tx) explain(ctx context.Context, source string, err error) error {
	return t.root.note(t.explained(ctx, source, err))
}

func (t *Tx) explained(ctx context.Context, source string, err error) error {
	if ctx.Err() == nil && t.ctx.Err() != nil {
		if e, ok := err.(*Error); ok {
			err = e.Err
		}
		return t.db.explain(t.ctx, source, err)
	}
	return t.db.explain(ctx, source, err)
}

// Begin implements [Querier]: it sets a savepoint. Until it is ended, what runs in the outer
// transaction belongs to it.
func (t *Tx) Begin(ctx context.Context, _ TxOptions) (*Tx, error) {
	if err := t.usable("savepoint"); err != nil {
		return nil, err
	}
	if err := t.root.aborted(); err != nil {
		return nil, err
	}
	t.root.number++
	inner := &Tx{db: t.db, ctx: t.ctx, root: t.root, outer: t, name: fmt.Sprintf("rws_%d", t.root.number)}
	if err := inner.control(ctx, "savepoint "+inner.name); err != nil {
		return nil, err
	}
	return inner, nil
}

// control runs what ends or begins a savepoint.
func (t *Tx) control(ctx context.Context, statement string) error {
	t.root.results.makeRoom(t.db.engine, false)
	_, err := t.root.tx.ExecContext(ctx, statement)
	return t.explain(ctx, statement, err)
}

// Commit keeps what was done; of a savepoint, as far as the transaction is. Committing again
// does nothing; after a rollback it is an error.
func (t *Tx) Commit() error {
	if t.state == txCommitted {
		return nil
	}
	if err := t.usable("commit"); err != nil {
		return err
	}
	if err := t.root.aborted(); err != nil {
		return errors.Join(err, t.Rollback())
	}
	if t.outer != nil {
		t.state = txCommitted
		return t.control(t.ctx, "release savepoint "+t.name)
	}
	t.root.close()
	err := t.root.tx.Commit()
	t.state = txCommitted
	if err != nil {
		t.state = txRolledBack
	}
	t.end()
	return t.explain(t.ctx, "commit", err)
}

// Rollback undoes what was done. After Commit, or another Rollback, it does nothing. Of a whole
// transaction it does not fail: where the connection is lost the database does the same.
func (t *Tx) Rollback() error {
	if t.usable("rollback") != nil {
		return nil
	}
	t.state = txRolledBack
	if t.outer != nil {
		if err := t.control(t.ctx, "rollback to savepoint "+t.name); err != nil {
			return err
		}
		t.root.failure = nil
		return t.control(t.ctx, "release savepoint "+t.name)
	}
	t.root.close()
	_ = t.root.tx.Rollback()
	t.end()
	return nil
}

// close lets go of results that are still open.
func (r *root) close() {
	r.ending = true
	r.results.close()
}

func (t *Tx) end() {
	t.root.stop()
	t.root.release()
}

// InTx runs f in a transaction: it commits when f returns nil and rolls back when it returns
// an error or panics.
func InTx(ctx context.Context, q Querier, o TxOptions, f func(*Tx) error) error {
	tx, err := q.Begin(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
