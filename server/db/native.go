package db

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"reflect"
	"strings"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// A native is a statement of the SQLite driver whose rows are read from the library itself. The
// driver asks for the names and types of the columns anew at each query: of reading a row by its key,
// those and what goes with them are 15 of 33 allocations (BenchmarkReadOne). It still prepares,
// closes and explains errors. A native is also its rows: it runs once at a time.
type native struct {
	tls      *libc.TLS
	handle   uintptr // sqlite3_stmt*
	stmt     driverStmt
	columns  []string
	types    []string
	forms    []form
	timed    bool  // some values are times, which only the driver understands
	prepares int32 // by SQLite itself, when columns was read

	bound []binding
	first bool // the first row is there and was not asked for
	done  bool
}

// A binding is memory that a parameter points to.
type binding struct {
	place  int32
	memory uintptr
}

// rows runs the statement. Only readers of a SQLite file, whose context is quiet, are native: what
// may wait for a lock needs the driver.
func (p *prepared) rows(ctx context.Context, c *conn, args []driver.NamedValue) (driver.Rows, error) {
	if _, ok := ctx.(quiet); !ok {
		return p.stmt.QueryContext(ctx, args)
	}
	if !p.looked {
		p.native, p.looked = nativeOf(c.driverConn, p.stmt), true
	}
	if p.native == nil {
		return p.stmt.QueryContext(ctx, args)
	}
	rows, err := p.native.query(ctx, args)
	p.broken = p.broken || p.native.handle == 0
	return rows, err
}

// nativeOf finds what the driver keeps to itself, or returns nil where another version of it
// looks different. TestNativeFits says so.
func nativeOf(c driver.Conn, stmt driverStmt) *native {
	handle, tls := fieldOf(stmt, "pstmt"), fieldOf(c, "tls")
	if handle.Kind() != reflect.Uintptr || handle.Uint() == 0 || tls.Type() != reflect.TypeFor[*libc.TLS]() {
		return nil
	}
	n := &native{tls: (*libc.TLS)(tls.UnsafePointer()), handle: uintptr(handle.Uint()), stmt: stmt}
	n.describe()
	return n
}

// fieldOf is a field of the struct that v points to; the zero Value of a string without it.
func fieldOf(v any, name string) reflect.Value {
	s := reflect.Indirect(reflect.ValueOf(v))
	if s.Kind() == reflect.Struct {
		if f := s.FieldByName(name); f.IsValid() {
			return f
		}
	}
	return reflect.ValueOf("")
}

// describe reads the columns.
func (n *native) describe() {
	count := lib.Xsqlite3_column_count(n.tls, n.handle)
	n.columns, n.types, n.forms = make([]string, count), make([]string, count), make([]form, count)
	n.timed = false
	for i := range count {
		n.columns[i] = libc.GoString(lib.Xsqlite3_column_name(n.tls, n.handle, i))
		n.types[i] = strings.ToUpper(libc.GoString(lib.Xsqlite3_column_decltype(n.tls, n.handle, i)))
		n.forms[i] = formSQLite(n.types[i])
		switch n.types[i] {
		case "DATE", "DATETIME", "TIMESTAMP":
			n.timed = true
		}
	}
	n.prepares = n.prepared()
}

// prepared is how often SQLite has prepared the statement again, as after a table was changed.
func (n *native) prepared() int32 {
	return lib.Xsqlite3_stmt_status(n.tls, n.handle, lib.SQLITE_STMTSTATUS_REPREPARE, 0)
}

// query runs the statement up to its first row.
func (n *native) query(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if n.timed || !n.bind(args) {
		return n.stmt.QueryContext(ctx, args)
	}
	n.done = false
	if err := n.step(); err != nil {
		return nil, err
	}
	if n.prepared() != n.prepares {
		n.describe()
		if n.timed {
			_ = n.Close()
			return n.stmt.QueryContext(ctx, args)
		}
	}
	n.first = true
	return n, nil
}

// bind sets the parameters; it reports false, and nothing is bound, when the driver must do it.
func (n *native) bind(args []driver.NamedValue) bool {
	if int(lib.Xsqlite3_bind_parameter_count(n.tls, n.handle)) != len(args) {
		return false
	}
	for i := range args {
		if args[i].Name != "" || n.bindOne(int32(i+1), args[i].Value) != lib.SQLITE_OK {
			n.unbind()
			return false
		}
	}
	return true
}

func (n *native) bindOne(place int32, value any) int32 {
	switch v := value.(type) {
	case nil:
		return lib.Xsqlite3_bind_null(n.tls, n.handle, place)
	case int64:
		return lib.Xsqlite3_bind_int64(n.tls, n.handle, place, v)
	case bool:
		number := int64(0)
		if v {
			number = 1
		}
		return lib.Xsqlite3_bind_int64(n.tls, n.handle, place, number)
	case float64:
		return lib.Xsqlite3_bind_double(n.tls, n.handle, place, v)
	case string:
		memory, err := libc.CString(v)
		if err != nil {
			return lib.SQLITE_NOMEM
		}
		n.bound = append(n.bound, binding{place, memory})
		return lib.Xsqlite3_bind_text(n.tls, n.handle, place, memory, int32(len(v)), 0)
	}
	return lib.SQLITE_MISMATCH
}

// unbind frees the memory of the parameters.
func (n *native) unbind() {
	for _, b := range n.bound {
		if n.handle != 0 {
			lib.Xsqlite3_bind_null(n.tls, n.handle, b.place)
		}
		libc.Xfree(n.tls, b.memory)
	}
	n.bound = n.bound[:0]
}

// step goes to the next row. After a failure the statement is closed, which is when the driver
// says what it was.
func (n *native) step() error {
	switch rc := lib.Xsqlite3_step(n.tls, n.handle); rc {
	case lib.SQLITE_ROW:
		return nil
	case lib.SQLITE_DONE:
		n.done = true
		return nil
	default:
		return n.fail(rc)
	}
}

func (n *native) fail(rc int32) error {
	err := n.stmt.Close()
	n.handle = 0
	n.unbind()
	if err == nil {
		err = fmt.Errorf("SQLite says %d, and not why", rc)
	}
	return err
}

// Columns implements [driver.Rows].
func (n *native) Columns() []string { return n.columns }

// ColumnTypeDatabaseTypeName implements [driver.RowsColumnTypeDatabaseTypeName].
func (n *native) ColumnTypeDatabaseTypeName(i int) string { return n.types[i] }

// Next implements [driver.Rows].
func (n *native) Next(dest []driver.Value) error {
	if !n.first && !n.done {
		if n.handle == 0 {
			return io.EOF
		}
		if err := n.step(); err != nil {
			return err
		}
	}
	n.first = false
	if n.done {
		return io.EOF
	}
	for i := range dest {
		dest[i] = n.value(int32(i))
	}
	return nil
}

// value reads a column as the driver does.
func (n *native) value(i int32) driver.Value {
	switch lib.Xsqlite3_column_type(n.tls, n.handle, i) {
	case lib.SQLITE_INTEGER:
		return lib.Xsqlite3_column_int64(n.tls, n.handle, i)
	case lib.SQLITE_FLOAT:
		return lib.Xsqlite3_column_double(n.tls, n.handle, i)
	case lib.SQLITE_TEXT:
		return string(n.bytes(lib.Xsqlite3_column_text(n.tls, n.handle, i), i))
	case lib.SQLITE_BLOB:
		return append([]byte(nil), n.bytes(lib.Xsqlite3_column_blob(n.tls, n.handle, i), i)...)
	}
	return nil
}

// bytes is the memory of a value at p, valid until the next step.
func (n *native) bytes(p uintptr, i int32) []byte {
	size := lib.Xsqlite3_column_bytes(n.tls, n.handle, i)
	if p == 0 || size <= 0 {
		return nil
	}
	return libc.GoBytes(p, int(size))
}

// Close implements [driver.Rows]: the statement can run again.
func (n *native) Close() error {
	if n.handle == 0 {
		return nil
	}
	lib.Xsqlite3_reset(n.tls, n.handle)
	n.unbind()
	return nil
}
