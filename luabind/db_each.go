package luabind

import (
	"context"
	"errors"
	"sync"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/vm"
	"rws/server/cancel"
	"rws/server/db"
)

// How much db:each reads at a time. A wait for each row would put the script in line for the
// isolate each time.
const (
	aheadRows  = 128
	aheadBytes = 256 << 10
)

// A cursor is the state of one db:each.
type cursor struct {
	d       *Database
	make    rowMaker
	columns []string
	next    [][]any // rows that were read and not given out
	done    bool    // there are no others

	mu   sync.Mutex
	rows *db.Rows    // nil once closed
	stop func() bool // the watch over the run
}

func dbEach(L *lua.LState, d *Database) int {
	text, args := d.statement(L, "each")
	d.eachRow(L, "each", func(ctx context.Context, q db.Querier) (*db.Rows, error) { return q.Query(ctx, text, args...) })
	return 1
}

// eachRow pushes an iterator over rows. They are closed at their end, after an error, and when
// the run ends, as after a break.
func (d *Database) eachRow(L *lua.LState, method string, query func(context.Context, db.Querier) (*db.Rows, error)) {
	if d.tx == nil && vm.Current(L).ReadOnly {
		d.eachKept(L, method, query)
		return
	}
	c := &cursor{d: d}
	d.guard(L, method, false)
	d.waitLong(L, method, func(ctx context.Context) (err error) {
		if err = c.open(ctx, query); err != nil {
			return err
		}
		return c.fill()
	})
	c.make = d.newRowMaker(L, c.columns)
	L.Push(L.NewFunction(func(L *lua.LState) int { return c.step(L, method) }))
}

// open asks for the rows, and has them closed when the run ends.
func (c *cursor) open(ctx context.Context, query func(context.Context, db.Querier) (*db.Rows, error)) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows, err = query(ctx, c.d.q); err != nil {
		return err
	}
	c.stop = cancel.After(ctx, func() { c.d.exclusively(func() { _ = c.close() }) })
	return nil
}

// exclusively calls f when nothing else uses the connection of a transaction.
func (d *Database) exclusively(f func()) {
	if d.tx != nil {
		d.tx.mu.Lock()
		defer d.tx.mu.Unlock()
	}
	f()
}

// step gives out a row, nil at the end.
func (c *cursor) step(L *lua.LState, method string) int {
	if len(c.next) == 0 && !c.done {
		c.d.waitLong(L, method, func(context.Context) error { return c.fill() })
	}
	if len(c.next) == 0 {
		L.Push(lua.LNil)
		return 1
	}
	values := c.next[0]
	c.next[0] = nil
	c.next = c.next[1:]
	L.Push(c.make.row(values))
	return 1
}

// fill reads some rows.
func (c *cursor) fill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rows == nil {
		return &db.Error{Code: db.CodeClosed, Err: errors.New("the request or transaction that asked for these rows is over: go through them before it ends")}
	}
	c.columns = c.rows.Columns()
	c.next = c.next[:0]
	for size := 0; len(c.next) < aheadRows && size < aheadBytes; {
		if !c.rows.Next() {
			c.done = true
			return c.closeLocked()
		}
		values := append([]any(nil), c.rows.Values()...)
		size += sizeOf(values)
		c.next = append(c.next, values)
	}
	return nil
}

// sizeOf is about what a row takes, in bytes.
func sizeOf(values []any) int {
	size := 16 * len(values)
	for _, v := range values {
		switch v := v.(type) {
		case string:
			size += len(v)
		case db.Blob:
			size += len(v)
		case db.JSON:
			size += len(v)
		}
	}
	return size
}

func (c *cursor) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closeLocked()
}

func (c *cursor) closeLocked() error {
	if c.rows == nil {
		return nil
	}
	err := c.rows.Close()
	c.rows = nil
	if c.stop != nil {
		c.stop()
	}
	return err
}

// eachKept is eachRow where a transaction must end before the first row is given out.
func (d *Database) eachKept(L *lua.LState, method string, query func(context.Context, db.Querier) (*db.Rows, error)) {
	var columns []string
	var list [][]any
	d.reading(L, method, func(ctx context.Context, q db.Querier) error {
		rows, err := query(ctx, q)
		if err != nil {
			return err
		}
		columns = rows.Columns()
		for rows.Next() {
			list = append(list, append([]any(nil), rows.Values()...))
		}
		return rows.Close()
	})
	m := d.newRowMaker(L, columns)
	L.Push(L.NewFunction(func(L *lua.LState) int {
		if len(list) == 0 {
			L.Push(lua.LNil)
			return 1
		}
		values := list[0]
		list = list[1:]
		L.Push(m.row(values))
		return 1
	}))
}
