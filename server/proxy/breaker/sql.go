package breaker

import (
	"context"
	"fmt"
	"time"

	"rws/server/db"
)

// SQL keeps the records in the table rws_breakers of SQLite, Postgres, MySQL or MariaDB. Made by
// [NewSQL].
type SQL struct{ db *db.DB }

var _ Store = (*SQL)(nil)

// NewSQL makes the table, if it is missing. The database stays the caller's to close.
func NewSQL(ctx context.Context, d *db.DB) (*SQL, error) {
	name := "varchar(190)"
	if d.Engine() == db.MySQL { // "/A" and "/a" are two
		name = "varchar(190) character set utf8mb4 collate utf8mb4_bin"
	}
	statement := "create table if not exists rws_breakers (name " + name +
		" primary key, failures int not null, opened_at bigint not null, open_until bigint not null)"
	if err := d.Create(ctx, statement); err != nil {
		return nil, fmt.Errorf("making the table rws_breakers: %w", err)
	}
	return &SQL{d}, nil
}

// maxParameters is how many names are asked for in one statement; databases take more.
const maxParameters = 500

// Load implements [Store].
func (s *SQL) Load(ctx context.Context, names []string) (list []Record, err error) {
	for len(names) > 0 && err == nil {
		n := min(len(names), maxParameters)
		list, err = s.load(ctx, list, names[:n])
		names = names[n:]
	}
	return list, err
}

func (s *SQL) load(ctx context.Context, list []Record, names []string) ([]Record, error) {
	all := make(db.List, len(names))
	for i, name := range names {
		all[i] = name
	}
	rows, err := s.db.Query(ctx, "select name, failures, opened_at, open_until from rws_breakers where name in (?)", all)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		list = append(list, fromRow(rows.Values()))
	}
	return list, rows.Close()
}

// fromRow reads a row, whose columns are ours and not null.
func fromRow(v []any) Record {
	name, _ := v[0].(string)
	number := func(i int) int64 { n, _ := v[i].(int64); return n }
	return Record{Name: name, Failures: int(number(1)), Opened: time.UnixMilli(number(2)), Until: time.UnixMilli(number(3))}
}

// Save implements [Store].
func (s *SQL) Save(ctx context.Context, r Record) error {
	statement := "insert into rws_breakers (name, failures, opened_at, open_until) values (?, ?, ?, ?) " +
		"on conflict (name) do update set failures = excluded.failures, opened_at = excluded.opened_at, open_until = excluded.open_until"
	if s.db.Engine() == db.MySQL {
		statement = "replace into rws_breakers (name, failures, opened_at, open_until) values (?, ?, ?, ?)"
	}
	if _, err := s.db.Exec(ctx, statement, r.Name, r.Failures, r.Opened.UnixMilli(), r.Until.UnixMilli()); err != nil {
		return err
	}
	_, err := s.db.Exec(ctx, "delete from rws_breakers where open_until < ?", time.Now().Add(-keep).UnixMilli())
	return err
}

// Delete implements [Store].
func (s *SQL) Delete(ctx context.Context, name string) error {
	_, err := s.db.Exec(ctx, "delete from rws_breakers where name = ?", name)
	return err
}

// Close implements [Store].
func (s *SQL) Close() error { return nil }
