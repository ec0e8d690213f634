package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"time"
)

// readers are the connections of a SQLite file that only read. The pool of database/sql before
// them took a sixth of the time of reading a row by its key, by the profile of BenchmarkDatabase.
// Transactions still go through it; it borrows its connections here, so that there is one bound
// and one place for all. The gate of the [pool] lets no more in than may be open.
type readers struct {
	connector driver.Connector
	keep      int           // how many wait for work
	lifetime  time.Duration // 0: no limit
	idleTime  time.Duration // 0: no limit

	mu     sync.Mutex
	idle   []*reader // the one that was used last is at the end
	open   int
	closed bool
	sweep  *time.Timer // nil until one may grow too old
}

// A reader is a connection of readers.
type reader struct {
	*conn
	opened time.Time
	used   time.Time // put back
}

// newReaders returns a pool over readers, and the readers.
func newReaders(connector driver.Connector, o Options) *pool {
	o = o.withDefaults()
	s := &readers{connector: connector, keep: o.MaxIdle, lifetime: limitOf(o.MaxLifetime), idleTime: limitOf(o.MaxIdleTime)}
	p := newPool(sql.OpenDB(lender{s}), o)
	p.db.SetMaxIdleConns(-1)
	p.readers = s
	return p
}

// limitOf is 0 for what is no limit.
func limitOf(d time.Duration) time.Duration {
	if d >= forever {
		return 0
	}
	return d
}

// take returns a connection, which must be put back.
func (s *readers) take(ctx context.Context) (*reader, error) {
	for {
		r, err := s.pop()
		if err != nil {
			return nil, err
		}
		if r == nil {
			return s.connect(ctx)
		}
		if !s.old(r) && r.ResetSession(ctx) == nil {
			return r, nil
		}
		_ = s.drop(r)
	}
}

// pop returns a connection that waits for work; nil when none does.
func (s *readers) pop() (*reader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errReadersClosed
	}
	last := len(s.idle) - 1
	if last < 0 {
		return nil, nil
	}
	r := s.idle[last]
	s.idle[last] = nil
	s.idle = s.idle[:last]
	return r, nil
}

var errReadersClosed = &Error{Code: CodeClosed, Err: errors.New("the database is closed")}

func (s *readers) connect(ctx context.Context) (*reader, error) {
	s.mu.Lock()
	s.open++
	s.mu.Unlock()
	c, err := s.connector.Connect(ctx)
	if err != nil {
		s.mu.Lock()
		s.open--
		s.mu.Unlock()
		return nil, err
	}
	return &reader{conn: c.(*conn), opened: time.Now()}, nil
}

// put gives a connection back.
func (s *readers) put(r *reader) error {
	if s.idleTime > 0 {
		r.used = time.Now()
	}
	keep := r.IsValid()
	s.mu.Lock()
	if keep = keep && !s.closed && len(s.idle) < s.keep; keep {
		s.idle = append(s.idle, r)
		s.schedule()
	}
	s.mu.Unlock()
	if keep {
		return nil
	}
	return s.drop(r)
}

func (s *readers) drop(r *reader) error {
	s.mu.Lock()
	s.open--
	s.mu.Unlock()
	return r.Close()
}

// old says whether a connection has reached one of its limits.
func (s *readers) old(r *reader) bool {
	return s.lifetime > 0 && time.Since(r.opened) > s.lifetime || s.idleTime > 0 && time.Since(r.used) > s.idleTime
}

// schedule sees to it that connections which nobody asks for are closed in time; mu is held.
func (s *readers) schedule() {
	limit := s.idleTime
	if limit == 0 || s.lifetime > 0 && s.lifetime < limit {
		limit = s.lifetime
	}
	if limit > 0 && s.sweep == nil {
		s.sweep = time.AfterFunc(limit, s.clean)
	}
}

// clean closes the connections that are too old.
func (s *readers) clean() {
	s.mu.Lock()
	var olds []*reader
	kept := s.idle[:0]
	for _, r := range s.idle {
		if s.old(r) {
			olds = append(olds, r)
		} else {
			kept = append(kept, r)
		}
	}
	clear(s.idle[len(kept):])
	s.idle, s.sweep = kept, nil
	if len(kept) > 0 && !s.closed {
		s.schedule()
	}
	s.mu.Unlock()
	for _, r := range olds {
		_ = s.drop(r)
	}
}

// close closes the connections; those in use when they are put back.
func (s *readers) close() error {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	if s.sweep != nil {
		s.sweep.Stop()
	}
	s.mu.Unlock()
	var errs []error
	for _, r := range idle {
		errs = append(errs, s.drop(r))
	}
	return errors.Join(errs...)
}

// count returns how many connections there are, and how many of them wait for work.
func (s *readers) count() (open, idle int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open, len(s.idle)
}

// A lender is the connector of a database/sql pool that has no connections of its own.
type lender struct{ readers *readers }

func (l lender) Driver() driver.Driver { return l.readers.connector.Driver() }

func (l lender) Connect(ctx context.Context) (driver.Conn, error) {
	r, err := l.readers.take(ctx)
	if err != nil {
		return nil, err
	}
	return &lent{reader: r, readers: l.readers}, nil
}

// lent is a connection that goes back when database/sql closes it.
type lent struct {
	*reader
	readers *readers
	once    sync.Once
}

func (l *lent) Close() (err error) {
	l.once.Do(func() { err = l.readers.put(l.reader) })
	return err
}
