package db

import (
	"maps"
	"sync"
)

// Limits of the cache. A program has some hundred statements; one that builds texts with
// values in them must not fill the memory.
const (
	maxStatements    = 2000
	maxStatementSize = 64 << 10 // bytes; longer texts are looked at each time
)

// statementCache keeps statements that were parsed.
type statementCache struct {
	mu   sync.RWMutex
	byID map[string]*statement
}

// statement returns the parsed form of source.
func (d *DB) statement(source string) (*statement, error) {
	c := &d.statements
	c.mu.RLock()
	st := c.byID[source]
	c.mu.RUnlock()
	if st != nil {
		return st, nil
	}
	st, err := parse(d.engine, source)
	if err != nil || len(source) > maxStatementSize {
		return st, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil || len(c.byID) >= maxStatements {
		c.forget()
	}
	c.byID[source] = st
	return st, nil
}

// forget drops half of the statements, whichever.
func (c *statementCache) forget() {
	if c.byID == nil {
		c.byID = make(map[string]*statement)
		return
	}
	maps.DeleteFunc(c.byID, func(string, *statement) bool { return len(c.byID) > maxStatements/2 })
}
