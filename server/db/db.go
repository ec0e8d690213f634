// Package db speaks to SQLite, Postgres and MySQL or MariaDB in one way.
//
// A database is opened by a URL. Parameters are written ? or :name on every engine and are
// never put into the text. Values come out as few Go types: nil, bool, int64, float64, string
// (also decimals, exact), [Blob], [JSON], time.Time in UTC, and []any for arrays. Failures are
// *[Error] with the same codes everywhere. [DB] and [Tx] share one interface, [Querier].
//
// It stands on database/sql and on modernc.org/sqlite, jackc/pgx and go-sql-driver/mysql.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// Options of a database. What is zero here may be given in the URL under the name in
// parentheses; what is given nowhere has the default.
type Options struct {
	// MaxOpen connections (max_open): default 10; of a SQLite file the readers, beside the one
	// writer: default 2 for each CPU, at least 4.
	MaxOpen int
	// MaxIdle connections are kept (max_idle): default all.
	MaxIdle int
	// MaxLifetime of a connection (max_lifetime): default 1 h; SQLite: no limit.
	MaxLifetime time.Duration
	// MaxIdleTime of a connection (max_idle_time): default 5 min; SQLite: no limit.
	MaxIdleTime time.Duration
	// Wait for a free connection (wait): default 30 s. Then the error is busy.
	Wait time.Duration
	// BusyTimeout of SQLite for a lock of another process (busy_timeout): default 10 s.
	BusyTimeout time.Duration
	// ReadOnly refuses writes: SQLite opens the file so (mode=ro), servers begin each session so.
	ReadOnly bool
}

// DB is an open database. Safe for concurrent use; made by [Open].
type DB struct {
	engine Engine
	name   string
	path   string // of a SQLite file; "" in memory
	// read and write are one pool, but for SQLite.
	read, write *pool
	// buffered reads all rows of a result at once, so that no lock is held between them:
	// for SQLite in memory, where a reader keeps a writer from committing.
	buffered   bool
	statements statementCache
	keys       keyCache
	closed     atomic.Bool
	atClose    []func() error
	copier     func() *sql.DB // of SQLite: a connection for a backup
}

// Open opens a database: "sqlite:app.db", "sqlite::memory:", "postgres://user:password@host/name",
// "mysql://user:password@host/name" (or mariadb://), with options after a question mark. SQLite
// opens its file at once and creates it when it is missing; servers are connected to when they
// are first asked. The error is an *[Error] and never shows the URL.
func Open(url string, o Options) (*DB, error) {
	a, err := parseURL(url)
	if err != nil {
		return nil, &Error{Code: CodeURL, Err: err}
	}
	if err := a.pool(&o); err != nil {
		return nil, &Error{Code: CodeURL, Err: fmt.Errorf("opening %s: %w", a.redacted(), err)}
	}
	open := map[Engine]func(*address, Options) (*DB, error){SQLite: openSQLite, Postgres: openPostgres, MySQL: openMySQL}
	d, err := open[a.engine](a, o)
	if err == nil {
		return d, nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		e.Err = fmt.Errorf("opening %s: %w", a.redacted(), e.Err)
		return nil, e
	}
	return nil, &Error{Code: CodeURL, Err: fmt.Errorf("opening %s: %w", a.redacted(), err)}
}

// Engine says what kind of database it is.
func (d *DB) Engine() Engine { return d.engine }

// String is the URL without password and options.
func (d *DB) String() string { return d.name }

// Ping asks the database for an answer.
func (d *DB) Ping(ctx context.Context) error {
	rows, err := d.Query(ctx, "select 1")
	if err != nil {
		return err
	}
	return rows.Close()
}

// Close waits for the statements under way and closes all connections. Of SQLite it moves what
// is in the write-ahead log into the file. Closing again does nothing.
func (d *DB) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	var errs []error
	if d.read != d.write {
		errs = append(errs, d.read.close())
	}
	for _, f := range d.atClose {
		errs = append(errs, f())
	}
	errs = append(errs, d.write.close())
	if err := errors.Join(errs...); err != nil {
		return &Error{Code: CodeOther, Err: fmt.Errorf("closing %s: %w", d.name, err)}
	}
	return nil
}

// Stats of a pool of connections.
type Stats struct {
	Role     string        // "all", or of SQLite "readers" and "writer"
	Max      int           // connections at most
	Open     int           // connections
	InUse    int           // of them with a statement or transaction
	Idle     int           // of them
	Waiting  int           // callers that wait for one now
	Waits    int64         // callers that had to wait so far
	WaitTime time.Duration // that they waited in all
}

// Stats of the pools.
func (d *DB) Stats() []Stats {
	if d.read == d.write {
		return []Stats{d.read.stats("all")}
	}
	return []Stats{d.read.stats("readers"), d.write.stats("writer")}
}

// SQL returns the pool itself, for libraries that want a database/sql. Of SQLite it is the one
// writer: every connection taken from it keeps all other writers waiting.
func (d *DB) SQL() *sql.DB { return d.write.db }

func (o Options) withDefaults() Options {
	o.MaxOpen = orDefault(o.MaxOpen, 10)
	o.MaxIdle = orDefault(o.MaxIdle, o.MaxOpen)
	o.MaxLifetime = orDefault(o.MaxLifetime, time.Hour)
	o.MaxIdleTime = orDefault(o.MaxIdleTime, 5*time.Minute)
	o.Wait = orDefault(o.Wait, 30*time.Second)
	o.BusyTimeout = orDefault(o.BusyTimeout, 10*time.Second)
	return o
}

func orDefault[T comparable](v, standard T) T {
	var zero T
	if v == zero {
		return standard
	}
	return v
}

func defaultReaders() int { return max(4, 2*runtime.GOMAXPROCS(0)) }
