package luabind

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/db"
	"rws/server/db/migrate"
)

// migrations are what a script declared for a database.
type migrations struct {
	at   string // of db:migrate
	list []migrate.Migration
	o    migrate.Options
	ran  int              // by this program, when it started
	left []migrate.Status // those that had not run then, and were not to be
}

// migrateOptions are the options of db:migrate.
type migrateOptions struct {
	OutOfOrder bool          `json:"out_of_order"`
	Wait       time.Duration `json:"wait"`
}

// migrationOptions are what a migration of a list may have.
type migrationOptions struct {
	Up   lua.LValue `json:"up"`
	Down lua.LValue `json:"down"`
	Name string     `json:"name"`
	// NoTransaction runs statement by statement.
	NoTransaction bool `json:"no_transaction"`
}

// dbMigrate declares the migrations of a database, a list or a folder, and runs those that
// have not run where the setting migrate says so.
func dbMigrate(L *lua.LState, d *Database) int {
	const name = "db:migrate"
	s := stateOf(L)
	if !s.loading {
		fault.Raisef(L, "late", "%s: migrations are declared while the script loads; this code runs later", name)
	}
	o := bind.Options[migrateOptions](L, name, 3)
	at := fault.Where(L)
	m := &migrations{at: at, list: s.migrationList(L, name, at), o: migrate.Options{OutOfOrder: o.OutOfOrder, Wait: o.Wait}}
	if s.isolate.Number() > 0 {
		return 0 // the first isolate has declared them
	}
	if other := d.source.migrations; other != nil {
		fault.Raisef(L, "late", "%s: the migrations of this database are declared at %s already; put all into one list or folder", name, other.at)
	}
	d.source.migrations = m
	if d.source.pool == nil {
		return 0
	}
	run := vm.Current(L)
	run.SetDeadline(time.Time{}) // migrations take as long as they take
	err := vm.Wait(L, func(ctx context.Context) error { return s.program.settle(ctx, d.source) })
	run.SetDeadline(time.Now().Add(loadLimit))
	if err != nil {
		fault.Raise(L, migrationFault(err))
	}
	return 0
}

// migrationList reads argument 2.
func (s *state) migrationList(L *lua.LState, name, at string) []migrate.Migration {
	switch v := L.Get(2).(type) {
	case lua.LString:
		list, err := s.program.migrationFolder(string(v))
		if err != nil {
			bind.Raise(L, name, bind.Errorf("migration", "%w", err))
		}
		return list
	case *lua.LTable:
		if v.Len() == 0 && hasNames(v) {
			bind.ArgError(L, name, 1, "a list of migrations expected: { [[create table …]], { up = …, down = … } }")
		}
		list := make([]migrate.Migration, 0, v.Len())
		for n := 1; n <= v.Len(); n++ {
			g, err := s.migration(L, n, v.RawGetInt(n), at)
			if err != nil {
				bind.Raise(L, name, bind.Errorf("migration", "migration %d: %w", n, err))
			}
			list = append(list, g)
		}
		return list
	}
	bind.ArgError(L, name, 1, "a list of migrations or the name of a folder expected, got %s", L.Get(2).Type())
	return nil
}

// migrationFolder reads the files of a folder of the app.
func (p *Program) migrationFolder(folder string) ([]migrate.Migration, error) {
	root, below, done, err := p.rooted(folder)
	if err != nil {
		return nil, err
	}
	defer done()
	sub, err := root.OpenRoot(below)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of migrations: %w", err)
	}
	defer sub.Close()
	folder = filepath.ToSlash(filepath.Clean(folder))
	p.depend(folder + "/...")
	list, err := migrate.Folder(sub.FS(), folder)
	for _, g := range list {
		for _, step := range []migrate.Step{g.Up, g.Down} {
			if step.File != "" {
				if text, err := sub.ReadFile(filepath.Base(step.File)); err == nil {
					p.keep(step.File, string(text)) // for excerpts of what fails
				}
			}
		}
	}
	return list, err
}

// migration reads number n of a list: SQL, a function, or a table with up and down.
func (s *state) migration(L *lua.LState, n int, v lua.LValue, at string) (migrate.Migration, error) {
	o := migrationOptions{Up: v}
	if t, ok := v.(*lua.LTable); ok {
		o.Up = nil
		if err := bind.Decode(L, t, &o); err != nil {
			return migrate.Migration{}, err
		}
	}
	g := migrate.Migration{Version: int64(n), Name: o.Name, NoTransaction: o.NoTransaction}
	var err error
	if g.Up, err = s.step(L, o.Up, at); err != nil {
		return g, fmt.Errorf("up: %w", err)
	}
	if g.Down, err = s.step(L, o.Down, at); err != nil {
		return g, fmt.Errorf("down: %w", err)
	}
	if g.Name == "" {
		g.Name = nameOf(g.Up)
	}
	return g, nil
}

// step reads SQL or a function(tx).
func (s *state) step(L *lua.LState, v lua.LValue, at string) (migrate.Step, error) {
	switch v := v.(type) {
	case nil, *lua.LNilType:
		return migrate.Step{}, nil
	case lua.LString:
		file, line := s.program.lineOf(at, string(v))
		return migrate.Step{SQL: string(v), File: file, Line: line}, nil
	case *lua.LFunction:
		if v.IsG {
			return migrate.Step{}, errors.New("a function of the script expected")
		}
		s.migrators = append(s.migrators, v)
		return migrate.Step{Run: s.migrator(vm.NewRef(L, v)), File: v.Proto.SourceName, Line: v.Proto.LineDefined}, nil
	}
	return migrate.Step{}, fmt.Errorf("SQL or a function(tx) expected, got %s", v.Type())
}

// lineOf finds where a text begins in the file of the call, the line of the call if it is not
// there as it is.
func (p *Program) lineOf(at, text string) (file string, line int) {
	file, number, _ := strings.Cut(at, ":")
	_, _ = fmt.Sscanf(number, "%d", &line)
	source, ok := p.Source(file)
	if i := strings.Index(source, text); ok && i >= 0 && !strings.Contains(source[i+1:], text) {
		line = 1 + strings.Count(source[:i], "\n")
	}
	return file, line
}

// firstWords are those that say what a statement makes.
var firstWords = regexp.MustCompile(`(?i)^\s*(\w+)\s+(?:unique\s+)?(\w+)\s+(?:if\s+(?:not\s+)?exists\s+)?["\x60]?(\w+)`)

// nameOf makes a name of the beginning of a migration: "create_table_users".
func nameOf(s migrate.Step) string {
	if m := firstWords.FindStringSubmatch(s.SQL); m != nil {
		return strings.ToLower(m[1] + "_" + m[2] + "_" + m[3])
	}
	if s.Run != nil {
		return fmt.Sprintf("function_at_line_%d", s.Line)
	}
	return "statement"
}

// migrator runs a function of the script as a migration. The lock of the isolate is free: the
// script waits.
func (s *state) migrator(fn *vm.Ref) func(context.Context, db.Querier) error {
	return func(ctx context.Context, q db.Querier) error {
		run := &vm.Run{Context: ctx}
		err := fn.Call(run, func(L *lua.LState) []lua.LValue {
			d := &Database{source: &source{name: "migration", label: "migration", txs: make(map[*vm.Run]int)}, q: q, tx: &transaction{}}
			return []lua.LValue{bind.New(L, txType, d)}
		}, nil)
		if err != nil {
			return asFault(err)
		}
		return nil
	}
}

// settle runs the migrations of a database, or makes sure that they have run, as the setting
// migrate says.
func (p *Program) settle(ctx context.Context, s *source) error {
	m, err := migrate.New(s.pool.DB, s.migrations.list, s.migrations.o)
	if err != nil {
		return err
	}
	m.OnWait(func(atMost time.Duration) {
		p.logger.Info("another instance is migrating; waiting for it", "database", s.name, "at_most", atMost)
	})
	switch use := p.options.Databases; {
	case use == DatabasesPlan || use == DatabasesCheck:
		return p.rehearse(ctx, s)
	case use == DatabasesLive && p.Config.Migrate == migrateNever:
		p.warnOfMigrations(ctx, s, m)
		return nil
	case use == DatabasesLive && p.Config.Migrate == migrateAuto && p.Config.Production():
		return p.mustBeMigrated(ctx, s, m)
	}
	done, err := m.Up(ctx)
	s.migrations.ran = len(done)
	if p.options.Databases == DatabasesLive {
		for _, g := range done {
			p.logger.Info("migrated", "database", s.name, "version", g.Version, "name", g.Name, "took", g.Took.Round(100*time.Microsecond))
		}
	}
	return err
}

// rehearse makes the tables in the temporary database of a script that is only looked at. The
// functions of its migrations are left out: they may do anything, such as write files or call other
// services. What they would have made is missing then, and SQL that fails behind one is no fault.
func (p *Program) rehearse(ctx context.Context, s *source) error {
	if !s.place.isSQLite() {
		return nil
	}
	list := slices.Clone(s.migrations.list)
	for i := range list {
		if list[i].Up.Run != nil {
			s.skipped = true
			list[i].Up.Run = func(context.Context, db.Querier) error { return nil }
		}
	}
	m, err := migrate.New(s.pool.DB, list, s.migrations.o)
	if err != nil {
		return err
	}
	done, err := m.Up(ctx)
	s.migrations.ran = len(done)
	if s.skipped || p.options.Databases == DatabasesPlan {
		return nil
	}
	return err
}

// mustBeMigrated refuses to start an app in production whose tables are not as it wants them.
func (p *Program) mustBeMigrated(ctx context.Context, s *source, m *migrate.Migrator) error {
	left, err := notApplied(ctx, m)
	if err != nil || len(left) == 0 {
		return err
	}
	return &fault.Error{Code: "migration", At: s.migrations.at,
		Message: fmt.Sprintf("db:migrate: %s is not migrated: %s", s.label, strings.Join(listed(left), ", ")),
		Hint:    p.adviceFor(left, m)}
}

// adviceFor says what to do in production about migrations that are not as they should be.
func (p *Program) adviceFor(left []migrate.Status, m *migrate.Migrator) string {
	for _, g := range left {
		if err := m.Refusal(g); err != nil {
			return migrationFault(err).Message
		}
		if g.State == migrate.Running {
			return fmt.Sprintf("migration %d (%s): %s; start when it has ended", g.Version, g.Name, g.Note)
		}
	}
	return fmt.Sprintf("in production migrations run by `rws migrate up %s`; or start with --migrate, or app:config { migrate = true }", p.Main())
}

// migrationFault shows the line of the migration that failed.
func migrationFault(err error) *fault.Error {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		if _, isMigration := errors.AsType[*migrate.Error](err); !isMigration {
			return e
		}
		return e // raised by the function of a migration, with its own place
	}
	out := &fault.Error{Code: "migration", Message: "db:migrate: " + err.Error(), Cause: err}
	if below, ok := dbError(err).(*fault.Error); ok {
		out.Code, out.More = below.Code, below.More
	}
	if e, ok := errors.AsType[*migrate.Error](err); ok {
		out.Message = fmt.Sprintf("migration %d (%s): %s", e.Version, e.Name, e.Err)
		if e.File != "" && e.Line > 0 {
			out.At = fmt.Sprintf("%s:%d", e.File, e.Line)
		}
	}
	return out
}
