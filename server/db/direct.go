package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
)

// A result is where rows come from: a *sql.Rows, or a connection itself.
type result interface {
	Columns() ([]string, error)
	Next() bool
	Scan(dests ...any) error
	Err() error
	Close() error
}

// query runs a statement on a connection of the pool.
func (p *pool) query(ctx context.Context, text string, values []any) (result, error) {
	if p.readers == nil {
		return p.db.QueryContext(ctx, text, values...)
	}
	r, err := p.readers.take(quiet{ctx})
	if err != nil {
		return nil, err
	}
	d := &direct{reader: r, readers: p.readers}
	if err := d.query(ctx, text, values); err != nil {
		_ = p.readers.put(r)
		return nil, err
	}
	return d, nil
}

// direct are rows of a reader of a SQLite file, without database/sql between. Values are scanned
// to *any only.
type direct struct {
	driverRows
	reader  *reader
	readers *readers // nil once closed
	row     []driver.Value
	err     error
}

func (d *direct) query(ctx context.Context, text string, values []any) error {
	args := make([]driver.NamedValue, len(values))
	for i, v := range values {
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
		if err := d.reader.CheckNamedValue(&args[i]); err != nil {
			return err
		}
	}
	if err := d.reader.query(quiet{ctx}, &d.driverRows, text, args); err != nil {
		return err
	}
	d.row = make([]driver.Value, len(d.driverRows.Columns()))
	return nil
}

// Columns implements [result].
func (d *direct) Columns() ([]string, error) { return d.driverRows.Columns(), nil }

// Next implements [result].
func (d *direct) Next() bool {
	if d.readers == nil || d.err != nil {
		return false
	}
	d.err = d.driverRows.Next(d.row)
	return d.err == nil
}

// Scan implements [result].
func (d *direct) Scan(dests ...any) error {
	for i, dest := range dests {
		*dest.(*any) = d.row[i]
	}
	return nil
}

// Err implements [result].
func (d *direct) Err() error {
	if d.err == io.EOF {
		return nil
	}
	return d.err
}

// Close implements [result].
func (d *direct) Close() error {
	if d.readers == nil {
		return nil
	}
	err := errors.Join(d.driverRows.Close(), d.readers.put(d.reader))
	d.readers = nil
	return err
}

var _ result = (*sql.Rows)(nil)
