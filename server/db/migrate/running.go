package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rws/server/db"
)

// undoing begins the note of a migration that is being undone.
const undoing = "it is being undone"

// runsOrKilled is what can be known of a migration of SQLite that has not ended.
const runsOrKilled = "a process is running it now, or was killed while it did"

// undoingNow is the note of one that is being undone from now on.
func undoingNow() string { return undoing + " since " + time.Now().UTC().Format(time.RFC3339) }

// unfinished says that it was marked as begun, and has neither ended nor failed: one that failed
// has the reason in its note.
func (a applied) unfinished() bool {
	return a.dirty && (a.note == "" || strings.HasPrefix(a.note, undoing))
}

// held asks whether an instance has the lock. SQLite cannot tell.
func (m *Migrator) held(ctx context.Context) (bool, error) {
	query, args := "", []any(nil)
	switch m.db.Engine() {
	case db.Postgres: // which keeps a number of 64 bits in halves
		query = `select 1 from pg_locks where locktype = 'advisory' and granted and objsubid = 1 and classid::bigint = ? and objid::bigint = ?
			and database = (select oid from pg_database where datname = current_database())`
		args = []any{int64(postgresLock >> 32), int64(postgresLock & 0xffffffff)}
	case db.MySQL:
		query = "select is_used_lock(" + mysqlLock + ")"
	default:
		return false, nil
	}
	holder, found, err := db.Value(ctx, m.db, query, args...)
	return found && holder != nil, err
}

// live tells those that another instance is running now from those that it left unfinished. It
// has the lock from before it marks one until after the mark is gone: what is marked before and
// after a moment in which nobody had the lock was left.
func (m *Migrator) live(ctx context.Context, before []applied) ([]applied, error) {
	held, err := m.held(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking whether another instance is migrating: %w", err)
	}
	rows := before
	if !held && m.db.Engine() != db.SQLite {
		if rows, err = readApplied(ctx, m.db); err != nil {
			return nil, err
		}
	}
	for i := range rows {
		begun := !slices.ContainsFunc(before, func(b applied) bool { return b.version == rows[i].version && b.unfinished() })
		rows[i].running = rows[i].unfinished() && (held || begun)
	}
	return rows, nil
}

// why is the note for people.
func (a applied) why(e db.Engine) string {
	switch {
	case a.running && a.note == "":
		return "another instance is running it since " + a.at.UTC().Format(time.RFC3339)
	case a.running:
		return "another instance: " + a.note
	case a.unfinished() && e == db.SQLite:
		return runsOrKilled
	case a.unfinished():
		return "whoever ran it was killed before it ended"
	}
	return a.note
}
