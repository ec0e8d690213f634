package luabind

import (
	"context"
	"errors"
	"runtime"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/cancel"
	"rws/server/db"
)

// How much db:each reads at a time. A result of no more than that keeps no connection while the
// script goes through it.
const (
	aheadRows  = 256
	aheadBytes = 256 << 10
)

// A cursor is the state of one db:each.
type cursor struct {
	d       *Database
	make    rowMaker
	columns []string
	next    [][]any // rows that were read and not given out
	done    bool    // there are no others
	stream  *db.Stream
	stop    func() bool // the watch over the run
}

func dbEach(L *lua.LState, d *Database) int {
	text, args := d.statement(L, "each")
	return d.eachRow(L, "each", func(ctx context.Context, q db.Querier) (*db.Rows, error) { return db.Each(ctx, q, text, args...) })
}

// eachRow pushes an iterator over rows, and a function that closes them. They are closed at their
// end, after an error, when the iterator is garbage, and when the run ends.
func (d *Database) eachRow(L *lua.LState, method string, query func(context.Context, db.Querier) (*db.Rows, error)) int {
	if d.tx == nil && vm.Current(L).ReadOnly {
		return d.eachKept(L, method, query)
	}
	c := &cursor{d: d}
	d.guard(L, method, false)
	owner, place := vm.Current(L), fault.Where(L)
	d.waitLong(L, method, func(run context.Context) error {
		ctx, cancel := context.WithCancel(run)
		rows, err := query(ctx, d.q)
		if err != nil {
			cancel()
			return err
		}
		c.columns = rows.Columns()
		c.stream = db.NewStream(rows, owner, place, cancel)
		err = c.fill()
		if !c.done {
			c.watch(run)
		}
		return err
	})
	c.make = d.newRowMaker(L, c.columns)
	iterator := L.NewFunction(func(L *lua.LState) int { return c.step(L, method) })
	if !c.done {
		runtime.AddCleanup(iterator, func(c *cursor) { go c.close(nil) }, c)
	}
	L.Push(iterator)
	L.Push(L.NewFunction(func(L *lua.LState) int {
		c.next, c.done = nil, true
		return c.finish(L)
	}))
	return 2
}

// watch has the rows closed when the run ends.
func (c *cursor) watch(ctx context.Context) {
	c.stop = cancel.After(ctx, func() {
		over := &db.Error{Code: db.CodeClosed, Err: errors.New("the request or transaction that asked for these rows is over: go through them before it ends")}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) { // which may close them before the read notices
			over.Code = db.CodeTimeout
		}
		c.close(over)
	})
}

func (c *cursor) close(reason error) {
	c.d.exclusively(func() { c.stream.Close(reason) })
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
func (c *cursor) fill() (err error) {
	c.next, c.done, err = c.stream.Read(aheadRows, aheadBytes)
	if c.done && c.stop != nil {
		c.stop()
	}
	return err
}

// finish closes the rows while the lock of the isolate is free.
func (c *cursor) finish(L *lua.LState) int {
	_ = vm.Wait(L, func(context.Context) error {
		if c.stop != nil {
			c.stop()
		}
		c.close(nil)
		return nil
	})
	return 0
}

// eachKept is eachRow where a transaction must end before the first row is given out.
func (d *Database) eachKept(L *lua.LState, method string, query func(context.Context, db.Querier) (*db.Rows, error)) int {
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
	L.Push(L.NewFunction(func(*lua.LState) int { list = nil; return 0 }))
	return 2
}
