package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
)

func TestSQLiteBeginsWithTheRightSettings(t *testing.T) {
	d := file(t, "")
	for pragma, want := range map[string]any{
		"journal_mode": "wal", "foreign_keys": int64(1), "busy_timeout": int64(10000), "synchronous": int64(1),
	} {
		assert.Equal(t, want, value(t, d, "pragma "+pragma), pragma)
		assert.Equal(t, want, value(t, d, "select * from pragma_"+pragma), "%s of a reader", pragma)
	}
	assert.EqualValues(t, 2, value(t, file(t, "?synchronous=full"), "pragma synchronous"))
	_, err := d.Exec(ctx, `select "no column"`)
	assert.Equal(t, db.CodeNoColumn, db.CodeOf(err), "a name in quotes is never a text: %v", err)
}

func TestWritesFindTheWriter(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table t (n int)")
	for _, q := range []string{
		"insert into t values (1) returning n",
		"with a(n) as (select 2) insert into t select n from a returning n",
		"/* select */ insert into t values (3) returning n",
		"update t set n = 4 where n = 1 returning n",
	} {
		assert.Len(t, all(t, d, q), 1, q)
	}
	run(t, d, "pragma user_version = 7")
	assert.EqualValues(t, 7, value(t, d, "pragma user_version"))
	assert.Equal(t, [][]any{{int64(2)}, {int64(3)}, {int64(4)}}, all(t, d, "select n from t order by n"))
}

// A transaction of another process is another DB here: they share only the file.
func TestTwoProcessesWaitForEachOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	a, b := open(t, "sqlite:"+path), open(t, "sqlite:"+path+"?busy_timeout=200ms")
	run(t, a, "create table t (n int)")
	tx, err := a.Begin(ctx, db.TxOptions{})
	require.NoError(t, err)
	run(t, tx, "insert into t values (1)")
	_, err = b.Exec(ctx, "insert into t values (2)")
	assert.Equal(t, db.CodeBusy, db.CodeOf(err), "%v", err)
	assert.EqualValues(t, 0, value(t, b, "select count(*) from t"), "reading goes on")
	require.NoError(t, tx.Commit())
	_, err = b.Exec(ctx, "insert into t values (2)")
	require.NoError(t, err)

	c := open(t, "sqlite:"+path)
	var wg sync.WaitGroup
	for n := range 50 {
		d := []*db.DB{a, c}[n%2]
		wg.Go(func() {
			for range 5 {
				assert.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
					_, err := tx.Exec(ctx, "update t set n = n + 1")
					return err
				}))
				_, err := db.All(ctx, d, "select * from t")
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 2*250+3, value(t, b, "select sum(n) from t"))

	_, err = db.Open("sqlite:"+path+".missing?mode=rw", db.Options{})
	assert.Equal(t, db.CodeConnection, db.CodeOf(err), "%v", err)
	assert.NoFileExists(t, path+".missing")
}

func TestADatabaseInsideItsOwnTransactionSaysWhatIsWrong(t *testing.T) {
	d := file(t, "?wait=1s")
	run(t, d, "create table t (n int)")
	require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(*db.Tx) error {
		_, err := d.Exec(ctx, "insert into t values (1)")
		assert.Equal(t, db.CodeBusy, db.CodeOf(err))
		assert.ErrorContains(t, err, "a statement of the database instead of the transaction")
		return nil
	}))
}

func TestMemoryIsOneDatabase(t *testing.T) {
	d, other := open(t, "sqlite::memory:"), open(t, "sqlite::memory:")
	run(t, d, "create table t (n int)")
	tables, err := db.Tables(ctx, other)
	require.NoError(t, err)
	assert.Empty(t, tables, "another database in memory")
	tx, err := d.Begin(ctx, db.TxOptions{})
	require.NoError(t, err)
	run(t, tx, "insert into t values (1)")
	start := time.Now()
	_, _, err = db.Value(within(t, 50*time.Millisecond), d, "select count(*) from t")
	assert.Less(t, time.Since(start), 5*time.Second)
	assert.Equal(t, db.CodeTimeout, db.CodeOf(err), "in memory readers wait for a transaction: %v", err)
	require.NoError(t, tx.Commit())
	c, cancel := context.WithCancel(ctx)
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = d.Exec(c, "insert into t with recursive c(n) as (select 1 union all select n + 1 from c) select n from c")
	assert.Equal(t, db.CodeCanceled, db.CodeOf(err))
	assert.EqualValues(t, 1, value(t, d, "select count(*) from t"), "it survives the loss of a connection")
}

func TestBackupWhileWriting(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table t (n integer primary key, double int)")
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; !stop.Load(); n++ {
			assert.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
				_, err := tx.Exec(ctx, "insert into t values (?, 0)", n)
				if err != nil {
					return err
				}
				_, err = tx.Exec(ctx, "update t set double = 2 * n where n = ?", n)
				return err
			}))
		}
	})
	path := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, open(t, "sqlite:"+path).Close(), "an older backup")
	var streamed bytes.Buffer
	for range 3 {
		require.NoError(t, d.Backup(ctx, path))
		streamed.Reset()
		require.NoError(t, d.BackupTo(ctx, &streamed))
	}
	stop.Store(true)
	wg.Wait()
	copied, err := db.Open("sqlite:"+path, db.Options{})
	require.NoError(t, err)
	require.NoError(t, copied.Check(ctx))
	assert.EqualValues(t, 0, value(t, copied, "select count(*) from t where double <> 2 * n"), "half a transaction")
	require.NoError(t, copied.Close())
	assert.True(t, bytes.HasPrefix(streamed.Bytes(), []byte("SQLite format 3")))
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	for _, e := range left {
		assert.NotContains(t, e.Name(), "backup", "a temporary file is left")
	}
	err = d.Backup(within(t, time.Nanosecond), path)
	assert.Equal(t, db.CodeTimeout, db.CodeOf(err))
	assert.ErrorContains(t, d.Backup(ctx, filepath.Join(path, "x", "y")), "not a directory")
	assert.Equal(t, db.CodeOther, db.CodeOf(d.Backup(ctx, filepath.Join(path, "x", "y"))))
	live := filepath.Join(filepath.Dir(path), "link.db")
	require.NoError(t, os.Link(strings.TrimPrefix(d.String(), "sqlite:"), live))
	assert.ErrorContains(t, d.Backup(ctx, live), "would replace the database itself")
}

func TestABackupRemovesWhatKilledOnesLeft(t *testing.T) {
	d, dir := file(t, ""), t.TempDir()
	for name, age := range map[string]time.Duration{"dead": 25 * time.Hour, "alive": time.Hour} {
		copied := filepath.Join(dir, ".rws-backup-"+name, "copy")
		require.NoError(t, os.Mkdir(filepath.Dir(copied), 0o700))
		require.NoError(t, os.WriteFile(copied, []byte("x"), 0o600))
		at := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(copied, at, at))
	}
	require.NoError(t, d.Backup(ctx, filepath.Join(dir, "b.db")))
	assert.NoDirExists(t, filepath.Join(dir, ".rws-backup-dead"))
	assert.DirExists(t, filepath.Join(dir, ".rws-backup-alive"))
}

func TestABackupReplacesOnlyBackups(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table t (n int)", "insert into t values (1)")
	source := strings.TrimPrefix(d.String(), "sqlite:")
	require.NoError(t, os.Chmod(source, 0o640))
	folder := t.TempDir()
	script := filepath.Join(folder, "app.lua")
	require.NoError(t, os.WriteFile(script, []byte("app:get()"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(folder, "folder"), 0o700))
	other := filepath.Join(folder, "other.db")
	open2, err := db.Open("sqlite:"+other, db.Options{})
	require.NoError(t, err)
	run(t, open2, "create table precious (n int)")
	for name, want := range map[string]string{"app.lua": "which is no SQLite database", "folder": "which is no file", "other.db": "a database that is open"} {
		err := d.Backup(ctx, filepath.Join(folder, name))
		assert.Equal(t, db.CodeRefused, db.CodeOf(err), name)
		assert.ErrorContains(t, err, want)
	}
	require.NoError(t, open2.Close())
	for range 2 {
		require.NoError(t, d.Backup(ctx, other), "a file that nobody has open is a backup")
	}
	info, err := os.Stat(other)
	require.NoError(t, err)
	assert.EqualValues(t, 0o640, info.Mode().Perm(), "as private as the database")
	assert.EqualValues(t, 1, value(t, open(t, "sqlite:"+other), "select n from t"))
	memory := open(t, "sqlite::memory:")
	run(t, memory, "create table m (n int)")
	require.NoError(t, memory.Backup(ctx, filepath.Join(folder, "memory.db")))
	assert.EqualValues(t, 0, value(t, open(t, "sqlite:"+filepath.Join(folder, "memory.db")), "select count(*) from m"))
}

func TestADamagedDatabaseLeavesTheOlderBackup(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table t (n integer primary key, s text)", "create index i on t (s)")
	run(t, d, "insert into t with recursive c(n) as (select 1 union all select n + 1 from c where n < 2000) select n, hex(randomblob(20)) from c")
	backup := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, d.Backup(ctx, backup))
	require.NoError(t, d.Checkpoint(ctx))
	path := strings.TrimPrefix(d.String(), "sqlite:")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, 8192), 3*4096)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	broken, err := db.Open("sqlite:"+path, db.Options{})
	require.NoError(t, err)
	defer broken.Close()
	err = broken.Backup(ctx, backup)
	assert.Equal(t, db.CodeCorrupt, db.CodeOf(err), "%v", err)
	require.NoError(t, open(t, "sqlite:"+backup).Check(ctx))
}

func TestCheckFindsDamage(t *testing.T) {
	d := file(t, "?foreign_keys=off")
	run(t, d, "create table a (id integer primary key)", "create table b (a int references a (id))")
	require.NoError(t, d.Check(ctx))
	run(t, d, "insert into b values (7)")
	err := d.Check(ctx)
	assert.Equal(t, db.CodeCorrupt, db.CodeOf(err))
	assert.ErrorContains(t, err, "row 1 of b refers to a row of a that is missing")

	path := filepath.Join(t.TempDir(), "no.db")
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("not a database "), 1000), 0o600))
	_, err = db.Open("sqlite:"+path, db.Options{})
	require.Error(t, err)
	assert.Equal(t, db.CodeCorrupt, db.CodeOf(err))
	_, err = db.Open("sqlite:"+filepath.Join(path, "nowhere", "x.db"), db.Options{})
	require.Error(t, err)
}

func TestClosingLeavesOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test 100%?#.db")
	d, err := db.Open("sqlite:"+path[:len(path)-len("?#.db")]+".db", db.Options{})
	require.NoError(t, err)
	run(t, d, "create table t (n int)", "insert into t values (1)")
	assert.EqualValues(t, 1, value(t, d, "select count(*) from t"))
	require.NoError(t, d.Close())
	require.NoError(t, d.Close(), "again")
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "the log was moved into the file")
	assert.Equal(t, "test 100%.db", entries[0].Name())
	_, err = d.Query(ctx, "select 1")
	assert.Equal(t, db.CodeClosed, db.CodeOf(err))
	_, err = d.Begin(ctx, db.TxOptions{})
	assert.Equal(t, db.CodeClosed, db.CodeOf(err))

	d = open(t, "sqlite:"+filepath.Join(filepath.Dir(path), "test 100%.db")+"?mode=ro")
	assert.EqualValues(t, 1, value(t, d, "select n from t"))
	_, err = d.Exec(ctx, "insert into t values (2)")
	assert.Equal(t, db.CodeReadOnly, db.CodeOf(err))
}

func TestDeclaredTypesOfSQLite(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table t (b boolean, d date, at datetime, z timestamptz, j json, n numeric, x)",
		"insert into t values (1, '2026-01-02', '2026-01-02 03:04:05', '2026-01-02T03:04:05+01:00', '[1]', 1.5, x'00')",
		"insert into t values (2, 'soon', 17, 'later', 3, 'text', 'y')")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	assert.Equal(t, [][]any{
		{true, "2026-01-02", at, at.Add(-time.Hour), db.JSON("[1]"), 1.5, db.Blob{0}},
		{int64(2), "soon", int64(17), "later", int64(3), "text", "y"},
	}, all(t, d, "select * from t"))
	run(t, d, "create table s (at timestamp default current_timestamp)")
	_, err := d.Exec(ctx, "insert into s values (?)", at)
	require.NoError(t, err)
	assert.EqualValues(t, 1, value(t, d, "select count(*) from s where at = datetime('2026-01-02 03:04:05')"), "as SQLite's own functions write it")
	assert.EqualValues(t, 1, value(t, d, "select count(*) from s where at < current_timestamp"))
}

// SQLite has no decimals: its numbers are whole or floating.
func TestDecimalsOfSQLiteAreNumbersUnlessDeclaredText(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table t (price decimal(10, 2), exact text)")
	for _, text := range []string{"1.10", "0.1", "100.00", "12345678901234567890.12", "-7.5e3", "n/a"} {
		_, err := d.Exec(ctx, "insert into t values (?, ?)", text, text)
		require.NoError(t, err)
		assert.Equal(t, text, value(t, d, "select exact from t where exact = ?", text))
	}
	assert.Equal(t, [][]any{{1.1}, {0.1}, {int64(100)}, {12345678901234567000.0}, {int64(-7500)}, {"n/a"}}, all(t, d, "select price from t"))
}

func TestReadersAreNotHeldUpByAWriter(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table t (n int)", "insert into t values (1)")
	tx, err := d.Begin(ctx, db.TxOptions{})
	require.NoError(t, err)
	defer tx.Rollback()
	run(t, tx, "update t set n = 2")
	for range 50 {
		assert.EqualValues(t, 1, value(t, d, "select n from t"))
	}
	before, err := d.Begin(ctx, db.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	defer before.Rollback()
	assert.EqualValues(t, 1, value(t, before, "select n from t"))
	require.NoError(t, tx.Commit())
	assert.EqualValues(t, 1, value(t, before, "select n from t"), "one state of the data")
	assert.EqualValues(t, 2, value(t, d, "select n from t"))
}

func TestAnAbandonedResultDoesNotStopTheWriter(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table t (n int)")
	for n := range 100 {
		run(t, d, fmt.Sprintf("insert into t values (%d)", n))
	}
	c, cancel := context.WithCancel(ctx)
	rows, err := d.Query(c, "select * from t")
	require.NoError(t, err)
	require.True(t, rows.Next())
	run(t, d, "insert into t values (100)")
	cancel()
	for rows.Next() {
	}
	assert.True(t, rows.Err() == nil || errors.Is(rows.Err(), context.Canceled))
	_ = rows.Close()
	idle(t, d)
}

func TestATransactionThatTheEngineRolledBackIsOver(t *testing.T) {
	for _, url := range []string{"sqlite:" + filepath.Join(t.TempDir(), "test.db"), "sqlite::memory:"} {
		d := open(t, url)
		run(t, d, "create table t (n int)")
		tx, err := d.Begin(ctx, db.TxOptions{})
		require.NoError(t, err)
		run(t, tx, "insert into t values (1)")
		_, err = tx.Exec(ctx, "insert into nowhere values (1)")
		require.Error(t, err)
		run(t, tx, "insert into t values (2)") // a wrong statement alone ends nothing
		_, err = tx.Exec(within(t, 50*time.Millisecond), "insert into t with recursive c(n) as (select 1 union all select n + 1 from c) select n from c")
		assert.Equal(t, db.CodeTimeout, db.CodeOf(err), "%v", err)
		_, err = tx.Exec(ctx, "insert into t values (3)")
		assert.Equal(t, db.CodeAborted, db.CodeOf(err), "%v", err)
		_, err = tx.Query(ctx, "select 1")
		assert.Equal(t, db.CodeAborted, db.CodeOf(err), "%v", err)
		assert.Equal(t, db.CodeAborted, db.CodeOf(tx.Commit()))
		require.NoError(t, tx.Rollback())
		assert.EqualValues(t, 0, value(t, d, "select count(*) from t"), "a part of a transaction was kept")
		idle(t, d)
	}
}

func TestTheEndWaitsForNoOtherWriter(t *testing.T) {
	path := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	other, one := open(t, path), open(t, path)
	run(t, one, "create table a (n int)", "insert into a values (1)")
	tx, err := other.Begin(ctx, db.TxOptions{})
	require.NoError(t, err)
	run(t, tx, "insert into a values (2)")
	start := time.Now()
	require.NoError(t, one.Close())
	assert.Less(t, time.Since(start), 5*time.Second, "the other one writes for longer than busy_timeout")
	require.NoError(t, tx.Commit())
	assert.EqualValues(t, 2, value(t, other, "select count(*) from a"))
}
