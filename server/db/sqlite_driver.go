package db

import (
	"context"
	"database/sql/driver"
	"reflect"
	"sync"
	"time"

	"modernc.org/libc"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

type sqliteConnector struct{ dsn string }

func (c sqliteConnector) Driver() driver.Driver { return &sqlite.Driver{} }

func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := sqlite.NewConnector(c.dsn)
	if err != nil {
		return nil, err
	}
	if q, ok := ctx.(quiet); ok {
		ctx = q.caller
	}
	return inner.Connect(ctx)
}

// interrupter stops what a SQLite connection does. The driver does so when a context ends, but
// only until the first row is there: a query whose second row takes an hour could not be
// stopped.
type interrupter struct {
	mu     sync.Mutex
	handle uintptr // sqlite3*, which the driver keeps to itself; 0 when closed
}

// newInterrupter reads the handle; the zero interrupter of an unknown driver does nothing.
func newInterrupter(conn driver.Conn) *interrupter {
	v := reflect.Indirect(reflect.ValueOf(conn))
	if v.Kind() != reflect.Struct {
		return &interrupter{}
	}
	if f := v.FieldByName("db"); f.Kind() == reflect.Uintptr {
		return &interrupter{handle: uintptr(f.Uint())}
	}
	return &interrupter{}
}

// close must be called before the connection is closed.
func (i *interrupter) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.handle = 0
}

// autocommit says that no transaction is open.
func (i *interrupter) autocommit() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.handle == 0 {
		return true
	}
	tls := libc.NewTLS()
	defer tls.Close()
	return lib.Xsqlite3_get_autocommit(tls, i.handle) != 0
}

// interrupt may be called from any goroutine.
func (i *interrupter) interrupt() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.handle == 0 {
		return
	}
	tls := libc.NewTLS()
	defer tls.Close()
	lib.Xsqlite3_interrupt(tls, i.handle)
}

// A watch interrupts a connection when a context ends. It starts no goroutine until then.
type watch struct {
	mu    sync.Mutex
	ended bool
	stop  func() bool // nil when it was not started
}

// afterFunc is [context.AfterFunc], which asks for ctx.Done even where ctx has an AfterFunc of its
// own; that of the server gets ready to tell when the client hangs up.
func afterFunc(ctx context.Context, f func()) (stop func() bool) {
	if c, ok := ctx.(interface{ AfterFunc(func()) func() bool }); ok {
		return c.AfterFunc(f)
	}
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, f)
}

// repeatInterrupt is how often a connection is interrupted again: SQLite forgets an interrupt
// that comes just before a statement begins.
const repeatInterrupt = 2 * time.Millisecond

func (w *watch) start(ctx context.Context, of *interrupter) {
	w.stop = afterFunc(ctx, func() {
		for w.interrupt(of) {
			time.Sleep(repeatInterrupt)
		}
	})
}

func (w *watch) interrupt(of *interrupter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		of.interrupt()
	}
	return !w.ended
}

// end makes sure that no interrupt comes any more: it would hit the next statement.
func (w *watch) end() {
	if w.stop == nil || w.stop() {
		return
	}
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
}

// quiet hides from database/sql and the driver that a context can end: each of them would
// start a goroutine for that, which takes longer than reading a row. The connection watches
// the caller's context itself. Only readers of a SQLite file are run so: what waits for a
// lock, as writers do, needs the driver's own watch.
type quiet struct{ caller context.Context }

func (q quiet) Deadline() (time.Time, bool) { return time.Time{}, false }
func (q quiet) Done() <-chan struct{}       { return nil }
func (q quiet) Err() error                  { return nil }
func (q quiet) Value(key any) any           { return q.caller.Value(key) }
