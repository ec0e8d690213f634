package repl_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind/repl"
	"rws/server/db"
)

// notes is a database with one table.
type notes struct{ on *db.DB }

func (n notes) Databases() []repl.Database {
	return []repl.Database{{Name: "notes", Label: "sqlite notes.db"}}
}

func (n notes) Tables(ctx context.Context) ([]repl.Table, error) {
	infos, err := db.Tables(ctx, n.on)
	var list []repl.Table
	for _, info := range infos {
		columns, err := db.Columns(ctx, n.on, info.Name)
		if err != nil {
			return nil, err
		}
		t := repl.Table{Database: "notes", Name: info.Name, View: info.View}
		for _, c := range columns {
			t.Columns = append(t.Columns, repl.Column{Name: c.Name, Type: c.Type, Nullable: c.Nullable, Key: c.Key > 0})
		}
		list = append(list, t)
	}
	return list, err
}

func (n notes) Query(ctx context.Context, _, statement string, readOnly bool) (*repl.Rows, error) {
	if readOnly {
		statement = "select 'read-only' as mode"
	}
	set, err := db.All(ctx, n.on, statement)
	if err != nil {
		return nil, err
	}
	r := &repl.Rows{Columns: set.Columns, Numbers: make([]bool, len(set.Columns))}
	for _, row := range set.Rows {
		line := make([]string, len(row))
		for i, v := range row {
			line[i] = fmt.Sprint(v)
		}
		r.Lines = append(r.Lines, line)
	}
	return r, nil
}

func notesHost(t *testing.T) *host {
	t.Helper()
	d, err := db.Open("sqlite::memory:", db.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	require.NoError(t, db.Script(t.Context(), d, `
		create table users (id integer primary key, email text not null);
		create table notes (id integer primary key, title text not null, user_id integer);
		insert into notes (title) values ('Milk'), ('Eggs')`))
	h := newHost(t, script)
	h.data = notes{d}
	return h
}

func TestDatabaseCommand(t *testing.T) {
	c := newConsole(t, notesHost(t))
	for line, want := range map[string][]string{
		":db":                             {"notes  sqlite notes.db", "table  columns", "users  id email", "notes  id title user_id"},
		":db notes":                       {"notes  sqlite notes.db", "users  id email"},
		":db users":                       {"column  type     notes", "id      integer  key, not null", "email   text     not null"},
		":db select id, title from notes": {"id  title\n──  ─────\n1   Milk\n2   Eggs", "(2 rows)"},
		":db notes select count(*) as n from notes": {"n\n─\n2"},
		":db select * from notes where id < 0":      {"no rows"},
	} {
		got := c.run(line)
		for _, part := range want {
			assert.Contains(t, got, part, line)
		}
	}
	assert.Contains(t, c.fails(":db nots"), `there is no table or database "nots" (did you mean "notes"?)`)
	assert.Contains(t, c.fails(":db selec 1"), "syntax")
	assert.Contains(t, newConsole(t, newHost(t, script)).fails(":db"), "the app opens no database")
}

func TestDatabaseCommandReadsOnlyInAReadOnlySession(t *testing.T) {
	session := repl.New(notesHost(t), repl.Options{ReadOnly: true})
	r, err := session.Eval(t.Context(), ":db delete from notes", nil, repl.Style{})
	require.NoError(t, err)
	assert.Contains(t, r.Text, "read-only")
}

func TestTablesAndColumnsCompleteInsideOfSQL(t *testing.T) {
	c := newConsole(t, notesHost(t))
	for line, want := range map[string][]string{
		`db:one("select * from us`:                  {"user_id", "users"},
		`db:all("select ti`:                         {"title"},
		`db:one("select u.ema`:                      nil,
		`db:one("select users.`:                     {"email", "id"},
		`db:insert("no`:                             {"notes"},
		`db:from("notes"):where("tit`:               {"title"},
		`db:from "no`:                               {"notes"},
		`db:value([[select count(*) from no`:        {"notes"},
		`:db select * from no`:                      {"notes"},
		`print("no`:                                 nil,
		`db.one("no`:                                nil,
		`db:update("notes", { title = "x" }, "user`: {"user_id", "users"},
	} {
		from, list := c.Complete(t.Context(), line, len(line))
		var got []string
		for _, candidate := range list {
			got = append(got, candidate.Text)
		}
		assert.Equal(t, want, got, line)
		if want != nil {
			assert.LessOrEqual(t, from, len(line))
		}
	}
}

func FuzzCompletionInsideOfSQL(f *testing.F) {
	for _, seed := range []string{`db:one("select * from us`, `db:update("notes", { title = "`, `:db select users.`, `(db:x{{"`, "db:all([[sel"} {
		f.Add(seed)
	}
	h := newHost(f, script)
	d, err := db.Open("sqlite::memory:", db.Options{})
	require.NoError(f, err)
	f.Cleanup(func() { _ = d.Close() })
	h.data = notes{d}
	s := repl.New(h, repl.Options{})
	f.Fuzz(func(t *testing.T, line string) {
		from, _ := s.Complete(t.Context(), line, len(line))
		if from < 0 || from > len(line) {
			t.Fatalf("%q: completion begins at %d", line, from)
		}
	})
}
