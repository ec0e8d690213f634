package luabind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/db"
)

const (
	dbType = "rws.Db"
	txType = "rws.Tx"
)

// A source is a database of a program; all its isolates share it.
type source struct {
	name       string
	label      string
	at         string // of app:db
	place      place  // that the script named
	options    db.Options
	pool       *pooled      // nil when refused
	refused    error        // why it can't be used
	drop       func() error // removes what was made for a test
	migrations *migrations  // nil without
	skipped    bool         // functions of migrations did not run

	mu  sync.Mutex
	txs map[*vm.Run]int // open transactions
}

// databases are the sources of a program, in the order of the script.
type databases struct {
	mu      sync.Mutex
	list    []*source
	scratch scratch
}

// A Database is what app:db returns, and what the function of db:tx gets.
type Database struct {
	source  *source
	q       db.Querier    // the pool, or a transaction
	null    bool          // NULL is rws.null
	timeout time.Duration // of a statement; 0 is that of the run
	tx      *transaction  // nil outside
}

// as is how scripts usually call it.
func (d *Database) as() string {
	if d.tx != nil {
		return "tx"
	}
	return "db"
}

// dbOptions are the options of app:db.
type dbOptions struct {
	Name     string        `json:"name"`
	MaxOpen  int           `json:"max_open"`
	MaxIdle  int           `json:"max_idle"`
	Lifetime time.Duration `json:"lifetime"`
	IdleTime time.Duration `json:"idle_time"`
	Wait     time.Duration `json:"wait"`
	Timeout  time.Duration `json:"timeout"`
	Null     lua.LValue    `json:"null"`
	ReadOnly bool          `json:"read_only"`
	Test     string        `json:"test"`
}

// engine returns what the options say to the engine.
func (o dbOptions) engine() (db.Options, error) {
	for name, n := range map[string]int{"max_open": o.MaxOpen, "max_idle": o.MaxIdle} {
		if n < 0 || n > 10_000 {
			return db.Options{}, fmt.Errorf("option %q: a number from 1 to 10000 expected, got %d", name, n)
		}
	}
	return db.Options{MaxOpen: o.MaxOpen, MaxIdle: o.MaxIdle, MaxLifetime: o.Lifetime, MaxIdleTime: o.IdleTime, Wait: o.Wait, ReadOnly: o.ReadOnly}, nil
}

// nulls reports whether NULL is rws.null rather than nil.
func (o dbOptions) nulls(L *lua.LState) (bool, error) {
	switch {
	case o.Null == nil, o.Null == lua.LString("nil"):
		return false, nil
	case bind.IsNull(L, o.Null), o.Null == lua.LString("rws.null"):
		return true, nil
	}
	return false, errors.New(`option "null": "nil" or "rws.null" expected: what NULL is in a row`)
}

// appDB is app:db. It opens a database, or finds the one that is open.
func appDB(L *lua.LState, a *App) int {
	const name = "app:db"
	url := bind.Arg[string](L, name, 2)
	o := bind.Options[dbOptions](L, name, 3)
	engine, err := o.engine()
	nulls, badNull := o.nulls(L)
	if err = errors.Join(err, badNull); err != nil {
		fault.Raise(L, &fault.Error{Code: "option", Message: name + ": " + err.Error()})
	}
	p, at := a.state.program, fault.Where(L)
	s := p.database(url, o, engine)
	if s == nil {
		vm.Writes(L) // opening may make a file
		err := vm.Wait(L, func(ctx context.Context) (err error) {
			s, err = p.openDatabase(ctx, url, at, o, engine)
			return err
		})
		if err != nil {
			bind.Raise(L, name, dbError(err))
		}
	}
	L.Push(bind.New(L, dbType, s.handle(nulls, o.Timeout)))
	return 1
}

func (s *source) handle(nulls bool, timeout time.Duration) *Database {
	d := &Database{source: s, null: nulls, timeout: timeout}
	if s.pool != nil {
		d.q = s.pool.DB
	}
	return d
}

// database finds a source that is open.
func (p *Program) database(url string, o dbOptions, engine db.Options) *source {
	p.databases.mu.Lock()
	defer p.databases.mu.Unlock()
	return p.databases.find(p.placeOf(url), o.Name, engine)
}

// find is database, with the lock held.
func (d *databases) find(pl place, name string, engine db.Options) *source {
	for _, s := range d.list {
		if s.place.url == pl.url && s.options == engine && (name == "" || name == s.name) {
			return s
		}
	}
	return nil
}

// openDatabase adds a source to the program.
func (p *Program) openDatabase(ctx context.Context, url, at string, o dbOptions, engine db.Options) (*source, error) {
	s := &source{place: p.placeOf(url), at: at, options: engine, txs: make(map[*vm.Run]int)}
	s.label = s.place.label(p.dir)
	p.databases.mu.Lock()
	defer p.databases.mu.Unlock()
	if open := p.databases.find(s.place, o.Name, engine); open != nil {
		return open, nil // by another run, meanwhile
	}
	if err := s.setName(o.Name, p.databases.list); err != nil {
		return nil, err
	}
	if err := s.open(ctx, p, o.Test); err != nil {
		return nil, err
	}
	p.databases.list = append(p.databases.list, s)
	return s, nil
}

// setName makes sure that commands can tell databases apart.
func (s *source) setName(name string, others []*source) error {
	taken := func(name string) int {
		return slices.IndexFunc(others, func(o *source) bool { return o.name == name })
	}
	if name != "" {
		if i := taken(name); i >= 0 {
			return bind.Errorf("option", "option \"name\": the database of %s is called %q too", others[i].at, name)
		}
		s.name = name
		return nil
	}
	s.name = s.place.name()
	for n := 2; taken(s.name) >= 0; n++ {
		s.name = fmt.Sprintf("%s_%d", s.place.name(), n)
	}
	return nil
}

// open opens what the program's way of use asks for.
func (s *source) open(ctx context.Context, p *Program, test string) (err error) {
	key := poolKey{url: s.place.url, name: s.name, options: s.options}
	use := p.options.Databases
	switch {
	case use == DatabasesLive:
		if err := s.makeFolder(p); err != nil {
			return err
		}
	case s.place.isSQLite():
		key.options.ReadOnly = false
		if key.url, err = p.databases.scratch.file(s.place); err != nil {
			return err
		}
	case use == DatabasesTest && test == "":
		s.refused = bind.Errorf("test", "tests don't touch %s: give app:db the option test, the URL of a database that tests may use", s.label)
		return nil
	case use == DatabasesTest:
		if key.url, s.drop, err = p.testDatabase(ctx, test); err != nil {
			return err
		}
	}
	s.pool, err = p.pools.acquire(key)
	return err
}

// makeFolder makes the folder of a SQLite file in the app's.
func (s *source) makeFolder(p *Program) error {
	if s.place.path == "" || !filepath.IsLocal(relative(p.dir, s.place.path)) || s.options.ReadOnly {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(s.place.path), 0o755); err != nil {
		return fmt.Errorf("making the folder of %s: %w", s.label, err)
	}
	return nil
}

// relative is filepath.Rel, "" when there is no way.
func relative(dir, path string) string {
	below, _ := filepath.Rel(dir, path)
	return below
}

// usable raises when the database can't be used in this way of running.
func (d *Database) usable(L *lua.LState, method string) {
	if d.source.refused != nil {
		bind.Raise(L, d.as()+":"+method, d.source.refused)
	}
}

// wait calls f with the isolate's lock released, for at most the timeout of a statement, and
// raises its error.
func (d *Database) wait(L *lua.LState, method string, f func(ctx context.Context) error) {
	d.waitLong(L, method, func(ctx context.Context) error {
		if d.timeout > 0 {
			limited, cancel := context.WithTimeout(ctx, d.timeout)
			defer cancel()
			ctx = limited
		}
		return f(ctx)
	})
}

// waitLong is wait for what may stay open after the call.
func (d *Database) waitLong(L *lua.LState, method string, f func(ctx context.Context) error) {
	d.usable(L, method)
	owner := vm.Current(L)
	var failed error
	err := vm.Wait(L, func(ctx context.Context) error {
		if p := d.source.pool; p != nil && p.Streams() > 0 {
			ctx = db.WithOwner(ctx, owner)
		}
		if d.tx != nil { // one statement at a time
			d.tx.mu.Lock()
			defer d.tx.mu.Unlock()
		}
		failed = f(ctx)
		return failed
	})
	if err != nil {
		bind.Raise(L, d.as()+":"+method, d.source.explain(endError(err, failed)))
	}
}

// explain says why something may be missing in a temporary database.
func (s *source) explain(err error) error {
	if e, ok := err.(*fault.Error); ok && s.skipped && e.Hint == "" {
		e.Hint = "this command loads the script on an empty database, on which migrations that are functions do not run: ask for what they make in a handler, or in app:on(\"start\")"
	}
	return err
}

// endError is dbError for the end of a run, err, that a statement met, failed.
func endError(err, failed error) error {
	ended := errors.Is(err, vm.ErrDeadline) || errors.Is(err, vm.ErrStopped) || errors.Is(err, context.Canceled)
	if _, ok := errors.AsType[*db.Error](err); ok || !ended {
		return dbError(err)
	}
	out, ok := dbError(failed).(*fault.Error)
	if !ok {
		return err
	}
	out.Cause, out.Status = err, 0
	return out
}

// statuses are what a request that ends with such an error is answered.
var statuses = map[db.Code]int{
	db.CodeConnection: 503, db.CodeBusy: 503, db.CodeCursor: 400, db.CodePage: 400,
}

// dbError gives scripts what the engine knows about an error.
func dbError(err error) error {
	e, ok := errors.AsType[*db.Error](err)
	if !ok {
		return err
	}
	out := &fault.Error{Code: string(e.Code), Message: err.Error(), Status: statuses[e.Code], Cause: err, More: make(map[string]string)}
	for name, text := range map[string]string{
		"statement": e.Statement, "constraint": e.Constraint, "table": e.Table, "column": e.Column, "state": e.State,
	} {
		if text != "" {
			out.More[name] = text
		}
	}
	if e.State == "22P02" && strings.Contains(e.Err.Error(), "malformed array literal") {
		out.Hint = "an array is given as a list, tags = { 1, 2 }; text, and a table with names, which is stored as JSON, are none"
	}
	if e.Code == db.CodeTimeout && !errors.Is(err, vm.ErrDeadline) {
		out.Status = 504
	}
	return out
}
