package db

import (
	"context"
	"database/sql/driver"
	"reflect"
	"sync"

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

// A watch interrupts a connection when a context ends, from the second row on. It costs
// nothing where only one row is read.
type watch struct {
	of    *interrupter
	began bool
	stop  func() bool
	ended chan struct{} // closed when the interrupt has been given
}

func (w *watch) next(ctx context.Context) {
	if w.began && w.stop == nil && ctx.Done() != nil {
		w.ended = make(chan struct{})
		w.stop = context.AfterFunc(ctx, func() {
			defer close(w.ended)
			w.of.interrupt()
		})
	}
	w.began = true
}

// end waits for an interrupt on its way: it must not hit the next statement.
func (w *watch) end() {
	if w.stop != nil && !w.stop() {
		<-w.ended
	}
	w.stop = nil
}
