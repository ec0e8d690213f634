package db

import (
	"container/list"
	"database/sql/driver"
)

type driverStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// preparedCache keeps the statements that a connection used last prepared. Like the connection
// it belongs to one goroutine at a time.
type preparedCache struct {
	limit  int
	byText map[string]*list.Element // of *prepared
	order  *list.List               // the last used first
}

type prepared struct {
	text   string
	stmt   driverStmt
	busy   bool // a result is open
	kept   bool // it is in the cache
	broken bool // it must not be used again
	looked bool // whether it can be native
	native *native
}

// take returns a statement that is not in use, or nil. It must be given back with put.
func (c *preparedCache) take(text string) *prepared {
	e := c.byText[text]
	if e == nil {
		return nil
	}
	p := e.Value.(*prepared)
	if p.busy {
		return nil
	}
	c.order.MoveToFront(e)
	p.busy = true
	return p
}

// add takes a new statement in, in use. With one of the same text in use it is not kept.
func (c *preparedCache) add(text string, stmt driverStmt) *prepared {
	p := &prepared{text: text, stmt: stmt, busy: true}
	if c.byText[text] != nil {
		return p
	}
	p.kept = true
	c.byText[text] = c.order.PushFront(p)
	if c.order.Len() > c.limit {
		c.drop(c.order.Back())
	}
	return p
}

func (c *preparedCache) put(p *prepared) {
	p.busy = false
	if p.broken && p.kept {
		c.drop(c.byText[p.text])
		return
	}
	if !p.kept {
		_ = p.stmt.Close()
	}
}

// drop takes a statement out; one that is in use is closed when it is put back.
func (c *preparedCache) drop(e *list.Element) {
	p := c.order.Remove(e).(*prepared)
	delete(c.byText, p.text)
	p.kept = false
	if !p.busy {
		_ = p.stmt.Close()
	}
}

func (c *preparedCache) clear() {
	for c.order.Len() > 0 {
		c.drop(c.order.Back())
	}
}
