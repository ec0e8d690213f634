package db_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

func TestWhatWouldStayOnAConnectionIsRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		refused := map[db.Engine]map[string]string{
			db.SQLite: {
				"pragma foreign_keys=off": "put it into the URL", `/* */ PRAGMA main."foreign_keys" (0)`: "put it into the URL", "pragma journal_mode = delete": "write-ahead",
				"pragma query_only(1)": "read only", "pragma recursive_triggers=1": "in a migration", "pragma [synchronous] = off": "put it into the URL",
				"attach 'x.db' as x": "app:db", "detach x": "app:db", "vacuum into '/tmp/x'": "db:backup", "vacuum main into ?": "db:backup",
				"create temp table a (n int)": "with name as", "create temporary view a as select 1": "with name as", "create table if not exists temp.a (n int)": "with name as",
				"pragma defer_foreign_keys = on": "in a transaction",
			},
			db.Postgres: {
				"set search_path = x": "set local", "set session role x": "set local", "reset all": "set local", "set local work_mem = '1MB'": "means nothing outside of a transaction",
				"listen x": "nobody would hear", "prepare a as select 1": "kept prepared", "discard all": "kept prepared", "create temp table a (n int)": "on commit drop",
			},
			db.MySQL: {
				"set names latin1": "put it into the URL", "set session sql_mode = ''": "put it into the URL", "set @@sql_mode = ''": "put it into the URL", "set autocommit = 0": "put it into the URL",
				"set @a = 1": "in a transaction", "use mysql": "database.table", "lock tables t read": "for update", "create temporary table a (n int)": "drop it there",
			},
		}[d.Engine()]
		for statement, want := range refused {
			args := make([]any, strings.Count(statement, "?"))
			_, err := d.Exec(ctx, statement, args...)
			assert.Equal(t, db.CodeRefused, db.CodeOf(err), statement)
			assert.ErrorContains(t, err, want, statement)
			_, err = db.All(ctx, d, statement, args...)
			assert.Equal(t, db.CodeRefused, db.CodeOf(err), statement)
			if len(args) == 0 {
				assert.Equal(t, db.CodeRefused, db.CodeOf(db.Script(ctx, d, "select 1;"+statement)), statement)
			}
		}
		inTx := map[db.Engine][]string{
			db.SQLite:   {"pragma defer_foreign_keys = on"},
			db.Postgres: {"set local work_mem = '1MB'", "create temp table a (n int) on commit drop"},
			db.MySQL:    {"set @a = 1", "create temporary table a (n int)", "drop temporary table a"},
		}[d.Engine()]
		for _, statement := range inTx {
			require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error { run(t, tx, statement); return nil }), statement)
		}
		lasting := map[db.Engine]string{db.SQLite: "pragma foreign_keys = off", db.Postgres: "set work_mem = '1MB'", db.MySQL: "set names latin1"}[d.Engine()]
		err := db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error { _, err := tx.Exec(ctx, lasting); return err })
		assert.Equal(t, db.CodeRefused, db.CodeOf(err), lasting)
		s, err := d.Session(ctx)
		require.NoError(t, err)
		run(t, s, lasting)
		require.NoError(t, s.Close())
	})
}

func TestWhatOnlyReadsOrIsKeptIsNotRefused(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table temp_notes (a text, temp int)", "create index temp on temp_notes (temp)", "pragma user_version = 7", "pragma wal_checkpoint(truncate)",
		"pragma optimize", "vacuum", "analyze")
	for _, statement := range []string{"pragma foreign_keys", "pragma table_info(temp_notes)", "pragma main.table_info('temp_notes')", "pragma journal_mode", "pragma integrity_check(3)"} {
		_, err := db.All(ctx, d, statement)
		assert.NoError(t, err, statement)
	}
}

func TestATransactionOfMySQLIsNotCommittedByAChangeOfTables(t *testing.T) {
	d := open(t, peers.MariaDB(t))
	run(t, d, "create table t (n int)")
	for _, statement := range []string{"create table u (n int)", "alter table t add m int", "drop table t", "truncate table t", "rename table t to u", "create index i on t (n)"} {
		err := db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
			run(t, tx, "insert into t values (1)")
			_, err := tx.Exec(ctx, statement)
			return err
		})
		assert.Equal(t, db.CodeRefused, db.CodeOf(err), statement)
		assert.ErrorContains(t, err, "ends the transaction: MySQL commits", statement)
		assert.EqualValues(t, 0, value(t, d, "select count(*) from t"), "rolled back")
	}
}
