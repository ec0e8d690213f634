package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rws/server/db"
)

// The names of the lock. Postgres has numbers; this one is "rws migr" in ASCII. In MySQL locks
// are of the server, so the name of the database is put to it.
const (
	postgresLock = 0x727773206d696772
	mysqlLock    = "concat('rws_migrations.', left(sha1(database()), 16))"
)

// lock waits until no other instance migrates. It belongs to the connection, so it ends with
// the process at the latest. SQLite locks by the transaction of each migration: see [run.first].
func (r *run) lock(ctx context.Context) (unlock func(), err error) {
	wait, cancel := context.WithTimeout(ctx, r.m.o.Wait)
	defer cancel()
	switch r.m.db.Engine() {
	case db.Postgres:
		err = r.lockPostgres(wait)
	case db.MySQL:
		err = r.lockMySQL(wait)
	}
	if err == nil {
		return func() {}, nil // closing the session unlocks
	}
	switch {
	case ctx.Err() != nil:
		return nil, gaveUp(err)
	case errors.Is(wait.Err(), context.DeadlineExceeded):
		return nil, r.m.inVain()
	}
	return nil, fmt.Errorf("waiting for other instances that migrate: %w", err)
}

// lockPostgres asks again and again. A waiting pg_advisory_lock would be a transaction that
// "create index concurrently" of the other instance waits for, and that one for it.
func (r *run) lockPostgres(ctx context.Context) error {
	notice := r.m.newNotice()
	for {
		got, _, err := db.Value(ctx, r.session, "select pg_try_advisory_lock(?)", int64(postgresLock))
		if err != nil || got == true {
			return err
		}
		notice.busy()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (r *run) lockMySQL(ctx context.Context) error {
	notice := r.m.newNotice()
	for {
		got, _, err := db.Value(ctx, r.session, "select get_lock("+mysqlLock+", 1)")
		if err != nil || got == int64(1) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		notice.busy()
	}
}
