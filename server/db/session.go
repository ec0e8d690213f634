package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"
)

// results are the open ones of one connection.
type results struct{ open []*Rows }

func (r *results) add(rows *Rows) { r.open = append(r.open, rows) }

// maxHeld is about how many bytes of a result are read into memory in a transaction or session,
// whose one connection another statement wants.
const maxHeld = 32 << 20

// makeRoom reads open results to their end where a connection can have only one; where tables are
// about to change, also those that cursors still read from.
func (r *results) makeRoom(engine Engine, tables bool) {
	if len(r.open) == 0 {
		return
	}
	was := r.open
	r.open = nil // closing a cursor is a statement, too
	open := was[:0]
	for _, rows := range was {
		if rows.inner != nil && engine != SQLite && (tables || !rows.lingers()) {
			rows.makeRoom() // their reader gets the error
		}
		if rows.inner != nil {
			open = append(open, rows)
		}
	}
	r.open = open
}

// close ends those that are not at their end: whoever reads on gets an error, not the end.
func (r *results) close() {
	for _, rows := range r.open {
		rows.cutOff()
	}
	r.open = nil
}

// Session is one connection of a pool, for what belongs to a connection: locks of the server,
// settings, temporary tables. It belongs to one goroutine. Of SQLite it is the writer.
type Session struct {
	db      *DB
	conn    *sql.Conn
	results results
	once    sync.Once
}

// Session takes a connection out of the pool. It must be closed.
func (d *DB) Session(ctx context.Context) (*Session, error) {
	if d.closed.Load() {
		return nil, &Error{Code: CodeClosed, Err: fmt.Errorf("the database %s is closed", d.name)}
	}
	if err := d.write.acquire(ctx); err != nil {
		return nil, d.explain(ctx, "", err)
	}
	conn, err := d.write.db.Conn(ctx)
	if err != nil {
		d.write.release()
		return nil, d.explain(ctx, "", err)
	}
	return &Session{db: d, conn: conn}, nil
}

// Close closes the connection, and with it all that belonged to it: nothing of it reaches the
// next user of the pool.
func (s *Session) Close() error {
	s.once.Do(func() {
		s.results.close()
		_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = s.conn.Close()
		s.db.write.release()
	})
	return nil
}

// Engine implements [Querier].
func (s *Session) Engine() Engine { return s.db.engine }

func (s *Session) database() *DB { return s.db }

// Query implements [Querier]. See [Tx.Query] for statements that run while rows are read.
func (s *Session) Query(ctx context.Context, source string, args ...any) (*Rows, error) {
	st, text, values, err := s.db.bind(source, args)
	if err != nil {
		return nil, err
	}
	s.results.makeRoom(s.db.engine, false)
	inner, err := s.conn.QueryContext(ctx, text, values...)
	if err != nil {
		return nil, s.db.explain(ctx, source, err)
	}
	rows := newRows(ctx, s.db, st, inner, func() {})
	s.results.add(rows)
	return rows, nil
}

// Exec implements [Querier].
func (s *Session) Exec(ctx context.Context, source string, args ...any) (Result, error) {
	st, text, values, err := s.db.bind(source, args)
	if err != nil {
		return Result{}, err
	}
	s.results.makeRoom(s.db.engine, false)
	return s.db.exec(ctx, s.conn, st, text, values)
}

// Begin implements [Querier].
func (s *Session) Begin(ctx context.Context, o TxOptions) (*Tx, error) {
	options, err := s.db.txOptions(o)
	if err != nil {
		return nil, err
	}
	s.results.makeRoom(s.db.engine, false)
	inner, err := s.conn.BeginTx(ctx, options)
	if err != nil {
		return nil, s.db.explain(ctx, "begin", err)
	}
	tx := s.db.newTx(ctx, inner, &s.results, func() {})
	tx.root.session = true
	return tx, nil
}
