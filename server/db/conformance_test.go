package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

var ctx = context.Background()

func TestParametersAreTheSameEverywhere(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		run(t, d, "insert into users (email, age) values ('a@x', 20), ('b@x', 30), ('c?x :age', null)")
		assert.Equal(t, "a@x", value(t, d, "select email from users where age = ? and email = ?", 20, "a@x"))
		assert.Equal(t, "b@x", value(t, d, "select email from users where age = :age and :age > 20 -- :no ?", db.Named{"age": 30}))
		assert.Equal(t, "c?x :age", value(t, d, "select email /* ? :x */ from users where email = 'c?x :age' and 1 = ?", 1))
		assert.EqualValues(t, 2, value(t, d, "select count(*) from users where email in (?)", db.List{"a@x", "b@x", "none"}))
		assert.EqualValues(t, 0, value(t, d, "select count(*) from users where email in (:e) and age > :a", db.Named{"e": db.List{}, "a": 1}))
		assert.EqualValues(t, 1, value(t, d, "select count(*) from users where age is null"))
	})
}

func TestParametersThatDoNotFit(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		for _, c := range []struct {
			sql  string
			args []any
			want string
		}{
			{"select ?", nil, "the statement has 1 parameter and was given no values"},
			{"select 1", []any{1}, "the statement has no parameters and was given 1 value"},
			{"select :user", []any{db.Named{"usr": 1}}, `parameter :user has no value (did you mean "usr"?)`},
			{"select :user", []any{db.Named{"user": 1, "x": 2}}, `a value is given for "x", but the statement has no :x`},
			{"select :user", []any{1}, "give their values by name"},
			{"select ?, :user", []any{1}, "in one way in a statement"},
			{"select 'x", nil, "does not end"},
			{"select 1; select 2", nil, "more than one statement"},
			{"delete from x \x00 where n = 1", nil, "U+0000"},
			{"select ?", []any{struct{}{}}, "a struct {} cannot be stored"},
		} {
			_, err := d.Query(ctx, c.sql, c.args...)
			require.ErrorContains(t, err, c.want)
			assert.Equal(t, db.CodeParameters, db.CodeOf(err))
		}
		idle(t, d)
	})
}

func TestIntegersStayExact(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table n (n bigint)")
		for _, n := range []int64{0, -1, 1<<53 + 1, 1<<63 - 1, -1 << 63} {
			run(t, d, "delete from n")
			_, err := d.Exec(ctx, "insert into n values (?)", n)
			require.NoError(t, err)
			assert.Equal(t, n, value(t, d, "select n from n"))
		}
	})
}

func TestValuesComeBackAsTheyWent(t *testing.T) {
	blob := map[db.Engine]string{db.SQLite: "blob", db.Postgres: "bytea", db.MySQL: "blob"}
	stamp := map[db.Engine]string{db.SQLite: "timestamp", db.Postgres: "timestamptz", db.MySQL: "datetime(6)"}
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table v (t text, f double precision, b "+blob[d.Engine()]+", at "+stamp[d.Engine()]+", day date, yes boolean, d decimal(30,10))")
		at := time.Date(2026, 2, 28, 23, 59, 59, 123456000, time.FixedZone("", 3600))
		in := []any{"tëxt'\"\\", 1.5, []byte{0, 255, 'x'}, at, "2026-02-28", true, "12345678901234567890.0123456789"}
		_, err := d.Exec(ctx, "insert into v values (?,?,?,?,?,?,?)", in...)
		require.NoError(t, err)
		_, err = d.Exec(ctx, "insert into v values (?,?,?,?,?,?,?)", nil, nil, nil, nil, nil, nil, nil)
		require.NoError(t, err)

		rows := all(t, d, "select * from v order by t is null")
		want := []any{"tëxt'\"\\", 1.5, db.Blob{0, 255, 'x'}, at.UTC(), "2026-02-28", true, "12345678901234567890.0123456789"}
		switch d.Engine() {
		case db.MySQL:
			want[5] = int64(1) // its boolean is a tinyint
		case db.SQLite:
			want[6] = 12345678901234567890.0123456789 // it has no decimals
		}
		assert.Equal(t, want, rows[0])
		assert.Equal(t, []any{nil, nil, nil, nil, nil, nil, nil}, rows[1])
		assert.Equal(t, want[3], value(t, d, "select at from v where at = ?", at), "a time is found by itself")
	})
}

func TestJSONIsRaw(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table j (j json)")
		_, err := d.Exec(ctx, "insert into j values (?)", db.JSON(`{"a": [1, "x"]}`))
		require.NoError(t, err)
		v := value(t, d, "select j from j")
		if d.Engine() == db.MySQL { // MariaDB's json is a text
			assert.Equal(t, `{"a": [1, "x"]}`, v)
			return
		}
		assert.Equal(t, db.JSON(`{"a": [1, "x"]}`), v)
	})
}

func TestAListIsJSONInAColumnOfJSON(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table j (id int primary key, j json)")
		read := func() any {
			v := value(t, d, "select j from j where id = :id", db.Named{"id": 1})
			if text, ok := v.(string); ok { // MariaDB
				return db.JSON(text)
			}
			return v
		}
		for n, text := range []db.JSON{"[1,2]", "[]", "{}", `[[1],{"a":null}]`} {
			for _, made := range []bool{false, true} {
				list := db.Either{List: make(db.List, n), JSON: text, Array: made}
				_, err := db.Upsert(ctx, d, "j", []db.Field{{"id", 1}, {"j", list}}, []string{"id"}, nil)
				require.NoError(t, err)
				assert.Equal(t, text, read())
				run(t, d, "delete from j")
				_, err = db.Insert(ctx, d, "j", []db.Field{{"id", 1}, {"j", list}})
				require.NoError(t, err)
				assert.Equal(t, text, read())
				run(t, d, "update j set j = null")
				require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
					_, err := db.Update(ctx, tx, "j", []db.Field{{"j", list}}, db.Raw("id = ?", 1))
					return err
				}))
				assert.Equal(t, text, read())
			}
		}
		_, err := d.Exec(ctx, "insert into j values (2, :list)", db.Named{"list": db.Either{JSON: "[3]"}})
		require.NoError(t, err)
		none := db.Either{List: db.List{7}, Err: errors.New("no JSON")}
		assert.EqualValues(t, 0, value(t, d, "select count(*) from j where id in (?)", none), "as values it is fine")
		_, err = d.Exec(ctx, "update j set j = ?", none)
		assert.ErrorContains(t, err, "parameter 1: no JSON")
		lists := db.List{db.Either{JSON: "[1]"}, db.Either{JSON: "[3]"}}
		assert.EqualValues(t, 1, value(t, d, "select count(*) from j where cast(j as "+map[db.Engine]string{
			db.SQLite: "text", db.Postgres: "text", db.MySQL: "char"}[d.Engine()]+") in (?)", lists), "a list of lists")
	})
}

func TestBytesThatAreNoTextStayBytes(t *testing.T) {
	blob := map[db.Engine]string{db.SQLite: "blob", db.Postgres: "bytea", db.MySQL: "blob"}
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table b (b "+blob[d.Engine()]+")")
		_, err := d.Exec(ctx, "insert into b values (?)", "\xff\xfe\x00")
		require.NoError(t, err)
		assert.Equal(t, db.Blob("\xff\xfe\x00"), value(t, d, "select b from b"))
	})
}

func TestErrorsHaveTheSameCodes(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		run(t, d, "create table notes (id int primary key, user_id bigint not null, constraint owner foreign key (user_id) references users (id))",
			"insert into users (email, age) values ('secret@x', 20)")
		for _, c := range []struct {
			code db.Code
			sql  string
			args []any
		}{
			{db.CodeUnique, "insert into users (email, age) values (?, 20)", []any{"secret@x"}},
			{db.CodeForeignKey, "insert into notes values (1, 99)", nil},
			{db.CodeCheck, "insert into users (email, age) values ('b@x', 3)", nil},
			{db.CodeNotNull, "insert into users (email) values (?)", []any{nil}},
			{db.CodeSyntax, "selct 1", nil},
			{db.CodeNoTable, "select * from nowhere", nil},
			{db.CodeNoColumn, "select missing from users", nil},
			{db.CodeRefused, "begin", nil},
			{db.CodeRefused, "/* x */ COMMIT", nil},
			{db.CodeSyntax, " -- nothing", nil},
		} {
			_, err := d.Exec(ctx, c.sql, c.args...)
			require.Error(t, err, c.sql)
			e, ok := errors.AsType[*db.Error](err)
			require.True(t, ok)
			assert.Equal(t, c.code, e.Code, "%s: %v", c.sql, err)
			assert.Equal(t, c.sql, e.Statement)
			assert.NotContains(t, err.Error(), "secret@x", "a value is in the message")
		}
		_, err := d.Exec(ctx, "insert into users (email, age) values ('secret@x', 20)")
		e, _ := errors.AsType[*db.Error](err)
		if d.Engine() == db.SQLite {
			assert.Equal(t, "users.email", e.Table+"."+e.Column)
		} else {
			assert.Contains(t, e.Constraint, "email_once")
		}
		idle(t, d)
	})
}

func TestTransactions(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		count := func() any { return value(t, d, "select count(*) from users") }
		boom := errors.New("boom")
		err := db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
			run(t, tx, "insert into users (email, age) values ('a@x', 20)")
			assert.EqualValues(t, 1, value(t, tx, "select count(*) from users"))
			return boom
		})
		require.ErrorIs(t, err, boom)
		assert.EqualValues(t, 0, count())

		require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
			run(t, tx, "insert into users (email, age) values ('a@x', 20)")
			err := db.InTx(ctx, tx, db.TxOptions{}, func(inner *db.Tx) error {
				run(t, inner, "insert into users (email, age) values ('b@x', 20)")
				_, err := inner.Exec(ctx, "insert into users (email, age) values ('a@x', 20)")
				return err
			})
			assert.Equal(t, db.CodeUnique, db.CodeOf(err))
			return db.InTx(ctx, tx, db.TxOptions{}, func(inner *db.Tx) error {
				run(t, inner, "insert into users (email, age) values ('c@x', 20)")
				return nil
			})
		}))
		assert.EqualValues(t, 2, count())

		tx, err := d.Begin(ctx, db.TxOptions{})
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
		require.NoError(t, tx.Commit(), "again")
		require.NoError(t, tx.Rollback(), "after the commit")
		_, err = tx.Exec(ctx, "delete from users")
		assert.Equal(t, db.CodeClosed, db.CodeOf(err))
		assert.ErrorContains(t, err, "committed before")

		tx, err = d.Begin(ctx, db.TxOptions{ReadOnly: true})
		require.NoError(t, err)
		assert.EqualValues(t, 2, value(t, tx, "select count(*) from users"))
		_, err = tx.Exec(ctx, "delete from users")
		assert.Equal(t, db.CodeReadOnly, db.CodeOf(err), "%v", err)
		require.NoError(t, tx.Rollback())
		require.Error(t, tx.Commit())
		idle(t, d)
	})
}

func TestTheEndOfItsContextRollsATransactionBack(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		c, cancel := context.WithCancel(ctx)
		tx, err := d.Begin(c, db.TxOptions{})
		require.NoError(t, err)
		run(t, tx, "insert into users (email, age) values ('a@x', 20)")
		cancel()
		_, err = tx.Exec(ctx, "insert into users (email, age) values ('b@x', 20)")
		assert.Equal(t, db.CodeCanceled, db.CodeOf(err), "%v", err)
		assert.Error(t, tx.Commit())
		assert.NoError(t, tx.Rollback())
		assert.EqualValues(t, 0, value(t, d, "select count(*) from users"))
		idle(t, d)
	})
}

func TestStatementsRunWhileRowsAreRead(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		for n := range 50 {
			run(t, d, fmt.Sprintf("insert into users (email, age) values ('%d@x', 20)", n))
		}
		for _, q := range []db.Querier{d, nil} {
			var tx *db.Tx
			if q == nil {
				var err error
				tx, err = d.Begin(ctx, db.TxOptions{})
				require.NoError(t, err)
				q = tx
			}
			rows, err := q.Query(ctx, "select id, email from users order by id")
			require.NoError(t, err)
			seen := 0
			for rows.Next() {
				_, err := q.Exec(ctx, "update users set age = age + 1 where id = ?", rows.Values()[0])
				require.NoError(t, err)
				assert.Equal(t, fmt.Sprintf("%d@x", seen), rows.Values()[1])
				seen++
			}
			require.NoError(t, rows.Close())
			assert.Equal(t, 50, seen)
			if tx != nil {
				require.NoError(t, tx.Commit())
			}
		}
		assert.EqualValues(t, 50, value(t, d, "select count(*) from users where age = 22"))
		idle(t, d)
	})
}

// slow is a query that takes long before its first row, and endless one that does after it.
var slow = map[db.Engine][]string{
	db.SQLite: {
		"with recursive c(n) as (select 1 union all select n + 1 from c) select max(n) from c",
		"with recursive c(n) as (select 1 union all select n + 1 from c) select n from c where n < 3 or n < 0",
	},
	db.Postgres: {"select pg_sleep(60)", "select n, case when n > 2 then pg_sleep(30) end from generate_series(1, 100) n"},
	db.MySQL:    {"select sleep(60)", "select seq, case when seq > 100000 then sleep(30) end from seq_1_to_200000"},
}

func TestADeadlineEndsAQuery(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		for _, q := range slow[d.Engine()] {
			start := time.Now()
			_, err := db.All(within(t, 150*time.Millisecond), d, q)
			require.Error(t, err, q)
			assert.Equal(t, db.CodeTimeout, db.CodeOf(err), "%v", err)
			assert.Less(t, time.Since(start), 5*time.Second, q)
		}
		tx, err := d.Begin(ctx, db.TxOptions{})
		require.NoError(t, err)
		_, err = db.All(within(t, 100*time.Millisecond), tx, slow[d.Engine()][0])
		assert.Equal(t, db.CodeTimeout, db.CodeOf(err), "%v", err)
		require.NoError(t, tx.Rollback())
		idle(t, d)
		assert.EqualValues(t, 1, value(t, d, "select 1"))
	})
}

func TestCancellingEndsAQuery(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		c, cancel := context.WithCancel(ctx)
		time.AfterFunc(100*time.Millisecond, cancel)
		_, err := db.All(c, d, slow[d.Engine()][0])
		assert.Equal(t, db.CodeCanceled, db.CodeOf(err), "%v", err)
		idle(t, d)
	})
}

func TestATableMayChangeUnderAPreparedStatement(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table t (a int)", "insert into t values (1)")
		const q = "select * from t where a = ?"
		assert.Len(t, all(t, d, q, 1)[0], 1)
		run(t, d, "alter table t add column b varchar(10) default 'x'")
		assert.Equal(t, []any{int64(1), "x"}, all(t, d, q, 1)[0])
		run(t, d, "drop table t", "create table t (b varchar(10), a int)", "insert into t values ('y', 1)")
		assert.Equal(t, []any{"y", int64(1)}, all(t, d, q, 1)[0])
	})
}

func TestAffectedRowsAndIDs(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		r, err := d.Exec(ctx, "insert into users (email, age) values ('a@x', 20)")
		require.NoError(t, err)
		assert.EqualValues(t, 1, r.Affected)
		if d.Engine() != db.Postgres {
			assert.EqualValues(t, 1, r.ID)
		}
		r, err = d.Exec(ctx, "update users set age = 20")
		require.NoError(t, err)
		assert.EqualValues(t, 1, r.Affected, "a row that is set to what it was has been found")
		r, err = d.Exec(ctx, "delete from users where age = 99")
		require.NoError(t, err)
		assert.Equal(t, db.Result{}, r)
	})
}

func TestManyReadersAndWriters(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		users(t, d)
		run(t, d, "insert into users (email, age) values ('count', 18)")
		var wg sync.WaitGroup
		for n := range 50 {
			wg.Go(func() {
				for range 10 {
					err := db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
						_, err := tx.Exec(ctx, "update users set age = age + 1 where email = ?", "count")
						return err
					})
					assert.NoError(t, err)
					_, _, err = db.Value(ctx, d, "select age from users where email = ?", "count")
					assert.NoError(t, err)
				}
				_, err := d.Exec(ctx, "insert into users (email, age) values (?, 20)", fmt.Sprint(n))
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		assert.EqualValues(t, 518, value(t, d, "select age from users where email = 'count'"))
		assert.EqualValues(t, 51, value(t, d, "select count(*) from users"))
		idle(t, d)
	})
}

// MariaDB looks every five seconds whether who waits for a sleep is still there: that would be
// too late.
func TestTheServerStopsWorkingWhenTheDeadlineHasPassed(t *testing.T) {
	for name, url := range map[string]string{"postgres": peers.Postgres(t), "mariadb": peers.MariaDB(t)} {
		d := open(t, url)
		working := map[db.Engine]string{
			db.Postgres: "select count(*) from pg_stat_activity where state = 'active' and query like 'select 7, pg_sleep%'",
			db.MySQL:    "select count(*) from information_schema.processlist where info like 'select 7, sleep%'",
		}[d.Engine()]
		endless := map[db.Engine]string{db.Postgres: "select 7, pg_sleep(60)", db.MySQL: "select 7, sleep(60)"}[d.Engine()]
		for _, q := range []func(context.Context) error{
			func(c context.Context) error { _, err := d.Exec(c, endless); return err },
			func(c context.Context) error { _, err := db.All(c, d, endless+" where 1 = ?", 1); return err },
		} {
			require.Error(t, q(within(t, 100*time.Millisecond)))
			require.Eventually(t, func() bool { return value(t, d, working) == int64(0) }, 3*time.Second, 5*time.Millisecond, name)
		}
	}
}

func TestNothingIsInAnEmptyList(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table t (id int, name varchar(20), at timestamp null, price decimal(10,2))",
			"insert into t (id, name, at, price) values (1, 'a', '2026-01-31 00:00:00', 1.5)", "insert into t (id) values (2)")
		for _, column := range []string{"id", "name", "at", "price", "(id + 1)", "lower(name)"} {
			for condition, want := range map[string]int{
				" in (?)": 0, " not in (?)": 2, "\nNOT\n IN( ? )": 2, " In(?)": 0,
			} {
				assert.EqualValues(t, want, value(t, d, "select count(*) from t where "+column+condition, db.List{}), column+condition)
			}
			assert.EqualValues(t, 1, value(t, d, "select count(*) from t where "+column+" not in (:none) and id in (:some) and "+column+" not in (:none) and not "+column+" in (:none)",
				db.Named{"none": db.List{}, "some": db.List{1, 7}}), column)
			assert.EqualValues(t, 1, value(t, d, "select count(*) from t where id < ? and "+column+" not in (?) and id > ? and 'x' not in (?)", 3, db.Either{}, 1, db.List{"y"}), column)
		}
		r, err := d.Exec(ctx, "delete from t where id not in (?)", db.List{})
		require.NoError(t, err)
		assert.EqualValues(t, 2, r.Affected)
	})
}
