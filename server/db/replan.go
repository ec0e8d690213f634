package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// replans is how often a statement is prepared anew: the table may be changed between that and its
	// run, too.
	replans = 3
	// forgetAfter is how long a connection of Postgres keeps statements prepared. One keeps the types that its
	// parameters had: after "alter … type text" by another program it still makes 1067 of "01067", and
	// nothing says so.
	forgetAfter = time.Minute
)

// replan says that running a statement again, for the nth time, makes sense: a table or type of Postgres changed
// under a prepared one, which did nothing. The driver has forgotten it by then, and prepares it anew; on another
// connection it might be as old. A transaction has failed.
func (c *conn) replan(n int, err error, args []driver.NamedValue) bool {
	if err == nil || n >= replans || c.engine != Postgres || c.tx != nil {
		return false
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return planChanged(pg) || n == 0 && len(args) > 0 && mayBeOld(pg)
	}
	return n == 0 && unencoded.MatchString(err.Error())
}

// again forgets all statements where one is old for sure.
func (c *conn) again(ctx context.Context, err error) {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && planChanged(pg) {
		c.forget()
		c.refresh(ctx)
	}
}

// mayBeOld says that a value was refused before anything ran, or that types do not fit together: those of the
// parameters may have been others when the statement was prepared.
func mayBeOld(pg *pgconn.PgError) bool {
	switch pg.Code {
	case "42804", "42846", "42883", "42704", "42P08":
		return true
	}
	return strings.HasPrefix(pg.Code, "22") && strings.Contains(pg.Where, "$") // "unnamed portal parameter $1"
}

// changes counts the statements after which others that are prepared may have other columns or parameters, on
// all connections of one pool of Postgres.
type changes struct{ count atomic.Int64 }

// changed notes what a statement did, and again when it is committed, since another connection may
// have prepared its own meanwhile. What this one prepared meanwhile is wrong after a rollback.
func (c *conn) changed(query string) {
	if c.changes == nil {
		return
	}
	if c.tx != nil && c.tx.changed && verbOf(Postgres, query) == "rollback" { // to a savepoint
		c.forget()
	}
	if !changesColumns(query) {
		return
	}
	c.changes.count.Add(1)
	if c.tx != nil {
		c.tx.changed = true
	}
}

// changesColumns says so of a text, which may have several statements in it.
func changesColumns(query string) bool {
	if changesColumnsFirst(query) {
		return true
	}
	if !strings.Contains(query, ";") {
		return false
	}
	pieces, err := Split(Postgres, query)
	return err == nil && slices.ContainsFunc(pieces, func(p Piece) bool { return changesColumnsFirst(p.Text) })
}

// changesColumnsFirst says so of a statement. A temporary table is seen by nobody else, and is made often.
func changesColumnsFirst(query string) bool {
	switch verbOf(Postgres, query) {
	case "alter", "drop", "do", "import":
		return true
	case "create":
		words := beginning(Postgres, query, 2)
		return !is(words, "create", "temp") && !is(words, "create", "temporary") && !is(words, "create", "index") && !is(words, "create", "unique")
	}
	return false
}

// forget lets the connection prepare all statements anew.
func (c *conn) forget() { c.fresh = -1 }

// refresh forgets what is prepared when something has changed since. Types need no such care: one that is
// made again has another number. A statement that other users of the pool prepared stays: see ResetSession.
func (c *conn) refresh(ctx context.Context) {
	if c.changes == nil || c.lent {
		return
	}
	now := c.changes.count.Load()
	if now == c.fresh {
		return
	}
	inner, ok := c.driverConn.(*stdlib.Conn)
	if !ok || !takes(inner) { // then the driver alone would forget
		return
	}
	if keepsPrepared(inner.Conn()) && inner.Conn().DeallocateAll(ctx) != nil {
		return
	}
	c.fresh, c.since = now, time.Now()
	if !c.strange {
		c.arrays = nil
	}
}

// keepsPrepared says whether there is anything to forget. With a pooler between, which the other modes are for,
// the statements of the server would be those of others.
func keepsPrepared(c *pgx.Conn) bool {
	mode := c.Config().DefaultQueryExecMode
	return mode == pgx.QueryExecModeCacheStatement || mode == pgx.QueryExecModeCacheDescribe
}

// takes says that the server would run a statement now.
func takes(c *stdlib.Conn) bool {
	pg := c.Conn().PgConn()
	return !pg.IsBusy() && pg.TxStatus() != 'E'
}

// ResetSession is called before the connection is used again.
func (c *conn) ResetSession(ctx context.Context) error {
	if c.changes != nil && time.Since(c.since) > forgetAfter {
		c.forget()
	}
	if c.lent && c.fresh != c.changes.count.Load() {
		return driver.ErrBadConn // which database/sql closes, and it prepares its statements on another
	}
	return c.driverConn.ResetSession(ctx)
}

// PrepareContext is for other users of the pool.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.lent = c.changes != nil
	return c.driverConn.PrepareContext(ctx, query)
}
