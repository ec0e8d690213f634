package db_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"rws/server/db"
	"rws/spec_test/peers"
)

// thousand makes a table with 1000 rows.
func thousand(b *testing.B, d *db.DB) {
	b.Helper()
	run(b, d, "create table items (id bigint primary key, name varchar(50), price double precision)")
	err := db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
		for n := range 1000 {
			if _, err := tx.Exec(ctx, "insert into items values (?, ?, ?)", n, fmt.Sprint("item ", n), float64(n)/4); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

const readOne = "select id, name, price from items where id = ?"

// BenchmarkReadOne reads a row by its primary key: raw is database/sql with a statement that is
// kept prepared, as a program in Go would do it.
func BenchmarkReadOne(b *testing.B) {
	d := file(b, "")
	thousand(b, d)
	raw, err := sql.Open("sqlite", "file:"+sqlitePath(b, d)+"?_pragma=journal_mode(wal)&_pragma=query_only(1)")
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	stmt, err := raw.Prepare(readOne)
	if err != nil {
		b.Fatal(err)
	}
	defer stmt.Close()
	cancelable, cancel := context.WithCancel(ctx)
	defer cancel()
	for name, c := range map[string]context.Context{"": ctx, "/deadline": cancelable} {
		b.Run("raw"+name, func(b *testing.B) {
			b.ReportAllocs()
			var id int64
			var text string
			var price float64
			for n := range b.N {
				if err := stmt.QueryRowContext(c, int64(n%1000)).Scan(&id, &text, &price); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("db"+name, func(b *testing.B) {
			b.ReportAllocs()
			for n := range b.N {
				r, err := db.One(c, d, readOne, int64(n%1000))
				if err != nil || r == nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReadOneParallel is the same from all CPUs at once.
func BenchmarkReadOneParallel(b *testing.B) {
	d := file(b, "")
	thousand(b, d)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if r, err := db.One(ctx, d, readOne, int64(n%1000)); err != nil || r == nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkReadThousand(b *testing.B) {
	d := file(b, "")
	thousand(b, d)
	b.ReportAllocs()
	for b.Loop() {
		rows, err := d.Query(ctx, "select id, name, price from items")
		if err != nil {
			b.Fatal(err)
		}
		for rows.Next() {
		}
		if err := rows.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInsert(b *testing.B) {
	for _, options := range []string{"", "?synchronous=full"} {
		b.Run("sqlite"+options, func(b *testing.B) {
			d := file(b, options)
			run(b, d, "create table t (id integer primary key, name text)")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Exec(ctx, "insert into t (name) values (?)", "name"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("fields", func(b *testing.B) {
		d := file(b, "")
		run(b, d, "create table t (id integer primary key, name text)")
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.Insert(ctx, d, "t", []db.Field{{Column: "name", Value: "name"}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkServers(b *testing.B) {
	for name, start := range map[string]func(testing.TB) string{"postgres": peers.Postgres, "mariadb": peers.MariaDB} {
		b.Run(name, func(b *testing.B) {
			d := open(b, start(b))
			thousand(b, d)
			b.ReportAllocs()
			for b.Loop() {
				if r, err := db.One(ctx, d, readOne, int64(7)); err != nil || r == nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func sqlitePath(b *testing.B, d *db.DB) string {
	b.Helper()
	return filepath.ToSlash(d.String()[len("sqlite:"):])
}
