package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/db"
	"rws/server/db/migrate"
	"rws/spec_test/peers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

func everywhere(t *testing.T, promise func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { promise(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db")) })
	t.Run("memory", func(t *testing.T) { promise(t, "sqlite::memory:") })
	t.Run("postgres", func(t *testing.T) { promise(t, peers.Postgres(t)) })
	t.Run("mariadb", func(t *testing.T) { promise(t, peers.MariaDB(t)) })
}

func open(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(url, db.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// folder makes a folder of names and texts.
func folder(t *testing.T, files map[string]string) []migrate.Migration {
	t.Helper()
	list, err := read(files)
	require.NoError(t, err)
	return list
}

func read(files map[string]string) ([]migrate.Migration, error) {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return migrate.Folder(fsys, "migrations")
}

func migrator(t *testing.T, d *db.DB, list []migrate.Migration) *migrate.Migrator {
	t.Helper()
	m, err := migrate.New(d, list, migrate.Options{})
	require.NoError(t, err)
	return m
}

func versions(done []migrate.Done) (out []int64) {
	for _, d := range done {
		v := d.Version
		if d.Down {
			v = -v
		}
		out = append(out, v)
	}
	return out
}

func states(t *testing.T, m *migrate.Migrator) (out []migrate.State) {
	t.Helper()
	all, err := m.Status(ctx)
	require.NoError(t, err)
	for _, s := range all {
		out = append(out, s.State)
	}
	return out
}

var three = map[string]string{
	"001_users.up.sql":   "create table users (id int primary key, email varchar(50));\n",
	"001_users.down.sql": "drop table users;",
	"002_mail.sql":       "-- +goose Up\ninsert into users values (1, 'a;b'' -- x'); -- with a ; in it\ninsert into users values (2, 'b');\n\n-- +goose Down\ndelete from users;\n",
	"003_notes.up.sql":   "create table notes (id int primary key);",
	"003_notes.down.sql": "drop table notes;",
	"README.md":          "not a migration",
}

func TestUpDownToRedoStatus(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		d := open(t, url)
		m := migrator(t, d, folder(t, three))
		assert.Equal(t, []migrate.State{migrate.Pending, migrate.Pending, migrate.Pending}, states(t, m))
		done, err := m.Up(ctx)
		require.NoError(t, err)
		assert.Equal(t, []int64{1, 2, 3}, versions(done))
		done, err = m.Up(ctx)
		require.NoError(t, err)
		assert.Empty(t, done, "nothing is left to do")
		v, _, err := db.Value(ctx, d, "select email from users where id = 1")
		require.NoError(t, err)
		assert.Equal(t, "a;b' -- x", v)

		done, err = m.Redo(ctx)
		require.NoError(t, err)
		assert.Equal(t, []int64{-3, 3}, versions(done))
		done, err = m.Down(ctx, 2)
		require.NoError(t, err)
		assert.Equal(t, []int64{-3, -2}, versions(done))
		assert.Equal(t, []migrate.State{migrate.Applied, migrate.Pending, migrate.Pending}, states(t, m))
		done, err = m.To(ctx, 2)
		require.NoError(t, err)
		assert.Equal(t, []int64{2}, versions(done))
		done, err = m.To(ctx, 0)
		require.NoError(t, err)
		assert.Equal(t, []int64{-2, -1}, versions(done))
		_, err = m.To(ctx, 9)
		assert.ErrorContains(t, err, "there is no migration with version 9; they go from 1 to 3")
		_, err = m.Redo(ctx)
		assert.ErrorContains(t, err, "nothing to redo")
		n, err := m.Pending(ctx)
		require.NoError(t, err)
		assert.Equal(t, 3, n)
		all, err := m.Status(ctx)
		require.NoError(t, err)
		assert.Equal(t, "migrations/001_users.up.sql", all[0].File)
		assert.True(t, all[0].HasDown)
	})
}

func TestAFailureNamesTheLineAndLeavesNoHalfState(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		d := open(t, url)
		files := map[string]string{
			"001_a.up.sql": "create table a (id int primary key);",
			"002_b.up.sql": "-- two\ninsert into a values (1);\n\ninsert into a\n values (2), (1);\n",
		}
		m := migrator(t, d, folder(t, files))
		done, err := m.Up(ctx)
		assert.Equal(t, []int64{1}, versions(done), "what ran is told")
		require.ErrorContains(t, err, "migrations/002_b.up.sql:4: unique")
		e, _ := errors.AsType[*migrate.Error](err)
		assert.False(t, e.Dirty)
		v, _, err := db.Value(ctx, d, "select count(*) from a")
		require.NoError(t, err)
		assert.EqualValues(t, 0, v, "the first statement was undone")
		assert.Equal(t, []migrate.State{migrate.Applied, migrate.Pending}, states(t, m))

		files["002_b.up.sql"] = "insert into a values (1);"
		_, err = migrator(t, d, folder(t, files)).Up(ctx)
		require.NoError(t, err, "mended")
	})
}

func TestWhatCannotBeUndoneIsDirty(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		d := open(t, url)
		text := "create table a (id int primary key);\ncreate table b (id int);\nselct 1;"
		if d.Engine() != db.MySQL {
			text = "-- +goose NO TRANSACTION\n" + text
		}
		m := migrator(t, d, folder(t, map[string]string{"001_a.up.sql": text, "001_a.down.sql": "drop table a"}))
		_, err := m.Up(ctx)
		require.ErrorContains(t, err, "001_a.up.sql:")
		e, ok := errors.AsType[*migrate.Error](err)
		require.True(t, ok)
		assert.True(t, e.Dirty)
		assert.Equal(t, []migrate.State{migrate.Dirty}, states(t, m))
		for _, f := range []func() error{
			func() error { _, err := m.Up(ctx); return err }, func() error { _, err := m.Down(ctx, 1); return err },
		} {
			err := f()
			require.ErrorContains(t, err, "failed half way")
			assert.ErrorContains(t, err, "selct", "the reason is kept")
		}
		_, err = d.Exec(ctx, "drop table a")
		require.NoError(t, err)
		require.NoError(t, m.Resolve(ctx, 1, false))
		require.ErrorContains(t, m.Resolve(ctx, 1, false), "is not dirty")
		assert.Equal(t, []migrate.State{migrate.Pending}, states(t, m))
	})
}

func TestChangedMissingAndOutOfOrderAreReported(t *testing.T) {
	d := open(t, "sqlite::memory:")
	files := map[string]string{"001_a.sql": "create table a (id int);", "003_c.sql": "create table c (id int);"}
	_, err := migrator(t, d, folder(t, files)).Up(ctx)
	require.NoError(t, err)

	files["001_a.sql"] = "create table a (id int);\r\n"
	_, err = migrator(t, d, folder(t, files)).Up(ctx)
	require.NoError(t, err, "how lines end does not count")
	files["001_a.sql"] = "create table a (id bigint);"
	m := migrator(t, d, folder(t, files))
	_, err = m.Up(ctx)
	assert.ErrorContains(t, err, "migrations/001_a.sql: it was changed after it had run")
	assert.Equal(t, []migrate.State{migrate.Changed, migrate.Applied}, states(t, m))

	files["001_a.sql"] = "create table a (id int);"
	files["002_b.sql"] = "create table b (id int);"
	m = migrator(t, d, folder(t, files))
	_, err = m.Up(ctx)
	assert.ErrorContains(t, err, "migrations/002_b.sql: it has not run, but later ones have")
	m, err = migrate.New(d, folder(t, files), migrate.Options{OutOfOrder: true})
	require.NoError(t, err)
	done, err := m.Up(ctx)
	require.NoError(t, err)
	assert.Equal(t, []int64{2}, versions(done))

	delete(files, "003_c.sql")
	m = migrator(t, d, folder(t, files))
	_, err = m.Up(ctx)
	assert.ErrorContains(t, err, "migration 3 (c): it ran on")
	_, err = m.Down(ctx, 1)
	assert.ErrorContains(t, err, "not among the migrations")
	assert.Equal(t, []migrate.State{migrate.Applied, migrate.Applied, migrate.Missing}, states(t, m))
}

func TestFunctionsAreMigrations(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		d := open(t, url)
		list := []migrate.Migration{
			{Version: 1, Name: "t", Up: migrate.Step{SQL: "create table t (n int)"}, Down: migrate.Step{SQL: "drop table t"}},
			{Version: 2, Name: "fill", Up: migrate.Step{Run: func(ctx context.Context, q db.Querier) error {
				for n := range 3 {
					if _, err := q.Exec(ctx, "insert into t values (?)", n); err != nil {
						return err
					}
				}
				return nil
			}}},
			{Version: 3, Name: "fails", Up: migrate.Step{File: "app.lua", Line: 12, Run: func(ctx context.Context, q db.Querier) error {
				_, err := q.Exec(ctx, "insert into t values (9)")
				return errors.Join(err, errors.New("boom"))
			}}},
		}
		m := migrator(t, d, list)
		done, err := m.Up(ctx)
		assert.Equal(t, []int64{1, 2}, versions(done))
		assert.ErrorContains(t, err, "app.lua:12: boom")
		v, _, err := db.Value(ctx, d, "select count(*) from t")
		require.NoError(t, err)
		assert.EqualValues(t, 3, v)
		_, err = m.Down(ctx, 1)
		if d.Engine() == db.MySQL {
			assert.ErrorContains(t, err, "half way", "what a function did there is not known")
		} else {
			assert.ErrorContains(t, err, "it has no way down")
		}
	})
}

func TestManyInstancesMigrateOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		if url == "sqlite::memory:" {
			t.Skip("a database in memory has one instance")
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		var ran []int64
		for range 5 {
			m := migrator(t, open(t, url), folder(t, three))
			wg.Go(func() {
				done, err := m.Up(ctx)
				assert.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				ran = append(ran, versions(done)...)
			})
		}
		wg.Wait()
		assert.ElementsMatch(t, []int64{1, 2, 3}, ran)
	})
}

func TestStatementsThatRefuseTransactions(t *testing.T) {
	d := open(t, peers.Postgres(t))
	_, err := migrator(t, d, folder(t, map[string]string{
		"001_a.sql": "create table a (data jsonb);",
		"002_b.sql": "-- +goose NO TRANSACTION\n-- +goose Up\ncreate index concurrently a_data on a ((data ? 'x'));\n-- +goose Down\ndrop index concurrently a_data;",
		"003_c.sql": "-- +goose Up\n-- +goose StatementBegin\ncreate function f() returns int as 'begin return 1; end;' language plpgsql;\n-- +goose StatementEnd\ncreate function g() returns int as $$ begin return 2; end; $$ language plpgsql;",
	})).Up(ctx)
	require.NoError(t, err)
	v, _, err := db.Value(ctx, d, "select f() + g()")
	require.NoError(t, err)
	assert.EqualValues(t, 3, v)

	lite := open(t, "sqlite::memory:")
	_, err = migrator(t, lite, folder(t, map[string]string{
		"001_a.sql": "create table a (n int);\ncreate table log (n int);\ncreate trigger t after insert on a begin\n insert into log values (case when new.n > 1 then 2 else 1 end);\n insert into log values (3);\nend;\ninsert into a values (5);",
		"002_b.sql": "-- +goose NO TRANSACTION\nvacuum;",
	})).Up(ctx)
	require.NoError(t, err)
	v, _, err = db.Value(ctx, lite, "select count(*) from log")
	require.NoError(t, err)
	assert.EqualValues(t, 2, v)
}

func TestFoldersThatAreWrong(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"migrations/first.sql: the name is not":          {"first.sql": "select 1"},
		"version 1 is also that of a migration called a": {"001_a.up.sql": "select 1", "01_b.up.sql": "select 1"},
		"migrations/001_a.up.sql is missing or empty":    {"001_a.down.sql": "select 1"},
		"migrations/004_empty.up.sql: the file is empty": {"004_empty.up.sql": ""},
		"goes up, too":                       {"001_a.up.sql": "select 1", "001_a.sql": "select 1"},
		"001_a.sql:3: a second -- +goose up": {"001_a.sql": "-- +goose Up\nselect 1;\n-- +goose Up"},
		"no -- +goose Up":                    {"001_a.sql": "-- +goose Down\nselect 1"},
		"variables of the environment are not put into migrations": {"001_a.sql": "-- +goose Up\n-- +goose ENVSUB ON\n"},
	} {
		_, err := read(files)
		assert.ErrorContains(t, err, want, "%v", files)
	}
	d := open(t, "sqlite::memory:")
	for want, text := range map[string]string{
		"001_a.sql:2: syntax: what begins with":                 "",
		"001_a.sql:3: there is no annotation \"statementbgin\"": "\n\n-- +goose StatementBgin\nselect 1;",
		"StatementBegin without StatementEnd":                   "-- +goose StatementBegin\nselect 1;",
		"there is nothing to do in it":                          "\n",
	} {
		list := []migrate.Migration{{Version: 1, Name: "a", Up: migrate.Step{SQL: text, File: "001_a.sql"}}}
		if text == "" {
			list[0].Up.SQL = "\nselect 'x"
		}
		_, err := migrate.New(d, list, migrate.Options{})
		assert.ErrorContains(t, err, want)
	}
}

func FuzzFolder(f *testing.F) {
	for _, text := range three {
		f.Add(text)
	}
	f.Add("-- +goose Up\n-- +goose StatementBegin\nx;\n-- +goose StatementEnd\n-- +goose Down")
	d, err := db.Open("sqlite::memory:", db.Options{})
	if err != nil {
		f.Fatal(err)
	}
	defer d.Close()
	f.Fuzz(func(t *testing.T, text string) {
		list, err := read(map[string]string{"001_a.sql": text})
		if err != nil {
			return
		}
		if _, err := migrate.New(d, list, migrate.Options{}); err != nil && !strings.Contains(err.Error(), "001_a.sql") {
			t.Errorf("an error without its file: %v", err)
		}
		_ = fmt.Sprint(list)
	})
}
