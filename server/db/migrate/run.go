package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rws/server/db"
)

// run is one call of Up, Down and so on, under the lock.
type run struct {
	m       *Migrator
	session *db.Session
	applied []applied // by version
	done    []Done
}

// locked runs f with the lock, the table made and read.
func (m *Migrator) locked(ctx context.Context, f func(*run) error) ([]Done, error) {
	session, err := m.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	r := &run{m: m, session: session}
	unlock, err := r.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := r.makeTable(ctx); err != nil {
		return nil, fmt.Errorf("making the table rws_migrations: %w", err)
	}
	if r.applied, err = readApplied(ctx, session); err != nil {
		return nil, fmt.Errorf("reading the table rws_migrations: %w", err)
	}
	err = f(r)
	return r.done, err
}

func (r *run) makeTable(ctx context.Context) error {
	return r.first(ctx, func() error {
		_, err := r.session.Exec(ctx, createTable[r.m.db.Engine()])
		return err
	})
}

func (r *run) find(version int64) *applied {
	for i := range r.applied {
		if r.applied[i].version == version {
			return &r.applied[i]
		}
	}
	return nil
}

func (r *run) last() *applied {
	if len(r.applied) == 0 {
		return nil
	}
	return &r.applied[len(r.applied)-1]
}

// up runs what has not run, to a version and with it.
func (r *run) up(ctx context.Context, to int64) error {
	if err := r.m.check(r.applied); err != nil {
		return err
	}
	for i := range r.m.list {
		g := &r.m.list[i]
		if g.Version > to || r.find(g.Version) != nil {
			continue
		}
		if err := r.apply(ctx, g, false); err != nil {
			return err
		}
	}
	return nil
}

// down undoes at most n with a version higher than to, the last first.
func (r *run) down(ctx context.Context, to int64, n int) error {
	for ; n > 0; n-- {
		last := r.last()
		if last == nil || last.version <= to {
			return nil
		}
		g := r.m.find(last.version)
		if err := r.undoable(last, g); err != nil {
			return err
		}
		if err := r.apply(ctx, g, true); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) undoable(a *applied, g *Migration) error {
	switch {
	case a.dirty, g == nil:
		state := Missing
		if a.dirty {
			state = Dirty
		}
		return r.m.fault(r.m.status(*a, state))
	case g.Down.empty():
		return g.fail(g.Up.File, 0, fmt.Errorf("it cannot be undone: it has no way down%s", downFile(g)))
	}
	return nil
}

func downFile(g *Migration) string {
	if base, ok := strings.CutSuffix(g.Up.File, ".up.sql"); ok {
		return ", " + base + ".down.sql is missing or empty"
	}
	return ""
}

// apply runs one migration up or down and keeps the books.
func (r *run) apply(ctx context.Context, g *Migration, down bool) error {
	how := r.inTransaction
	if g.NoTransaction {
		how = r.oneByOne
	} else if r.m.db.Engine() == db.MySQL {
		how = r.onMySQL
	}
	start, err := how(ctx, g, down)
	if err != nil || start.IsZero() {
		return err
	}
	took := time.Since(start)
	r.done = append(r.done, Done{Version: g.Version, Name: g.Name, Down: down, Took: took})
	if down {
		r.applied = slices.DeleteFunc(r.applied, func(a applied) bool { return a.version == g.Version })
		return nil
	}
	r.applied = append(r.applied, applied{version: g.Version, name: g.Name, checksum: g.Checksum, at: start, took: took})
	slices.SortFunc(r.applied, func(a, b applied) int { return cmp.Compare(a.version, b.version) })
	return nil
}

// inTransaction runs the statements and the entry in the table as one. SQLite has no lock but
// the transaction itself, so another instance may have been faster: then it did not start.
func (r *run) inTransaction(ctx context.Context, g *Migration, down bool) (start time.Time, err error) {
	err = r.inTx(ctx, func(tx *db.Tx) error {
		_, there, err := db.Value(ctx, tx, "select 1 from rws_migrations where version = ?", g.Version)
		if err != nil || there != down {
			return err
		}
		start = time.Now() // what it waited for others is no time of its own
		if _, err := r.statements(ctx, tx, g, down); err != nil {
			return err
		}
		if down {
			return r.remove(ctx, tx, g.Version)
		}
		return r.record(ctx, tx, g, time.Since(start), false)
	})
	if err != nil {
		if _, ok := errors.AsType[*Error](err); !ok {
			err = g.fail(g.step(down).File, 0, err)
		}
	}
	return start, err
}

// onMySQL: a transaction holds only until a table is changed. Where none was, a failure is
// undone; else it is dirty.
func (r *run) onMySQL(ctx context.Context, g *Migration, down bool) (time.Time, error) {
	return r.booked(ctx, g, down, func() (touched bool, err error) {
		err = db.InTx(ctx, r.session, db.TxOptions{}, func(tx *db.Tx) error {
			n, err := r.statements(ctx, tx, g, down)
			touched = r.changedTables(g, down, n)
			return err
		})
		return touched, err
	})
}

// changedTables says whether one of the first n statements, or a function, may have ended the
// transaction of MySQL. The one that failed counts: it may have done a part.
func (r *run) changedTables(g *Migration, down bool, n int) bool {
	if g.step(down).Run != nil {
		return true
	}
	pieces := r.pieces(g, down)
	for _, p := range pieces[:min(n+1, len(pieces))] {
		switch verb := strings.ToLower(firstWord(p.text)); verb {
		case "insert", "update", "delete", "replace", "select", "with", "set":
		default:
			return true
		}
	}
	return false
}

func (r *run) oneByOne(ctx context.Context, g *Migration, down bool) (time.Time, error) {
	return r.booked(ctx, g, down, func() (touched bool, err error) {
		n, err := r.statements(ctx, r.session, g, down)
		return n > 0 || g.step(down).Run != nil, err
	})
}

// booked marks the migration dirty before it runs and clean after it. When it failed and
// touched nothing, all is as before.
func (r *run) booked(ctx context.Context, g *Migration, down bool, f func() (bool, error)) (start time.Time, err error) {
	if err := r.open(ctx, g, down); err != nil {
		return start, err
	}
	start = time.Now()
	touched, failure := f()
	// The books are kept also when the caller has given up.
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	switch {
	case failure == nil && down:
		return start, r.remove(keep, r.session, g.Version)
	case failure == nil:
		return start, r.finish(keep, g.Version, time.Since(start))
	}
	if e, ok := errors.AsType[*Error](failure); ok {
		e.Dirty = touched
	}
	return start, errors.Join(failure, r.settle(keep, g, down, touched, failure))
}

// open claims the migration, unless another instance was faster.
func (r *run) open(ctx context.Context, g *Migration, down bool) error {
	// Only SQLite, which has no lock around it all, lets another instance be faster.
	faster := g.fail(g.step(down).File, 0, fmt.Errorf("another instance is running it, or ended while it did; look at the status"))
	if down {
		claimed := false
		err := r.first(ctx, func() (err error) {
			claimed, err = r.mark(ctx, r.session, g.Version, undoingNow())
			return err
		})
		if err == nil && !claimed {
			return faster
		}
		return err
	}
	err := r.first(ctx, func() error { return r.record(ctx, r.session, g, 0, true) })
	if db.CodeOf(err) == db.CodeUnique {
		return faster
	}
	return err
}

// settle writes into the table what a failure left behind.
func (r *run) settle(ctx context.Context, g *Migration, down, touched bool, failure error) error {
	book := func(statement string, args ...any) error {
		_, err := r.session.Exec(ctx, statement, args...)
		if err != nil && r.m.db.Engine() != db.SQLite { // the connection may have ended with the context
			_, err = r.m.db.Exec(ctx, statement, args...)
		}
		return err
	}
	switch {
	case touched:
		note := []rune(failure.Error())
		return book("update rws_migrations set dirty = 1, note = ? where version = ?", string(note[:min(len(note), 500)]), g.Version)
	case down:
		return book("update rws_migrations set dirty = 0, note = '' where version = ?", g.Version)
	}
	return book("delete from rws_migrations where version = ?", g.Version)
}

// statements runs the step and returns how many statements ran.
func (r *run) statements(ctx context.Context, q db.Querier, g *Migration, down bool) (int, error) {
	step := g.step(down)
	if step.Run != nil {
		if err := step.Run(ctx, q); err != nil {
			return 0, g.fail(step.File, step.Line, err)
		}
		return 1, nil
	}
	for n, p := range r.pieces(g, down) {
		if _, err := q.Exec(ctx, p.text, db.Verbatim{}); err != nil {
			return n, g.fail(step.File, p.line+linesBefore(p.text, err), err)
		}
	}
	return len(r.pieces(g, down)), nil
}

// linesBefore is how many lines into the statement the fault lies, where the engine says it.
func linesBefore(text string, err error) int {
	e, ok := errors.AsType[*db.Error](err)
	before := []rune(text)
	if !ok || e.Offset < 1 || e.Offset > len(before) {
		return 0
	}
	return strings.Count(string(before[:e.Offset-1]), "\n")
}

func (r *run) pieces(g *Migration, down bool) []piece {
	if down {
		return r.m.steps[g.Version][1]
	}
	return r.m.steps[g.Version][0]
}

func (g *Migration) step(down bool) Step {
	if down {
		return g.Down
	}
	return g.Up
}

func firstWord(sql string) string {
	fields := strings.FieldsFunc(sql, func(r rune) bool { return r <= ' ' || r == '(' || r == ';' })
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}
