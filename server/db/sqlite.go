package db

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// sqliteOptions of the URL. mode is rwc (default: make the file when it is missing), rw or ro.
// cache_size is in KiB for each connection, default 8192.
//
// synchronous says what survives. With normal, the default, every transaction that was
// committed survives the end of the process, in whatever way, because it was handed to the
// operating system; when the machine loses power or crashes, the last ones may be lost, and
// the file is not damaged. With full each commit waits for the disk and survives that, too.
var sqliteOptions = []string{"mode", "busy_timeout", "synchronous", "cache_size", "foreign_keys"}

// memories numbers the databases in memory, each of which has a name.
var memories atomic.Int64

func openSQLite(a *address, o Options) (*DB, error) {
	if err := a.check(sqliteOptions); err != nil {
		return nil, err
	}
	readers := orDefault(o.MaxOpen, defaultReaders())
	o = sqlitePool(o)
	settings, err := sqliteSettings(a, &o)
	if err != nil {
		return nil, err
	}
	d := &DB{engine: SQLite, name: a.redacted(), buffered: a.rest == ":memory:"}
	if !d.buffered { // connections are opened later, too, when the folder may be another
		if d.path, err = filepath.Abs(a.rest); err != nil {
			return nil, err
		}
	}
	file := sqliteFile(d.path, strings.ToLower(a.query.Get("mode")), o.ReadOnly)
	o.MaxOpen, o.MaxIdle = 1, 1
	d.write = newSQLitePool(file, settings, "immediate", o)
	d.write.hint = "SQLite has one writer; a transaction that stays open, or a statement of the database instead of the transaction inside one, keeps it"
	if err := d.prepareSQLite(); err != nil {
		_ = d.write.close()
		return nil, err
	}
	o.MaxOpen, o.MaxIdle = readers, readers
	if reading := append(slices.Clone(settings), "query_only(1)"); d.buffered {
		d.read = newSQLitePool(file, reading, "deferred", o)
	} else {
		d.read = newReaders(sqliteConnectorOf(file, reading, "deferred"), o)
	}
	d.read.streams = d.write.streams
	d.copier = func() *sql.DB { return sqlitePoolOf(file, settings, "deferred") }
	return d, nil
}

// forever is how long a connection may live that need not be closed.
const forever = 100 * 365 * 24 * time.Hour

// sqlitePool: connections to a file cost nothing to keep, and closing them loses their caches.
func sqlitePool(o Options) Options {
	o.MaxLifetime, o.MaxIdleTime = orDefault(o.MaxLifetime, forever), orDefault(o.MaxIdleTime, forever)
	return o.withDefaults()
}

// sqliteSettings are the pragmas of each connection.
func sqliteSettings(a *address, o *Options) ([]string, error) {
	mode, err := a.choice("mode", "rwc", "rw", "ro")
	if err != nil {
		return nil, err
	}
	o.ReadOnly = o.ReadOnly || mode == "ro"
	synchronous, err := a.choice("synchronous", "normal", "full", "extra", "off")
	if err != nil {
		return nil, err
	}
	keys, err := a.choice("foreign_keys", "on", "off")
	if err != nil {
		return nil, err
	}
	cache := 8192 // KiB
	if a.query.Has("cache_size") {
		cache = 0
		if err := a.number("cache_size", &cache); err != nil {
			return nil, err
		}
	}
	settings := []string{
		fmt.Sprintf("busy_timeout(%d)", o.BusyTimeout.Milliseconds()), "foreign_keys(" + keys + ")", "temp_store(memory)",
	}
	if a.rest == ":memory:" { // the rest means nothing there, and would wait for a transaction
		return settings, nil
	}
	if !o.ReadOnly {
		settings = append(settings, "journal_mode(wal)", "journal_size_limit(67108864)")
	}
	return append(settings, "synchronous("+synchronous+")", fmt.Sprintf("cache_size(-%d)", cache)), nil
}

// sqliteFile is the name that SQLite opens; without a path it is in memory.
func sqliteFile(path, mode string, readOnly bool) string {
	query := url.Values{}
	if path == "" {
		path = fmt.Sprintf("/rws-%d", memories.Add(1))
		query.Set("vfs", "memdb") // one database for all connections that know its name
	}
	if readOnly {
		mode = "ro"
	}
	if mode != "" {
		query.Set("mode", mode)
	}
	path = filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" { // file:///C:/app.db
		path = "///" + path
	}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}
	return u.String()
}

func newSQLitePool(file string, settings []string, lock string, o Options) *pool {
	return newPool(sqlitePoolOf(file, settings, lock), o)
}

func sqlitePoolOf(file string, settings []string, lock string) *sql.DB {
	return sql.OpenDB(sqliteConnectorOf(file, settings, lock))
}

func sqliteConnectorOf(file string, settings []string, lock string) connector {
	query := url.Values{"_pragma": settings, "_txlock": {lock}, "_dqs": {"0"}}
	separator := "?"
	if strings.Contains(file, "?") {
		separator = "&"
	}
	return connector{engine: SQLite, inner: sqliteConnector{file + separator + query.Encode()}}
}

// prepareSQLite opens the writer, which creates the file. In memory a connection of its own
// keeps the database alive.
func (d *DB) prepareSQLite() error {
	ctx, cancel := context.WithTimeout(context.Background(), d.write.wait)
	defer cancel()
	if err := d.write.db.PingContext(ctx); err != nil {
		return d.explain(ctx, "", err)
	}
	if !d.buffered {
		d.atClose = append(d.atClose, d.checkpoint)
		return nil
	}
	d.write.db.SetMaxOpenConns(2)
	anchor, err := d.write.db.Conn(ctx)
	if err != nil {
		return d.explain(ctx, "", err)
	}
	d.atClose = append(d.atClose, anchor.Close)
	return nil
}

// checkpoint moves the log into the file, so that the file alone is the database. It does not wait for
// another process that writes, or reads what is in the log: that one has the file open, and does the
// same when it ends.
func (d *DB) checkpoint() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := d.write.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, "pragma busy_timeout = 0"); err != nil {
		return err
	}
	var busy, log, moved int
	err = c.QueryRowContext(ctx, "pragma wal_checkpoint(truncate)").Scan(&busy, &log, &moved)
	switch CodeOf(d.explain(ctx, "", err)) {
	case CodeReadOnly, CodeBusy:
		return nil
	}
	return err
}

// Checkpoint moves what is in the write-ahead log into the file. SQLite does it by itself; a
// copy of the file alone needs it.
func (d *DB) Checkpoint(ctx context.Context) error {
	if d.engine != SQLite || d.buffered {
		return nil
	}
	_, err := d.Exec(ctx, "pragma wal_checkpoint(truncate)")
	return err
}
