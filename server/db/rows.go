package db

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
)

// Rows are read one after another, by one goroutine.
type Rows struct {
	db      *DB
	ctx     context.Context
	st      *statement
	inner   result // nil once closed or buffered
	columns []string
	*scratch
	release func()
	pool    *pool   // nil in a transaction or session
	root    *root   // of the transaction, or nil
	ahead   [][]any // rows read before they were asked for
	current []any
	ended   bool // there are no others
	err     error
}

// scratch is where a row is scanned to.
type scratch struct {
	values []any
	dests  []any
}

var scratches = sync.Pool{New: func() any { return &scratch{} }}

// size makes room for n columns.
func (s *scratch) size(n int) {
	if cap(s.values) < n {
		s.values, s.dests = make([]any, n), make([]any, n)
		for i := range s.values {
			s.dests[i] = &s.values[i]
		}
	}
	s.values, s.dests = s.values[:n], s.dests[:n]
}

func newRows(ctx context.Context, d *DB, st *statement, inner result, release func()) *Rows {
	r := &Rows{db: d, ctx: ctx, st: st, inner: inner, release: release, scratch: scratches.Get().(*scratch)}
	r.columns, r.err = inner.Columns()
	r.size(len(r.columns))
	return r
}

// Columns are the names, in order. They may repeat.
func (r *Rows) Columns() []string { return r.columns }

// Next goes to the next row. It returns false at the end and after a failure, which Err and
// Close return.
func (r *Rows) Next() bool {
	if len(r.ahead) > 0 {
		r.current, r.ahead = r.ahead[0], r.ahead[1:]
		return true
	}
	r.current = nil
	if r.inner == nil || r.err != nil {
		return false
	}
	if !r.scan() {
		return false
	}
	r.current = r.values
	return true
}

func (r *Rows) scan() bool {
	if !r.inner.Next() {
		r.ended = true
		r.fail(r.inner.Err())
		return false
	}
	if err := r.inner.Scan(r.dests...); err != nil {
		r.fail(err)
		return false
	}
	return true
}

func (r *Rows) fail(err error) {
	if err != nil && r.err == nil {
		r.err = r.db.explain(r.ctx, r.st.source, err)
		if r.root != nil {
			_ = r.root.note(r.err)
		}
	}
}

// Values of the row. The slice is used again by Next; the values in it may be kept.
func (r *Rows) Values() []any { return r.current }

// take returns the values in a slice that may be kept.
func (r *Rows) take() []any {
	out := make([]any, len(r.current))
	copy(out, r.current)
	return out
}

// Err is the failure that ended the rows, nil at their end.
func (r *Rows) Err() error { return r.err }

// Close frees the connection and returns the failure that ended the rows, if one did. Closing
// again returns the same.
func (r *Rows) Close() error {
	r.ahead, r.current = nil, nil
	r.finish()
	return r.err
}

// cutOff is Close for rows whose transaction or session ends while they are read. What is in memory
// can be read on.
func (r *Rows) cutOff() {
	if r.inner == nil {
		return
	}
	over := !r.ended
	if _ = r.Close(); over && r.err == nil {
		r.err = &Error{Code: CodeClosed, Statement: r.st.source, Err: errors.New("the rows ended with the transaction that they were asked for in: go through them before it ends")}
	}
}

// finish closes what is below.
func (r *Rows) finish() {
	if r.inner == nil {
		return
	}
	err := r.inner.Close()
	if err == nil {
		err = r.inner.Err()
	}
	r.fail(err)
	if r.err == nil {
		r.db.ran(r.st)
	}
	r.inner = nil
	clear(r.values)
	scratches.Put(r.scratch)
	r.scratch = nil
	r.release()
}

// buffer reads what is left, so that the connection is free.
func (r *Rows) buffer() error {
	r.bufferUpTo(math.MaxInt)
	return r.err
}

// bufferUpTo is keep for rows one of which may be in use.
func (r *Rows) bufferUpTo(size int) bool {
	var current []any
	if r.inner != nil && r.current != nil {
		current = r.take() // it lies where the next rows are scanned to
	} else {
		current = r.current
	}
	all := r.keep(size)
	r.current = current
	return all
}

// settle has a statement that may write run to its end, where nothing else does so: its rows are
// read into memory. Of one that may as well only read, no more than [maxHeld] are.
func (r *Rows) settle() error {
	switch {
	case r.root != nil || !r.st.mayWrite():
		return nil
	case r.st.changesRows() && r.st.verb != "with":
		return r.buffer()
	}
	r.keep(maxHeld)
	return r.err
}

// mayWrite says that a statement changes something, as far as its words tell.
func (st *statement) mayWrite() bool {
	switch st.verb {
	case "table", "show", "describe", "desc":
		return false
	}
	return !st.reads
}

// makeRoom frees the connection of a transaction or session. What writes is read to its end,
// whatever that takes, since the engine writes as it is read.
func (r *Rows) makeRoom() {
	if r.st.mayWrite() {
		_ = r.buffer()
		return
	}
	if r.bufferUpTo(maxHeld) {
		return
	}
	r.err = &Error{Code: CodeBusy, Statement: r.st.source, Err: fmt.Errorf(
		"another statement of the transaction wanted its connection, and more than %d MiB of these rows were left, too many to be kept in memory: add a limit, or go page by page (where id > ? order by id limit 1000)", maxHeld>>20)}
	r.ahead = nil
	r.finish()
}

// keep reads what is left into memory, up to about size bytes, and says whether that was all.
func (r *Rows) keep(size int) bool { return r.readOn(size, true) }

// skip is keep for rows that nobody wants.
func (r *Rows) skip(size int) bool { return r.readOn(size, false) }

func (r *Rows) readOn(size int, keep bool) bool {
	if r.inner == nil {
		return true
	}
	r.current = nil
	for ; size > 0; size -= rowOverhead + sizeOf(r.values) {
		if r.err != nil || !r.scan() {
			r.finish()
			return true
		}
		if keep {
			r.ahead = append(r.ahead, append([]any(nil), r.values...))
		}
	}
	return false
}

func (r *Rows) all() (*Set, error) {
	out := &Set{Columns: r.columns}
	for r.Next() {
		out.Rows = append(out.Rows, r.take())
	}
	return out, r.Close()
}
