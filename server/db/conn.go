package db

import (
	"container/list"
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"time"

	"github.com/go-sql-driver/mysql"
)

// preparedLimit is how many statements stay prepared on a connection of SQLite or MySQL; the
// driver of Postgres does the same by itself. MySQL counts them over all connections and has
// room for 16382.
var preparedLimit = map[Engine]int{SQLite: 256, MySQL: 100}

// A connector makes connections that keep statements prepared and return the values of this
// package, in transactions and outside alike.
type connector struct {
	engine   Engine
	inner    driver.Connector
	readOnly bool     // MySQL: each session begins so
	changes  *changes // Postgres
}

func (c connector) Driver() driver.Driver { return c.inner.Driver() }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	line := new(line)
	inner, err := c.inner.Connect(context.WithValue(ctx, lineKey{}, line))
	if err != nil {
		return nil, err
	}
	able, ok := inner.(driverConn)
	if !ok {
		_ = inner.Close()
		return nil, errors.New("the driver lacks what this program needs of it")
	}
	out := &conn{driverConn: able, engine: c.engine, line: line, changes: c.changes}
	if c.changes != nil {
		out.fresh, out.since = c.changes.count.Load(), time.Now()
		out.lookUp(ctx)
	}
	if limit := preparedLimit[c.engine]; limit > 0 {
		out.prepared = &preparedCache{limit: limit, byText: make(map[string]*list.Element), order: list.New()}
	}
	if c.readOnly {
		if _, err := able.ExecContext(ctx, "set session transaction read only", nil); err != nil {
			_ = inner.Close()
			return nil, err
		}
	}
	switch c.engine {
	case SQLite:
		out.interrupter = newInterrupter(inner)
	case MySQL:
		out.killer, err = newKiller(ctx, able, c.inner)
	}
	if err != nil {
		_ = inner.Close()
		return nil, err
	}
	return out, nil
}

// driverConn is what each of the three drivers can do.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
}

type conn struct {
	driverConn
	engine      Engine
	prepared    *preparedCache
	interrupter *interrupter
	killer      *killer
	line        *line
	tx          *connTx // that is open
	changes     *changes
	fresh       int64           // of changes, when nothing was prepared; -1: see forget
	since       time.Time       // when that was
	lent        bool            // others have prepared statements
	arrays      map[uint32]form // of Postgres; nil to look them up
	strange     bool            // it has none
	soiled      bool            // something may be left of a statement: see lasting
}

func (c *conn) Close() error {
	if c.interrupter != nil {
		c.interrupter.close()
	}
	if c.prepared != nil {
		c.prepared.clear()
	}
	return c.driverConn.Close()
}

// IsValid says whether the connection may go back into the pool.
func (c *conn) IsValid() bool {
	return !c.soiled && c.alive()
}

// soil notes what its statement says of itself.
func (c *conn) soil(ctx context.Context) {
	if c.engine != SQLite && soils(ctx) {
		c.soiled = true
	}
}

func (c *conn) alive() bool {
	if v, ok := c.driverConn.(driver.Validator); ok {
		return v.IsValid()
	}
	return true
}

// CheckNamedValue lets pass what [argument] made, and converts what other users of the pool give.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	switch v.Value.(type) {
	case string, bool, int64, float64, time.Time:
		if c.engine == Postgres {
			v.Value = postgresText(v.Value)
		}
		return nil
	case nil, []byte, Either:
		return nil
	}
	if checker, ok := c.driverConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	value, err := driver.DefaultParameterConverter.ConvertValue(v.Value)
	v.Value = value
	return err
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.tx.usable(); err != nil {
		return nil, err
	}
	c.soil(ctx)
	c.refresh(ctx)
	result, err := c.exec(ctx, query, args)
	for n := 0; c.replan(n, err, args); n++ {
		c.again(ctx, err)
		result, err = c.exec(ctx, query, args)
	}
	if err != nil {
		c.failed(ctx, err)
		return result, err
	}
	c.changed(query)
	return result, nil
}

func (c *conn) exec(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if !c.keeps(query, args) {
		result, err := c.driverConn.ExecContext(ctx, query, args)
		if c.learn(ctx, query, err) {
			return c.driverConn.ExecContext(ctx, query, args)
		}
		return result, err
	}
	p, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	defer c.prepared.put(p)
	result, err := p.stmt.ExecContext(ctx, args)
	if stale(err) {
		p.broken = true
		return c.driverConn.ExecContext(ctx, query, args)
	}
	return result, err
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r := &driverRows{}
	if err := c.query(ctx, r, query, args); err != nil {
		return nil, err
	}
	return r, nil
}

// query lets r have the rows.
func (c *conn) query(ctx context.Context, r *driverRows, query string, args []driver.NamedValue) error {
	if err := c.tx.usable(); err != nil {
		return err
	}
	c.soil(ctx)
	c.refresh(ctx)
	c.lookUp(ctx)
	r.conn, r.ctx, r.query = c, ctx, query
	if q, ok := ctx.(quiet); ok {
		if r.ctx = q.caller; r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		r.watch.start(r.ctx, c.interrupter)
	}
	err := r.open(ctx, query, args)
	for n := 0; c.replan(n, err, args); n++ {
		c.again(ctx, err)
		err = r.open(ctx, query, args)
	}
	if err == nil {
		c.changed(query)
		return nil
	}
	r.watch.end()
	c.failed(r.ctx, err)
	if r.ctx.Err() != nil {
		err = r.ctx.Err()
	}
	return err
}

// keeps says whether a statement is worth keeping prepared. MySQL answers a statement without
// arguments in one turn when it is not.
func (c *conn) keeps(query string, args []driver.NamedValue) bool {
	switch c.engine {
	case SQLite:
		return len(query) <= maxStatementSize && !changesSession(query)
	case MySQL:
		return len(args) > 0 && len(query) <= maxStatementSize
	}
	return false
}

// changesSession: SQLite checks some pragmas, and finds tables, when it prepares; what is run
// once is not kept.
func changesSession(query string) bool {
	switch verbOf(SQLite, query) {
	case "select", "insert", "update", "delete", "with", "replace", "values", "savepoint", "release", "rollback":
		return false
	}
	return true
}

func (c *conn) prepare(ctx context.Context, query string) (*prepared, error) {
	if p := c.prepared.take(query); p != nil {
		return p, nil
	}
	stmt, err := c.driverConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	able, ok := stmt.(driverStmt)
	if !ok {
		_ = stmt.Close()
		return nil, errors.New("the driver lacks what this program needs of its statements")
	}
	return c.prepared.add(query, able), nil
}

// stale is MySQL's way of saying that a table was changed too often under the statement, or
// that it has forgotten it.
func stale(err error) bool {
	if err == nil {
		return false
	}
	my, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && (my.Number == 1615 || my.Number == 1243)
}

// driverRows are rows with the values of this package.
type driverRows struct {
	driver.Rows
	typed    driver.RowsColumnTypeDatabaseTypeName
	conn     *conn
	prepared *prepared
	ctx      context.Context
	query    string
	forms    []form
	began    bool // a row was asked for
	ended    bool // there are no others
	watch    watch
}

// open runs the query.
func (r *driverRows) open(ctx context.Context, query string, args []driver.NamedValue) (err error) {
	c := r.conn
	if c.keeps(query, args) {
		if r.prepared, err = c.prepare(ctx, query); err != nil {
			return err
		}
		r.Rows, err = r.prepared.rows(ctx, c, args)
		if stale(err) {
			r.prepared.broken = true
		}
		if err != nil {
			c.prepared.put(r.prepared)
			r.prepared = nil
		}
	}
	if r.Rows == nil && (err == nil || stale(err)) {
		r.Rows, err = c.driverConn.QueryContext(ctx, query, args)
		if c.learn(ctx, query, err) {
			r.Rows, err = c.driverConn.QueryContext(ctx, query, args)
		}
	}
	if err != nil {
		return err
	}
	r.typed = r.Rows.(driver.RowsColumnTypeDatabaseTypeName)
	if n, ok := r.Rows.(*native); ok {
		r.forms = n.forms
	}
	return nil
}

// Next fills dest.
func (r *driverRows) Next(dest []driver.Value) error {
	r.watchSQLite()
	if err := r.Rows.Next(dest); err != nil {
		if r.ended = err == io.EOF; r.ended {
			return err
		}
		r.conn.failed(r.ctx, err)
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		return err
	}
	if r.forms == nil {
		r.forms = make([]form, len(dest))
		for i := range dest {
			r.forms[i] = r.conn.formOf(r.typed.ColumnTypeDatabaseTypeName(i))
		}
	}
	return r.decode(dest)
}

// watchSQLite lets the context interrupt SQLite from the second row on. The driver does so
// until the first row is there, and not after.
func (r *driverRows) watchSQLite() {
	if r.began && r.conn.interrupter != nil && r.watch.stop == nil && r.ctx.Done() != nil {
		r.watch.start(r.ctx, r.conn.interrupter)
	}
	r.began = true
}

func (r *driverRows) decode(dest []driver.Value) error {
	for i, f := range r.forms {
		if dest[i] == nil || f == formAsIs {
			continue
		}
		v, err := f.decode(dest[i])
		if err != nil {
			return err
		}
		dest[i] = v
	}
	return nil
}

// Close gives the statement back.
func (r *driverRows) Close() error {
	r.watch.end()
	whole := true
	switch {
	case r.ended || r.conn.engine != MySQL:
	case r.ctx.Err() != nil && r.conn.line.hangUp():
		r.conn.killer.kill()
	default:
		whole = r.skip()
	}
	err := r.Rows.Close()
	if !whole {
		err = r.conn.tx.usable() // what was read is right
	}
	if r.prepared != nil {
		r.prepared.broken = r.prepared.broken || r.prepared.native != nil && r.prepared.native.handle == 0
		r.conn.prepared.put(r.prepared)
		r.prepared = nil
	}
	return err
}

// ColumnTypeDatabaseTypeName is the driver's.
func (r *driverRows) ColumnTypeDatabaseTypeName(i int) string {
	return r.typed.ColumnTypeDatabaseTypeName(i)
}
