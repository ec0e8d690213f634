package ratelimit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rws/server/db"
)

// SQL keeps the times in the table rws_limits of SQLite, Postgres, MySQL or MariaDB, by the clock of
// this machine. Made by [NewSQL].
type SQL struct {
	db   *db.DB
	stop context.CancelFunc
	work sync.WaitGroup
}

var _ Store = (*SQL)(nil)

// purgeEvery is how often rows of buckets that are empty are removed.
const purgeEvery = time.Minute

// NewSQL makes the table, if it is missing. The database stays the caller's to close, after the
// store.
func NewSQL(ctx context.Context, d *db.DB) (*SQL, error) {
	id := "varchar(255)"
	if d.Engine() == db.MySQL { // "Ann" and "ann" are two
		id = "varchar(255) character set utf8mb4 collate utf8mb4_bin"
	}
	if err := db.MakeOnce(ctx, d, "create table if not exists rws_limits (id "+id+" primary key, empty_at bigint not null)"); err != nil {
		return nil, fmt.Errorf("making the table rws_limits: %w", err)
	}
	life, stop := context.WithCancel(context.Background())
	s := &SQL{db: d, stop: stop}
	s.work.Go(func() { s.purge(life) })
	return s, nil
}

// Take implements [Store].
func (s *SQL) Take(ctx context.Context, key string, step, limit time.Duration) (full time.Duration, allowed bool, err error) {
	err = db.InTx(ctx, s.db, db.TxOptions{}, func(tx *db.Tx) error {
		now := time.Now().UnixMicro()
		// Writing first takes the lock on the row, or makes it, so that nobody is in between.
		if err := s.touch(ctx, tx, key, now); err != nil {
			return err
		}
		at, _, err := db.Value(ctx, tx, "select empty_at from rws_limits where id = ?", key)
		if err != nil {
			return err
		}
		micros, _ := at.(int64)
		full = time.Duration(max(micros-now, 0)) * time.Microsecond
		if allowed = full+step <= limit; !allowed {
			return nil
		}
		full += step
		_, err = tx.Exec(ctx, "update rws_limits set empty_at = ? where id = ?", now+max(full.Microseconds(), 1), key)
		return err
	})
	return full, allowed, err
}

func (s *SQL) touch(ctx context.Context, tx *db.Tx, key string, now int64) error {
	statement := "insert into rws_limits (id, empty_at) values (?, ?) on conflict (id) do update set empty_at = rws_limits.empty_at"
	if s.db.Engine() == db.MySQL {
		statement = "insert into rws_limits (id, empty_at) values (?, ?) on duplicate key update empty_at = empty_at"
	}
	_, err := tx.Exec(ctx, statement, key, now)
	return err
}

func (s *SQL) purge(ctx context.Context) {
	ticker := time.NewTicker(purgeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			// What fails is tried again in a minute; rows that stay do no harm.
			_, _ = s.db.Exec(ctx, "delete from rws_limits where empty_at < ?", time.Now().UnixMicro())
		}
	}
}

// Close implements [Store].
func (s *SQL) Close() error {
	s.stop()
	s.work.Wait()
	return nil
}
