package session

import (
	"context"
	"fmt"
	"time"

	"rws/server/db"
)

// SQL keeps sessions in the table rws_sessions of SQLite, Postgres, MySQL or MariaDB. Made by
// [NewSQL].
type SQL struct{ db *db.DB }

var _ Store = (*SQL)(nil)

// NewSQL makes the table, if it is missing. The database stays the caller's to close.
func NewSQL(ctx context.Context, d *db.DB) (*SQL, error) {
	for _, statement := range tables(d.Engine()) {
		if err := db.MakeOnce(ctx, d, statement); err != nil {
			return nil, fmt.Errorf("session: making the table rws_sessions: %w", err)
		}
	}
	return &SQL{db: d}, nil
}

// tables are the statements that make the table. Times are milliseconds of Unix time.
func tables(e db.Engine) []string {
	columns := func(id, user, text string) string {
		return "create table if not exists rws_sessions (id " + id + " primary key, user_id " + user + " not null, data " + text +
			" not null, created_at bigint not null, seen_at bigint not null, expires_at bigint not null, version bigint not null"
	}
	if e == db.MySQL {
		// Without a binary collation, "Ann" and "ann" would be one user.
		return []string{columns("varchar(64) character set ascii collate ascii_bin", "varchar(255) character set utf8mb4 collate utf8mb4_bin", "longtext character set utf8mb4") +
			", index rws_sessions_user (user_id), index rws_sessions_expires (expires_at))"}
	}
	return []string{
		columns("varchar(64)", "varchar(255)", "text") + ")",
		"create index if not exists rws_sessions_user on rws_sessions (user_id)",
		"create index if not exists rws_sessions_expires on rws_sessions (expires_at)",
	}
}

const selectRecord = "select id, user_id, data, created_at, seen_at, expires_at, version from rws_sessions "

func (s *SQL) Get(ctx context.Context, id string) (*Record, error) {
	rows, err := s.query(ctx, selectRecord+"where id = ? and expires_at > ?", id, now())
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0], nil
}

func now() int64 { return time.Now().UnixMilli() }

func (s *SQL) query(ctx context.Context, statement string, args ...any) ([]*Record, error) {
	rows, err := s.db.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*Record
	for rows.Next() {
		list = append(list, record(rows.Values()))
	}
	return list, rows.Close()
}

// record reads a row of selectRecord, whose columns are ours and not null.
func record(v []any) *Record {
	text := func(i int) string { s, _ := v[i].(string); return s }
	number := func(i int) int64 { n, _ := v[i].(int64); return n }
	return &Record{
		ID: text(0), User: text(1), Data: []byte(text(2)),
		Created: fromMillis(number(3)), Seen: fromMillis(number(4)), Expires: fromMillis(number(5)), Version: number(6),
	}
}

func (s *SQL) Create(ctx context.Context, r *Record) error {
	_, err := s.db.Exec(ctx, "insert into rws_sessions (id, user_id, data, created_at, seen_at, expires_at, version) values (?, ?, ?, ?, ?, ?, ?)",
		r.ID, r.User, string(r.Data), r.Created.UnixMilli(), r.Seen.UnixMilli(), r.Expires.UnixMilli(), r.Version)
	return err
}

func (s *SQL) Swap(ctx context.Context, r *Record, version int64) (bool, error) {
	return s.one(ctx, "update rws_sessions set user_id = ?, data = ?, seen_at = ?, expires_at = ?, version = ? where id = ? and version = ? and expires_at > ?",
		r.User, string(r.Data), r.Seen.UnixMilli(), r.Expires.UnixMilli(), r.Version, r.ID, version, now())
}

// one reports whether a statement changed a row.
func (s *SQL) one(ctx context.Context, statement string, args ...any) (bool, error) {
	result, err := s.db.Exec(ctx, statement, args...)
	return err == nil && result.Affected == 1, err
}

func (s *SQL) Remove(ctx context.Context, id string, version int64) (bool, error) {
	return s.one(ctx, "delete from rws_sessions where id = ? and (version = ? or ? = 0) and expires_at > ?", id, version, version, now())
}

func (s *SQL) Touch(ctx context.Context, r *Record) error {
	_, err := s.db.Exec(ctx, "update rws_sessions set seen_at = ?, expires_at = ? where id = ? and seen_at < ? and expires_at > ?",
		r.Seen.UnixMilli(), r.Expires.UnixMilli(), r.ID, r.Seen.UnixMilli(), now())
	return err
}

func (s *SQL) List(ctx context.Context, user string, limit int) ([]*Record, error) {
	if user == "" {
		return s.query(ctx, selectRecord+"where expires_at > ? order by seen_at desc limit ?", now(), limit)
	}
	where := "where user_id = ? "
	args := []any{user}
	if s.db.Engine() == db.MySQL { // to which "ann" and "ann " are equal
		where += "and octet_length(user_id) = ? "
		args = append(args, len(user))
	}
	return s.query(ctx, selectRecord+where+"and expires_at > ? order by seen_at desc limit ?", append(args, now(), limit)...)
}

// purgeBatch keeps a purge from holding locks for long.
const purgeBatch = 1000

func (s *SQL) Purge(ctx context.Context, before time.Time) (int, error) {
	statement := "delete from rws_sessions where id in (select id from rws_sessions where expires_at <= ? limit ?)"
	if s.db.Engine() == db.MySQL {
		statement = "delete from rws_sessions where expires_at <= ? limit ?"
	}
	for n := 0; ; {
		result, err := s.db.Exec(ctx, statement, before.UnixMilli(), purgeBatch)
		n += int(result.Affected)
		if err != nil || result.Affected < purgeBatch {
			return n, err
		}
	}
}
