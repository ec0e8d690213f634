package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/go-sql-driver/mysql"
)

// interrupted is the number of the error that a killed query ends with.
const interrupted = 1317

// skip reads what is left of rows of MySQL. When it is much, the server is asked to stop sending it,
// which ends the query and not its transaction. What writes is read to its end: it would be undone.
// It returns false when the connection had to be closed.
func (r *driverRows) skip() bool {
	if !onlyReads(r.query) || r.drain(maxDrained) == nil {
		return true
	}
	err := r.conn.killer.killNow()
	if err == nil {
		err = r.stopped()
	}
	if err == nil {
		return true
	}
	r.conn.line.hangUp()
	if r.conn.tx != nil {
		r.conn.tx.lost = fmt.Errorf("many rows of %q were left, which nobody wanted, and the server could not be made to stop sending them: %w: add a limit to the statement", excerpt(r.query, 60), err)
	}
	return false
}

var errMuch = errors.New("there are more rows")

// drain reads rows of about size bytes. At their end, be it a failure, it returns nil.
func (r *driverRows) drain(size int) error {
	row := make([]driver.Value, len(r.Rows.Columns()))
	for ; size > 0; size -= rowOverhead + sizeOfDriver(row) {
		if r.Rows.Next(row) != nil {
			return nil
		}
	}
	return errMuch
}

// stopped reads what was on its way, up to the server's word that the query was killed. If the end
// of the rows comes, the server had sent them all before it was asked, and the next statement may be
// the one that is killed: that is one of no use. The driver takes a statement that comes while the
// context of rows is watched for one after its end, and closes the connection: so they are closed first.
func (r *driverRows) stopped() error {
	row := make([]driver.Value, len(r.Rows.Columns()))
	ctx, cancel := context.WithTimeout(context.Background(), killWait)
	defer cancel()
	defer context.AfterFunc(ctx, func() { r.conn.line.hangUp() })()
	var err error
	for err == nil {
		err = r.Rows.Next(row)
	}
	if !errors.Is(err, io.EOF) {
		return unlessKilled(err)
	}
	if err := r.Rows.Close(); err != nil {
		return err
	}
	_, err = r.conn.driverConn.ExecContext(ctx, "do 0", nil)
	return unlessKilled(err)
}

func unlessKilled(err error) error {
	if my, ok := errors.AsType[*mysql.MySQLError](err); ok && my.Number == interrupted {
		return nil
	}
	return err
}

func sizeOfDriver(row []driver.Value) int {
	size := 16 * len(row)
	for _, v := range row {
		if b, ok := v.([]byte); ok {
			size += len(b)
		}
	}
	return size
}

func onlyReads(query string) bool {
	switch verbOf(MySQL, effective(MySQL, query)) {
	case "select", "values", "with", "table":
		return true
	}
	return false
}
