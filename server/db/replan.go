package db

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// replans is how often a statement is prepared anew: the table may be changed between that and its
// run, too.
const replans = 3

// replan says that a table of Postgres changed under a prepared statement, which did nothing. The
// driver has forgotten it by then, and running it again prepares it anew; on another connection it
// might be as old. A transaction has failed.
func (c *conn) replan(err error) bool {
	if err == nil || c.engine != Postgres || c.tx != nil {
		return false
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && planChanged(pg)
}

// changes counts the statements after which others that are prepared may have other columns, on all
// connections of one pool of Postgres.
type changes struct{ count atomic.Int64 }

// changed notes what a statement did, and again when it is committed, since another connection may
// have prepared its own meanwhile.
func (c *conn) changed(query string) {
	if c.changes == nil || !changesColumns(query) {
		return
	}
	c.changes.count.Add(1)
	if c.tx != nil {
		c.tx.changed = true
	}
}

// changesColumns says so of a statement. What is new has no statements, but for what it replaces.
func changesColumns(query string) bool {
	switch verbOf(Postgres, query) {
	case "alter", "drop":
		return true
	case "create":
		return is(beginning(Postgres, query, 3), "create", "or", "replace")
	}
	return false
}

// refresh forgets what is prepared when something has changed since. In a transaction it would be
// found too late, as it fails then.
func (c *conn) refresh(ctx context.Context) {
	if c.changes == nil || c.tx == nil {
		return
	}
	now := c.changes.count.Load()
	if now == c.fresh {
		return
	}
	if inner, ok := c.driverConn.(*stdlib.Conn); ok && inner.Conn().DeallocateAll(ctx) == nil {
		c.fresh = now
	}
}
