package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// A connTx is a transaction of a connection that knows when the engine has rolled it back by
// itself: SQLite does so when a write is interrupted or the disk is full, MySQL after a
// deadlock. What runs then would be committed at once, statement by statement.
type connTx struct {
	driver.Tx
	conn *conn
	lost error // why it is gone; nil while it is there

	changed bool // see changes
}

// BeginTx asks for another connection when this one turns out to be closed.
func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.driverConn.BeginTx(ctx, o)
	if err != nil && pgconn.SafeToRetry(err) && ctx.Err() == nil {
		return nil, driver.ErrBadConn
	}
	if err != nil {
		return nil, err
	}
	c.tx = &connTx{Tx: tx, conn: c}
	return c.tx, nil
}

// usable returns an error when the transaction is gone. There may be none.
func (t *connTx) usable() error {
	if t == nil || t.lost == nil {
		return nil
	}
	return &Error{Code: CodeAborted, Err: t.lost}
}

// failed looks at what a failure did.
func (c *conn) failed(ctx context.Context, err error) {
	// The driver closes the connection of what it gave up waiting for. One that is still good has
	// answered, and whatever comes next on it is another's.
	if ctx.Err() != nil && !c.alive() {
		c.killer.kill()
	}
	if c.tx == nil {
		return
	}
	if c.interrupter != nil && c.interrupter.autocommit() || c.rolledBack(err) {
		c.tx.lost = errors.New("an earlier failure made the database roll the whole transaction back")
	}
}

// rolledBack says whether a failure ended the whole transaction of MySQL or MariaDB: a deadlock,
// no room for more locks, a row that another changed since it was seen (MariaDB with
// innodb_snapshot_isolation, as it is from 11.6 on), and, if the server is set up so, a wait for
// a lock that was in vain.
func (c *conn) rolledBack(err error) bool {
	my, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return false
	}
	switch my.Number {
	case 1213, 1206, 1020:
		return true
	case 1205:
		return c.timeoutEndsAll()
	}
	return false
}

// timeoutEndsAll asks the server; without an answer it is as bad as it can be.
func (c *conn) timeoutEndsAll() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	rows, err := c.driverConn.QueryContext(ctx, "select @@innodb_rollback_on_timeout", nil)
	if err != nil {
		return true
	}
	defer rows.Close()
	var dest [1]driver.Value
	if err := rows.Next(dest[:]); err != nil {
		return true
	}
	set, err := integerOf(dest[0], formNumber)
	return err != nil || set != int64(0)
}

// Commit fails when there is nothing to commit any more.
func (t *connTx) Commit() error {
	t.conn.tx = nil
	if err := t.usable(); err != nil {
		_ = t.Tx.Rollback()
		return err
	}
	err := t.Tx.Commit()
	if t.changed && err == nil {
		t.conn.changes.count.Add(1)
	}
	if t.changed && err != nil {
		t.conn.forget()
	}
	return err
}

// Rollback ends the transaction.
func (t *connTx) Rollback() error {
	t.conn.tx = nil
	err := t.Tx.Rollback()
	if t.changed {
		t.conn.forget()
	}
	if t.lost != nil {
		return nil
	}
	return err
}
