package db

import (
	"sync/atomic"
	"time"
)

// A statement is quick when nearly all its runs of late took less than quickTime. Reading a row
// by its key takes about 12 µs, and waking another goroutine in the meantime more than it is
// worth. On a busy machine some runs are slow for no fault of theirs.
const (
	quickTime = 50 * time.Microsecond
	quickFrom = 16 // runs that were quick
	quickMost = 32 // of them are remembered
	slowRun   = 4  // of them are forgotten for each slow one
)

// pace is how fast a statement has been of late.
type pace struct{ score atomic.Int32 }

// took notes how long a run took that began at start. Of two at once one may be lost.
func (p *pace) took(start time.Time) {
	score := p.score.Load()
	switch {
	case time.Since(start) > quickTime:
		p.score.Store(max(score-slowRun, 0))
	case score < quickMost:
		p.score.Store(score + 1)
	}
}

// Quick says that a statement which reads from a SQLite file has lately been answered within some
// 10 µs by [One], [All] or [Value], so that it is hardly worth doing something else meanwhile. It
// may take longer this time.
func (d *DB) Quick(statement string) bool {
	if d.path == "" {
		return false
	}
	c := &d.statements
	c.mu.RLock()
	st := c.byID[statement]
	c.mu.RUnlock()
	return st != nil && st.pace.score.Load() >= quickFrom && d.poolFor(st) == d.read
}
