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
				"create temp table a (n int)": "with name as", "create temporary view a as select 1": "with name as", "create table if not exists temp.a (n int)": "with name as", "create virtual table temp.v using fts5(a)": "with name as",
				"pragma defer_foreign_keys = on":    "in a transaction",
				"explain pragma foreign_keys = off": "put it into the URL", "explain query plan pragma query_only = 1": "read only", "/* */ explain pragma main.ignore_check_constraints(1)": "in a migration", "explain query plan attach 'x.db' as x": "app:db",
			},
			db.Postgres: {
				"set search_path = x": "set local", "set session role x": "set local", "reset all": "set local", "set local work_mem = '1MB'": "means nothing outside of a transaction",
				"listen x": "nobody would hear", "prepare a as select 1": "kept prepared", "discard all": "kept prepared", "create temp table a (n int)": "on commit drop",
				"select set_config('work_mem', '1MB', false)": "true as the last argument", `with a as (select pg_catalog."set_config"('x.y', (1, true)::text, is_local => false)) select 1`: "true as the last argument",
				"select set_config('work_mem', '1MB', true)": "in a transaction", "select pg_advisory_lock(1)": "pg_advisory_xact_lock", "explain analyze select pg_try_advisory_lock_shared(1)": "pg_advisory_xact_lock",
				"create table pg_temp.a (n int)": "use it there", "select 1 as n into pg_temp.a": "use it there", "create function pg_temp.f() returns int language sql as 'select 1'": "use it there",
				"select set_config('a.x', '1', true), set_config('role', 'pg_monitor', false)": "true as the last argument", "select set_config('a.x', (select set_config('role', 'pg_monitor', false)), true)": "true as the last argument",
				"create temp table a as select 'on commit drop' as s": "on commit drop", `create temp table a as select 1 as "on commit drop"`: "on commit drop",
				"create temp view a as select 1": "on commit drop", "create temp sequence a": "on commit drop", "explain analyze create temp table a as select 1": "on commit drop", "explain (analyze, verbose) create temp table a as select 1": "on commit drop",
				"update pg_settings set setting = '1MB' where name = 'work_mem'": "set local", `with a as (update only pg_catalog."pg_settings" set setting = '1MB' returning 1) select 1`: "set local", "load 'x'": "one of several", "unlisten *": "nobody would hear",
				"select 1 as n into temp a": "on commit drop", "select 1 as n into local temporary a": "on commit drop",
			},
			db.MySQL: {
				"set names latin1": "put it into the URL", "set session sql_mode = ''": "put it into the URL", "set @@sql_mode = ''": "put it into the URL", "set autocommit = 0": "put it into the URL",
				"set @a = 1": "in a transaction", "use mysql": "database.table", "lock tables t read": "for update", "create temporary table a (n int)": "drop it there",
				"flush tables with read lock": "for every writer", "backup stage start": "for backups", "backup lock t": "for backups", "flush tables t for export": "for every writer", "xa start 'x'": "use a transaction", "select get_lock('a', 1)": "rws.lock",
				"/*!50000 set names latin1 */": "", "/*M!100000 set names latin1 */": "", "/*!999999 select */ /*! 1; */ set names latin1": "", "/*! commit */": "", "/*!40101 use mysql */": "",
				"select @x := 1": "in a transaction", "select 1 into @x": "in a transaction", "do get_lock('a', 1)": "rws.lock",
				"set global wait_timeout = 28800, session autocommit = 0": "put it into the URL", "set global wait_timeout = 28800, sql_mode = ''": `says "global"`, "set password = password('p'), time_zone = '+04:00'": "put it into the URL",
				"set global max_connections = greatest(151, 150), @a = 1": "in a transaction", "set @@global.wait_timeout = 28800, @@session.autocommit = 0": "put it into the URL",
				"set statement max_statement_time = 9 for begin": "transactions are begun", "set statement max_statement_time = 9 for # why\n commit": "transactions are begun", "set statement max_statement_time = 9 for xa start 'x'": "use a transaction",
				"set statement max_statement_time = 9 for set session autocommit = 0": "put it into the URL", "set statement max_statement_time = 9 for use mysql": "database.table", "set statement max_statement_time = 9 for lock tables t read": "for update",
				"/* */ set /* */ statement max_statement_time = (select 9), lock_wait_timeout = 9 for execute immediate 'select 1'": "kept prepared", "set statement max_statement_time = 9 for flush tables with read lock": "for every writer",
				"set statement max_statement_time = 9 for create temporary table a (n int)": "drop it there", "set statement max_statement_time = 9 for prepare a from 'select 1'": "kept prepared", "set statement max_statement_time = 9 for set @a = 5": "in a transaction",
				"set statement max_statement_time = 9 for set statement lock_wait_timeout = 9 for begin": "transactions are begun",
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
			db.Postgres: {"set local work_mem = '1MB'", "create temp table a (n int) on commit drop", "select set_config('work_mem', '1MB', true)", "select pg_advisory_xact_lock(1)"},
			db.MySQL:    {"set @a = 1", "create temporary table a (n int)", "select @x := 1", "select 1 into @x"},
		}[d.Engine()]
		for _, statement := range inTx {
			require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error { run(t, tx, statement); return nil }), statement)
		}
		notInTx := map[db.Engine][]string{
			db.SQLite: {"explain pragma ignore_check_constraints = 1"},
			db.Postgres: {
				"select set_config('a.x', '1', true), set_config('role', 'pg_monitor', false)", "with a as (select set_config('a.x', '1', true)), b as (select set_config('a.x', '1', false)) select 1",
				"create temp table a as select 'on commit drop' as s", `create temp table a as select 1 as "on commit drop"`,
			},
			db.MySQL: {
				"set statement max_statement_time = 9 for commit", "set statement max_statement_time = 9 for create table a (n int)", "set @a = 1, autocommit = 0", "set autocommit = (select @a := 0)",
				"set global max_connections = 151, @a = 1, session sql_mode = ''", "set password = password('p'), time_zone = '+04:00'",
			},
		}[d.Engine()]
		for _, statement := range notInTx {
			err := db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error { _, err := tx.Exec(ctx, statement); return err })
			assert.Equal(t, db.CodeRefused, db.CodeOf(err), statement)
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

func TestSettingsForOneStatementOrTheWholeServerPass(t *testing.T) {
	d := open(t, peers.MariaDB(t))
	run(t, d, "create table t (id int primary key auto_increment, n int)", "set global max_connections = 151, global wait_timeout = 28800", "set @@global.wait_timeout = 28800")
	r, err := d.Exec(ctx, "set statement max_statement_time = 9, lock_wait_timeout = (select 9) for insert into t (n) values (?)", 7)
	require.NoError(t, err)
	assert.EqualValues(t, 1, r.ID)
	assert.EqualValues(t, 7, value(t, d, "set statement max_statement_time = 9 for select n from t"))
	require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error { run(t, tx, "set statement max_statement_time = 9 for set @a = 5"); return nil }))
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

// What a block of code does cannot be seen, so its connection is not used again.
func TestAConnectionThatMayBeChangedIsLeft(t *testing.T) {
	d := open(t, peers.Postgres(t)+"&max_open=1")
	run(t, d, "do $$ begin perform set_config('work_mem', '1MB', false); end $$")
	assert.NotEqual(t, "1MB", value(t, d, "show work_mem"))
	hidden := []string{
		`select U&"set\005fconfig"('work_mem', '1MB', false)`, `select U&"set!005fconfig" UESCAPE '!' ('work_mem', '1MB', false)`,
		"select query_to_xml('select set_config(''work_mem'', ''1MB'', false)', true, true, '')", `create table U&"pg\005ftemp".hidden (n int)`,
	}
	for _, statement := range hidden {
		run(t, d, statement)
		assert.NotEqual(t, "1MB", value(t, d, "show work_mem"), statement)
	}
	_, err := d.Exec(ctx, "select * from hidden")
	assert.Equal(t, db.CodeNoTable, db.CodeOf(err))
	require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
		run(t, tx, "create table pg_temp.hidden (n int)", "insert into hidden values (1)", "set local search_path = pg_temp", "create table hidden_too (n int)")
		return nil
	}))
	for _, name := range []string{"hidden", "hidden_too"} {
		_, err = d.Exec(ctx, "select * from "+name)
		assert.Equal(t, db.CodeNoTable, db.CodeOf(err), name)
	}
	before := value(t, d, "select pg_backend_pid()")
	assert.Equal(t, before, value(t, d, "select pg_backend_pid() from pg_settings limit 1"), "what only reads keeps its connection")
	require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
		run(t, tx, "do $$ begin perform pg_advisory_lock(7); end $$")
		return nil
	}))
	assert.EqualValues(t, 0, value(t, d, "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"))
	run(t, d, "create table t (temp int, set_config text)", "insert into t (set_config) values ('into temp pg_advisory_lock(1)')")

	m := open(t, peers.MariaDB(t)+"?max_open=1")
	require.NoError(t, db.InTx(ctx, m, db.TxOptions{}, func(tx *db.Tx) error {
		run(t, tx, "set @a = 7", "create temporary table left_over (n int)")
		return nil
	}))
	assert.Nil(t, value(t, m, "select @a"))
	_, err = m.Exec(ctx, "select * from left_over")
	assert.Equal(t, db.CodeNoTable, db.CodeOf(err))
	assert.Equal(t, "a@b", value(t, m, "select 'a@b' where 1 = ?", 1))
}
