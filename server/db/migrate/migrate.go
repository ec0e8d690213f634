// Package migrate brings the tables of a database to the state that a program needs.
//
// Migrations come from a folder (see [Folder]) or a list. Those that ran are kept in the table
// rws_migrations with a checksum, so that a file that was changed afterwards is noticed. A lock
// in the database keeps two instances from migrating at once. Each migration runs in a
// transaction; where the engine ends that at every change of a table (MySQL), or the migration
// asks for none, one that fails half way is marked dirty, and nothing more runs until a person
// has looked at it.
//
// pressly/goose does much of this, and its files are read here. It has no checksums, no lock
// for SQLite and MySQL, does not say which line failed, knows neither dirty states nor
// up and down in two files, and wants a database/sql pool to itself, while SQLite here has one
// writer.
package migrate

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"rws/server/db"
)

// Migration is one change and how to undo it.
type Migration struct {
	Version int64 // from 1, they run in this order
	Name    string
	Up      Step
	Down    Step // may be empty: then it cannot be undone
	// NoTransaction runs the statements one by one, for those that refuse to be in a
	// transaction, such as "create index concurrently" or "vacuum".
	NoTransaction bool
	// Checksum tells whether the migration was changed; default that of Up.SQL, without Down,
	// which may be mended later.
	Checksum string
}

// Step is SQL or a function.
type Step struct {
	SQL  string // statements, with -- +goose StatementBegin and End where needed
	Run  func(ctx context.Context, q db.Querier) error
	File string // where it stands, for messages
	Line int    // of SQL in File, from 1
}

func (s Step) empty() bool { return s.Run == nil && strings.TrimSpace(s.SQL) == "" }

// Options of a migrator.
type Options struct {
	// OutOfOrder runs migrations whose version is lower than one that ran before, as happens
	// when branches are merged. By default they are an error.
	OutOfOrder bool
	// Wait for another instance that migrates: default 5 min.
	Wait time.Duration
}

// Migrator runs migrations on a database. Its methods may be called at the same time, also in
// several processes.
type Migrator struct {
	db    *db.DB
	list  []Migration
	steps map[int64][2][]piece // up and down, cut into statements
	o     Options

	onWait func(atMost time.Duration)
}

// New checks the migrations: versions, names, and that their SQL can be cut into statements.
func New(d *db.DB, list []Migration, o Options) (*Migrator, error) {
	if o.Wait == 0 {
		o.Wait = 5 * time.Minute
	}
	m := &Migrator{db: d, list: slices.Clone(list), steps: make(map[int64][2][]piece), o: o}
	slices.SortStableFunc(m.list, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	for i := range m.list {
		if err := m.add(i); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Migrator) add(i int) error {
	g := &m.list[i]
	switch {
	case g.Version < 1:
		return g.fail(g.Up.File, 0, fmt.Errorf("the version is a whole number from 1"))
	case i > 0 && m.list[i-1].Version == g.Version:
		return g.fail(g.Up.File, 0, fmt.Errorf("%s has the same version", m.list[i-1].label()))
	case g.Up.empty():
		return g.fail(g.Up.File, 0, fmt.Errorf("there is nothing to do in it (up)"))
	}
	up, err := cut(m.db.Engine(), g, g.Up)
	if err != nil {
		return err
	}
	down, err := cut(m.db.Engine(), g, g.Down)
	if err != nil {
		return err
	}
	m.steps[g.Version] = [2][]piece{up, down}
	if g.Checksum == "" {
		g.Checksum = checksum(g)
	}
	return nil
}

// checksum ignores how lines end, which git may change, and space around the whole. The way down
// is not in it: it says nothing of what the tables are, and one that turns out to be wrong must be
// mended before it can be used. Of a function there is only the name.
func checksum(g *Migration) string {
	text := strings.TrimSpace(strings.ReplaceAll(g.Up.SQL, "\r\n", "\n"))
	if g.Up.Run != nil {
		text = "function " + g.Name
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// label is how a migration is called in messages: its file, or version and name.
func (g *Migration) label() string {
	if g.Up.File != "" && strings.HasSuffix(g.Up.File, ".sql") {
		return g.Up.File
	}
	return fmt.Sprintf("migration %d (%s)", g.Version, g.Name)
}

// Error is a migration that cannot be run, or failed.
type Error struct {
	Version int64
	Name    string
	File    string // "" when it has none
	Line    int    // 0 when unknown
	// Dirty says that a part of it took effect, and was not undone.
	Dirty bool
	Err   error
}

func (e *Error) Error() string {
	at := fmt.Sprintf("migration %d (%s)", e.Version, e.Name)
	if e.File != "" {
		at = e.File
		if e.Line > 0 {
			at += fmt.Sprintf(":%d", e.Line)
		}
	} else if e.Line > 0 {
		at += fmt.Sprintf(", line %d", e.Line)
	}
	return at + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func (g *Migration) fail(file string, line int, err error) *Error {
	return &Error{Version: g.Version, Name: g.Name, File: file, Line: line, Err: err}
}

// Done is a migration that ran.
type Done struct {
	Version int64
	Name    string
	Down    bool // it was undone
	Took    time.Duration
}

// Up runs all that have not run. It returns what ran, also when one fails.
func (m *Migrator) Up(ctx context.Context) ([]Done, error) {
	return m.locked(ctx, func(r *run) error { return r.up(ctx, 1<<62) })
}

// Down undoes the last n that ran, the last first.
func (m *Migrator) Down(ctx context.Context, n int) ([]Done, error) {
	if n < 1 {
		return nil, fmt.Errorf("down %d: say how many migrations to undo, from 1", n)
	}
	return m.locked(ctx, func(r *run) error { return r.down(ctx, 0, n) })
}

// To runs or undoes what is needed so that version is the last one that ran; 0 undoes all.
func (m *Migrator) To(ctx context.Context, version int64) ([]Done, error) {
	if version != 0 && m.find(version) == nil {
		return nil, fmt.Errorf("there is no migration with version %d; %s", version, m.versions())
	}
	return m.locked(ctx, func(r *run) error {
		if err := r.down(ctx, version, len(r.applied)); err != nil {
			return err
		}
		return r.up(ctx, version)
	})
}

// Redo undoes the last one and runs it again.
func (m *Migrator) Redo(ctx context.Context) ([]Done, error) {
	return m.locked(ctx, func(r *run) error {
		last := r.last()
		if last == nil {
			return fmt.Errorf("no migration has run yet: there is nothing to redo")
		}
		version := last.version
		if err := r.down(ctx, 0, 1); err != nil {
			return err
		}
		return r.up(ctx, version)
	})
}

// Resolve ends the dirty state of a migration after a person has mended the tables: as if it
// had run, or as if it had not.
func (m *Migrator) Resolve(ctx context.Context, version int64, applied bool) error {
	_, err := m.locked(ctx, func(r *run) error {
		a := r.find(version)
		if a == nil || !a.dirty {
			return fmt.Errorf("migration %d is not dirty", version)
		}
		if applied {
			return r.clean(ctx, version)
		}
		return r.remove(ctx, r.session, version)
	})
	return err
}

func (m *Migrator) find(version int64) *Migration {
	for i := range m.list {
		if m.list[i].Version == version {
			return &m.list[i]
		}
	}
	return nil
}

func (m *Migrator) versions() string {
	if len(m.list) == 0 {
		return "there are none"
	}
	return fmt.Sprintf("they go from %d to %d", m.list[0].Version, m.list[len(m.list)-1].Version)
}
