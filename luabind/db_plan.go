package luabind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"rws/server/db"
	"rws/server/db/migrate"
)

// Values of the setting migrate.
const (
	migrateAuto   = "auto"
	migrateAlways = "true"
	migrateNever  = "false"
)

func readMigrate(c *Config, text string) error {
	switch strings.ToLower(text) {
	case "auto":
		c.Migrate = migrateAuto
	case "true", "on", "yes", "1":
		c.Migrate = migrateAlways
	case "false", "off", "no", "0":
		c.Migrate = migrateNever
	default:
		return fmt.Errorf("%q is none of auto, true, false", text)
	}
	return nil
}

// A DatabaseInfo is a database of a program, for listings.
type DatabaseInfo struct {
	Name       string // that commands take
	Label      string // for people: "sqlite notes.db"
	At         string // of app:db
	Migrations int    // that the script declares
	Ran        int    // of them, when this program started
	Pending    int    // of them, that had not run then, or were running elsewhere, and were not to be (migrate=false)
	Dirty      int    // of them, that had failed half way
	Changed    int    // that were changed after they had run, or are missing
	Declared   bool   // db:migrate was called
}

// Databases lists the databases of the program, in the order of the script.
func (p *Program) Databases() []DatabaseInfo {
	p.databases.mu.Lock()
	defer p.databases.mu.Unlock()
	var list []DatabaseInfo
	for _, s := range p.databases.list {
		info := DatabaseInfo{Name: s.name, Label: s.label, At: s.at, Declared: s.migrations != nil}
		if s.migrations != nil {
			info.Migrations, info.Ran = len(s.migrations.list), s.migrations.ran
			for _, g := range s.migrations.left {
				switch g.State {
				case migrate.Dirty:
					info.Dirty++
				case migrate.Pending, migrate.OutOfOrder, migrate.Running:
					info.Pending++
				case migrate.Changed, migrate.Missing:
					info.Changed++
				}
			}
		}
		list = append(list, info)
	}
	return list
}

// source finds a database by its name.
func (p *Program) source(name string) (*source, error) {
	p.databases.mu.Lock()
	defer p.databases.mu.Unlock()
	var names []string
	for _, s := range p.databases.list {
		if s.name == name {
			return s, nil
		}
		names = append(names, s.name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("there is no database %q: the script opens none", name)
	}
	return nil, fmt.Errorf("there is no database %q%s; there are %s", name, didYouMean(name, names), strings.Join(names, ", "))
}

// Migrator returns what runs the migrations of a database, on the database that the script
// names, whatever this program was loaded for. The caller calls done.
func (p *Program) Migrator(name string) (m *migrate.Migrator, done func() error, err error) {
	s, err := p.declared(name)
	if err == nil {
		err = s.makeFolder(p)
	}
	if err != nil {
		return nil, nil, err
	}
	return s.migrator(s.place.url, s.options)
}

// MigratorToLook is [Program.Migrator] for its Status. A SQLite file that does not exist is not
// made: missing is true, and none of the migrations has run.
func (p *Program) MigratorToLook(name string) (m *migrate.Migrator, missing bool, done func() error, err error) {
	s, err := p.declared(name)
	if err != nil {
		return nil, false, nil, err
	}
	if _, err := os.Stat(s.place.path); s.place.path != "" && errors.Is(err, fs.ErrNotExist) {
		m, done, err = s.migrator("sqlite:"+memory, db.Options{})
		return m, true, done, err
	}
	m, done, err = s.migrator(s.place.url, s.options)
	return m, false, done, err
}

// declared finds a database that has migrations.
func (p *Program) declared(name string) (*source, error) {
	s, err := p.source(name)
	if err == nil && s.migrations == nil {
		err = fmt.Errorf("the script declares no migrations for %s: add db:migrate { [[create table …]] }", s.label)
	}
	return s, err
}

func (s *source) migrator(url string, o db.Options) (m *migrate.Migrator, done func() error, err error) {
	d, err := db.Open(url, o)
	if err != nil {
		return nil, nil, err
	}
	if m, err = migrate.New(d, s.migrations.list, s.migrations.o); err != nil {
		_ = d.Close()
		return nil, nil, err
	}
	return m, d.Close, nil
}

// MigrationFault is an error of a migrator as one of the script, with its place.
func MigrationFault(err error) error {
	if err == nil {
		return nil
	}
	return migrationFault(err)
}

// testDatabase makes a database that only one test has, on the server of the URL, and returns
// its URL and what removes it.
func (p *Program) testDatabase(ctx context.Context, url string) (string, func() error, error) {
	pl := p.placeOf(url)
	if pl.isSQLite() {
		text, err := p.databases.scratch.file(pl)
		return text, nil, err
	}
	return db.Scratch(ctx, url)
}
