package db

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxKept is about how many bytes of a stream are read into memory so that its connection
	// is free for others.
	maxKept = 1 << 20
	// rowOverhead is what a row takes beside its values, in bytes.
	rowOverhead = 64
	// maxDrained is about how many bytes of a stream that is left are read to keep the connection
	// to a server, which else is closed.
	maxDrained = 256 << 10
	// idleStream is how long nobody has read a stream that is no longer taken to be in use.
	idleStream = 100 * time.Millisecond
	// reliefEvery is how often those that wait for a connection look for one that can be freed.
	reliefEvery = 50 * time.Millisecond
)

// A Stream is a result that is read some rows at a time, with anything in between. Outside of a
// transaction it keeps its connection meanwhile, but never so that somebody waits for it in vain:
//   - When a connection is wanted and none is free, the rest of a stream that is not being read is
//     read into memory, up to 1 MiB, and its connection given back.
//   - One owner keeps at most half of the connections. For another stream, or when those that wait
//     for a connection are the ones that keep them all, the owner's stream that was not read for
//     the longest time loses its connection; reading it then fails with the code busy.
//
// Its methods may be called by several goroutines, but those of a stream in a transaction only as
// its other statements.
type Stream struct {
	owner  any
	place  string
	cancel context.CancelFunc
	last   atomic.Int64 // read, Unix nanoseconds

	mu    sync.Mutex
	rows  *Rows // nil once closed
	err   error // of reading it then
	held  bool  // it is among the pool's
	large bool  // it does not fit into memory
}

// NewStream makes a stream of rows that were not read yet. Owner is what [WithOwner] says of the
// statements that run between, such as a request; place is for messages. Cancel ends the context
// of the rows; it is called when a server would send too many others.
func NewStream(rows *Rows, owner any, place string, cancel context.CancelFunc) *Stream {
	s := &Stream{rows: rows, owner: owner, place: place, cancel: cancel}
	s.last.Store(time.Now().UnixNano())
	return s
}

type ownerKey struct{}

// WithOwner says for whom a statement waits, so that it does not wait for streams of its own.
func WithOwner(ctx context.Context, owner any) context.Context {
	return context.WithValue(ctx, ownerKey{}, owner)
}

// Streams is how many keep a connection.
func (d *DB) Streams() int { return int(d.read.streams.count.Load()) }

// Read returns the next rows, up to a number of them and about that many bytes. When there are no
// others done is true, and nothing is kept.
func (s *Stream) Read(rows, bytes int) (list [][]any, done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows == nil {
		return nil, true, s.gone()
	}
	for size := 0; len(list) < rows && size < bytes; {
		if !s.rows.Next() {
			return list, true, s.close()
		}
		values := slices.Clone(s.rows.Values())
		size += sizeOf(values)
		list = append(list, values)
	}
	s.last.Store(time.Now().UnixNano())
	if !s.rows.keep(1) && !s.held { // one more tells whether this was the end
		s.hold()
	}
	if s.rows.inner == nil {
		s.free()
	}
	if len(s.rows.ahead) == 0 && s.rows.inner == nil {
		return list, true, s.close()
	}
	return list, false, nil
}

func (s *Stream) gone() error {
	if s.err != nil {
		return s.err
	}
	return &Error{Code: CodeClosed, Err: fmt.Errorf("the rows were closed before")}
}

// Columns are the names, in order; nil once it is closed.
func (s *Stream) Columns() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows == nil {
		return nil
	}
	return s.rows.Columns()
}

// Close gives the connection back. Reading on fails with err, or with the code closed.
func (s *Stream) Close(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows != nil {
		s.err = err
		s.leave()
	}
}

// leave closes what is not read to its end. What may write is read on, or it would be undone.
func (s *Stream) leave() {
	size := maxDrained
	if s.rows.st.mayWrite() {
		size = math.MaxInt
	}
	if s.rows.pool != nil && s.rows.inner != nil && s.rows.db.engine != SQLite && !s.rows.skip(size) {
		s.cancel() // which closes the connection, and would end a transaction
	}
	_ = s.close()
}

func (s *Stream) close() error {
	err := s.rows.Close()
	s.free()
	s.rows = nil
	s.cancel()
	return err
}

// hold says that the stream keeps a connection.
func (s *Stream) hold() {
	if s.rows.pool == nil || s.rows.inner == nil {
		return
	}
	s.held = true
	of := s.rows.pool.streams
	of.add(s)
	of.limit(s)
}

func (s *Stream) free() {
	if s.held {
		s.held = false
		s.rows.pool.streams.remove(s)
	}
}

// keep reads the rest into memory, if nobody reads the stream at this moment and it is not too
// large. It says whether the connection is free.
func (s *Stream) keep() bool {
	if !s.mu.TryLock() {
		return false
	}
	defer s.mu.Unlock()
	if s.rows == nil || s.large || !s.held {
		return false
	}
	if !s.rows.keep(maxKept) {
		s.large = true
		return false
	}
	s.free()
	return true
}

// revoke takes the connection away.
func (s *Stream) revoke(others int) bool {
	if !s.mu.TryLock() {
		return false
	}
	defer s.mu.Unlock()
	if s.rows == nil || !s.held {
		return false
	}
	s.err = &Error{Code: CodeBusy, Statement: s.rows.st.source, Err: fmt.Errorf(
		"the rows that are gone through at %s lost their connection: %s of the same request, and statements inside, wanted more than there are, and too many rows are left to be kept in memory; go through them in a transaction, together with what runs inside, or page by page, or raise max_open", s.place, count(others, "other result"))}
	s.leave()
	return true
}

// streams are those that keep connections of a database.
type streams struct {
	count atomic.Int64

	mu      sync.Mutex
	held    []*heldStream
	waiting map[any]int // owners that wait for a connection
	busy    bool        // somebody frees one
}

type heldStream struct {
	*Stream
	pool *pool
}

func (all *streams) add(s *Stream) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.held = append(all.held, &heldStream{s, s.rows.pool})
	all.count.Add(1)
}

func (all *streams) remove(s *Stream) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.held = slices.DeleteFunc(all.held, func(h *heldStream) bool { return h.Stream == s })
	all.count.Add(-1)
}

// of returns those of one owner, or of all others, the one that was not read for longest first.
func (all *streams) of(owner any, others bool) []*heldStream {
	all.mu.Lock()
	defer all.mu.Unlock()
	var out []*heldStream
	for _, h := range all.held {
		if (h.owner == owner) != others {
			out = append(out, h)
		}
	}
	slices.SortFunc(out, func(a, b *heldStream) int { return int(a.last.Load() - b.last.Load()) })
	return out
}

// limit keeps the owner of a new stream from keeping more than half of the connections.
func (all *streams) limit(s *Stream) {
	own := all.of(s.owner, false)
	for over := len(own) - max(1, cap(s.rows.pool.slots)/2); over > 0; over-- {
		if !freeOne(own, s) {
			return
		}
	}
}

// freeOne frees the connection of one of a list, but for one.
func freeOne(list []*heldStream, except *Stream) bool {
	for _, h := range list {
		if h.Stream != except && h.keep() {
			return true
		}
	}
	for _, h := range list {
		if h.Stream != except && h.revoke(len(list)-1) {
			return true
		}
	}
	return false
}

// enter notes that an owner waits, until leave is called.
func (all *streams) enter(owner any) (leave func()) {
	if owner == nil {
		return func() {}
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.waiting == nil {
		all.waiting = make(map[any]int)
	}
	all.waiting[owner]++
	return func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		if all.waiting[owner]--; all.waiting[owner] == 0 {
			delete(all.waiting, owner)
		}
	}
}

// relieve looks, beside its caller who waits, for a connection of a pool that can be freed.
func (all *streams) relieve(p *pool, owner any) {
	if all.count.Load() == 0 {
		return
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.busy {
		return
	}
	all.busy = true
	go func() {
		all.relief(p, owner)
		all.mu.Lock()
		all.busy = false
		all.mu.Unlock()
	}()
}

func (all *streams) relief(p *pool, owner any) {
	own := all.of(owner, false)
	for _, h := range own {
		if h.pool == p && h.keep() {
			return
		}
	}
	idle := time.Now().Add(-idleStream).UnixNano()
	for _, h := range all.of(owner, true) {
		if h.pool == p && h.last.Load() < idle && h.keep() {
			return
		}
	}
	if len(own) > 0 && all.stuck(own[0].pool) {
		freeOne(own, nil)
	}
}

// stuck says that all connections of a pool are kept by streams whose owners wait for another.
func (all *streams) stuck(p *pool) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	n := 0
	for _, h := range all.held {
		if h.pool == p && all.waiting[h.owner] > 0 {
			n++
		}
	}
	return n == cap(p.slots) && p.waiting.Load() > 0
}

// sizeOf is about what a row takes, in bytes.
func sizeOf(values []any) int {
	size := 16 * len(values)
	for _, v := range values {
		switch v := v.(type) {
		case string:
			size += len(v)
		case Blob:
			size += len(v)
		case JSON:
			size += len(v)
		}
	}
	return size
}
