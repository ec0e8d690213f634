package migrate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rws/server/db"
)

// createTable makes the table of what ran. took is in milliseconds.
var createTable = map[db.Engine]string{
	db.SQLite: `create table if not exists rws_migrations (version integer primary key, name text not null, checksum text not null,
		applied_at timestamp not null, took integer not null, dirty integer not null default 0, note text not null default '')`,
	db.Postgres: `create table if not exists rws_migrations (version bigint primary key, name text not null, checksum text not null,
		applied_at timestamptz not null, took bigint not null, dirty int not null default 0, note text not null default '')`,
	db.MySQL: `create table if not exists rws_migrations (version bigint primary key, name varchar(255) not null, checksum varchar(64) not null,
		applied_at datetime(6) not null, took bigint not null, dirty int not null default 0, note varchar(1000) not null default '')`,
}

// applied is a row of the table.
type applied struct {
	version  int64
	name     string
	checksum string
	at       time.Time
	took     time.Duration
	dirty    bool
	note     string
	running  bool // by another instance, now
}

func readApplied(ctx context.Context, q db.Querier) ([]applied, error) {
	set, err := db.All(ctx, q, "select version, name, checksum, applied_at, took, dirty, note from rws_migrations order by version")
	if err != nil {
		return nil, err
	}
	out := make([]applied, 0, len(set.Rows))
	for _, r := range set.Rows {
		var a applied
		a.version, _ = r[0].(int64)
		a.name, _ = r[1].(string)
		a.checksum, _ = r[2].(string)
		a.at, _ = r[3].(time.Time)
		took, _ := r[4].(int64)
		a.took = time.Duration(took) * time.Millisecond
		dirty, _ := r[5].(int64)
		a.dirty = dirty != 0
		a.note, _ = r[6].(string)
		out = append(out, a)
	}
	return out, nil
}

// record writes that a migration ran, or, dirty, that it began.
func (r *run) record(ctx context.Context, q db.Querier, g *Migration, took time.Duration, dirty bool) error {
	_, err := q.Exec(ctx, "insert into rws_migrations (version, name, checksum, applied_at, took, dirty) values (?, ?, ?, ?, ?, ?)",
		g.Version, g.Name, g.Checksum, time.Now(), took.Milliseconds(), flag(dirty))
	return err
}

// mark makes a migration dirty, with why, unless it is gone or dirty by now.
func (r *run) mark(ctx context.Context, q db.Querier, version int64, note string) (bool, error) {
	result, err := q.Exec(ctx, "update rws_migrations set dirty = 1, note = ? where version = ? and dirty = 0", note, version)
	return result.Affected == 1, err
}

func (r *run) clean(ctx context.Context, version int64) error {
	_, err := r.session.Exec(ctx, "update rws_migrations set dirty = 0, note = '' where version = ?", version)
	return err
}

func (r *run) finish(ctx context.Context, version int64, took time.Duration) error {
	_, err := r.session.Exec(ctx, "update rws_migrations set dirty = 0, note = '', took = ? where version = ?", took.Milliseconds(), version)
	return err
}

func (r *run) remove(ctx context.Context, q db.Querier, version int64) error {
	_, err := q.Exec(ctx, "delete from rws_migrations where version = ?", version)
	return err
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// State of a migration.
type State string

const (
	Pending    State = "pending"      // it has not run
	Applied    State = "applied"      // it ran
	Changed    State = "changed"      // it ran, and is another one now
	Missing    State = "missing"      // it ran, and is not there any more
	OutOfOrder State = "out_of_order" // it has not run, but a later one has
	Running    State = "running"      // another instance is running or undoing it now
	Dirty      State = "dirty"        // it failed half way; of SQLite, see NoTransaction, it may be running now
)

// Status is what is known of a migration.
type Status struct {
	Version   int64
	Name      string
	File      string
	State     State
	AppliedAt time.Time // zero when it has not run; when it began, of one that did not end yet
	Took      time.Duration
	Note      string // why it is dirty, or since when it is running
	HasDown   bool
}

// Status tells of each migration, in the order of versions. It changes nothing, and does not
// wait for an instance that migrates.
func (m *Migrator) Status(ctx context.Context) ([]Status, error) {
	rows, err := m.known(ctx)
	if err != nil {
		return nil, err
	}
	return m.compare(rows), nil
}

// Pending returns how many are waiting to run, or were changed, are missing or dirty, or are
// running now.
func (m *Migrator) Pending(ctx context.Context) (int, error) {
	all, err := m.Status(ctx)
	n := 0
	for _, s := range all {
		if s.State != Applied {
			n++
		}
	}
	return n, err
}

// known reads the table if it is there.
func (m *Migrator) known(ctx context.Context) ([]applied, error) {
	rows, err := readApplied(ctx, m.db)
	if db.CodeOf(err) == db.CodeNoTable {
		return nil, nil
	}
	if err != nil || !slices.ContainsFunc(rows, applied.unfinished) {
		return rows, err
	}
	return m.live(ctx, rows)
}

// compare lays the list and the table side by side.
func (m *Migrator) compare(rows []applied) []Status {
	var out []Status
	var last int64
	for _, a := range rows {
		last = max(last, a.version)
	}
	at := 0
	for _, g := range m.list {
		for ; at < len(rows) && rows[at].version < g.Version; at++ {
			out = append(out, m.status(rows[at], Missing))
		}
		s := Status{Version: g.Version, Name: g.Name, State: Pending}
		if g.Version < last {
			s.State = OutOfOrder
		}
		if at < len(rows) && rows[at].version == g.Version {
			s = m.status(rows[at], Applied)
			if rows[at].checksum != g.Checksum && s.State == Applied {
				s.State = Changed
			}
			at++
		}
		s.File, s.HasDown = g.Up.File, !g.Down.empty()
		out = append(out, s)
	}
	for ; at < len(rows); at++ {
		out = append(out, m.status(rows[at], Missing))
	}
	return out
}

func (m *Migrator) status(a applied, s State) Status {
	switch {
	case a.running:
		s = Running
	case a.dirty:
		s = Dirty
	}
	return Status{Version: a.version, Name: a.name, State: s, AppliedAt: a.at, Took: a.took, Note: a.why(m.db.Engine())}
}

// check refuses to go on from a state that only a person can judge.
func (m *Migrator) check(rows []applied) error {
	for _, s := range m.compare(rows) {
		if err := m.fault(s); err != nil {
			return err
		}
	}
	return nil
}

// Refuses says whether Up would run nothing because of a migration.
func (m *Migrator) Refuses(s Status) bool { return m.fault(s) != nil }

// Refusal is the error with which Up would run nothing because of a migration, with what to do
// about it; nil where it would.
func (m *Migrator) Refusal(s Status) error { return m.fault(s) }

func (m *Migrator) fault(s Status) error {
	e := &Error{Version: s.Version, Name: s.Name, File: s.File}
	switch s.State {
	case Dirty:
		e.Dirty = true
		what := "it failed half way at %s (%s), and nothing more runs: mend"
		if s.Note == runsOrKilled {
			what = "it began at %s, and has not ended (%s): wait for that process; if there is none, mend"
		}
		e.Err = fmt.Errorf(what+" the tables by hand, then say what they are now: `rws migrate resolve %d applied`, or `rws migrate resolve %d pending` to have it run again", s.AppliedAt.Format(time.DateTime), s.Note, s.Version, s.Version)
	case Changed:
		e.Err = fmt.Errorf("it was changed after it had run on %s: restore it as it was then, and write a new migration for what is to change", s.AppliedAt.Format(time.DateOnly))
	case Missing:
		e.Err = fmt.Errorf("it ran on %s and is not among the migrations any more: bring its file back, or run the program that belongs to this database", s.AppliedAt.Format(time.DateOnly))
	case OutOfOrder:
		if m.o.OutOfOrder {
			return nil
		}
		e.Err = fmt.Errorf("it has not run, but later ones have: give it a higher version, or allow it (db:migrate with out_of_order = true)")
	default:
		return nil
	}
	return e
}
