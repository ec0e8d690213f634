package db_test

import (
	"fmt"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

func TestValuesOfPostgres(t *testing.T) {
	d := open(t, peers.Postgres(t))
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for sql, want := range map[string]any{
		"1::int2":        int64(1),
		"1.5::float4":    1.5,
		"1.10::numeric":  "1.10",
		"'NaN'::numeric": "NaN",
		"123456789012345678901234567890::numeric":      "123456789012345678901234567890",
		"'{1,NULL,3}'::int[]":                          []any{int64(1), nil, int64(3)},
		"'{{1,2},{3,4}}'::bigint[]":                    []any{[]any{int64(1), int64(2)}, []any{int64(3), int64(4)}},
		"'[0:1]={7,8}'::int[]":                         []any{int64(7), int64(8)},
		`array['a','b,"c\','NULL',null,'']`:            []any{"a", `b,"c\`, "NULL", nil, ""},
		"array[true,false]":                            []any{true, false},
		"array[1.5,2.50]":                              []any{"1.5", "2.50"},
		"array[1.5::float8]":                           []any{1.5},
		"array['\\x00ff'::bytea]":                      []any{db.Blob{0, 255}},
		"array['2026-01-02 04:04:05+01'::timestamptz]": []any{at},
		"array['{\"a\":1}'::jsonb]":                    []any{db.JSON(`{"a": 1}`)},
		"'{}'::text[]":                                 []any{},
		"'{\"a\": [1]}'::jsonb":                        db.JSON(`{"a": [1]}`),
		"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
		"'10.0.0.1/8'::inet":                           "10.0.0.1/8",
		"'2026-01-02'::date":                           "2026-01-02",
		"'infinity'::date":                             "infinity",
		"'infinity'::timestamptz":                      "infinity",
		"'2026-01-02 03:04:05'::timestamp":             at,
		"'03:04:05'::time":                             "03:04:05",
		"'1 day 2 hours'::interval":                    "1 day 02:00:00",
		"int4range(1, 5)":                              "[1,5)",
		"point(1, 2)":                                  "(1,2)",
		"'<a/>'::xml":                                  "<a/>",
		"row(1, 'x')":                                  "(1,x)",
		"'$1.50'::money":                               "$1.50",
		"b'101'":                                       "101",
		"null::int":                                    nil,
	} {
		assert.Equal(t, want, value(t, d, "select "+sql), sql)
	}
	assert.True(t, math.IsInf(value(t, d, "select ?::float8", math.Inf(1)).(float64), 1))
}

func TestParametersOfPostgres(t *testing.T) {
	d := open(t, peers.Postgres(t))
	run(t, d, "create table t (tags text[], ids bigint[], doc jsonb, n int, f float8, num numeric, u uuid, s text)")
	_, err := d.Exec(ctx, "insert into t values (:tags, :ids, :doc, :n, :f, :num, :u, :s)", db.Named{
		"tags": []any{"a", `b"c\`, nil}, "ids": []any{1, int64(2)}, "doc": db.JSON(`{"k":["x"]}`), "n": 7.0, "f": 3,
		"num": "1.25", "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "s": "x",
	})
	require.NoError(t, err)
	assert.Equal(t, [][]any{{
		[]any{"a", `b"c\`, nil}, []any{int64(1), int64(2)}, db.JSON(`{"k": ["x"]}`), int64(7), 3.0, "1.25", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "x",
	}}, all(t, d, "select * from t"))

	for sql, args := range map[string][]any{
		"select count(*) from t where doc ?? 'k' and n = ?":                                 {7},
		"select count(*) from t where doc->'k' ??| array['x'] and n::text = ?::text":        {"7"},
		"select count(*) from t where ids[1:2] = ? and ids[n-6:n] is not null":              {[]any{1, 2}},
		"select count(*) from t where n = any(?)":                                           {[]any{7, 8}},
		"select count(*) from t where n = $1 and f < $2 and n = $1":                         {7, 4},
		"select count(*) from t where s = $$x$$ and $a$ ? :b $a$ <> ? and E'\\' ? ' <> :: ": nil,
		"select count(*) from t where s = E'x\\'?'":                                         nil,
	} {
		if args == nil {
			continue
		}
		assert.EqualValues(t, 1, value(t, d, sql, args...), sql)
	}
	assert.EqualValues(t, 0, value(t, d, `select count(*) from t where s = E'x\'?' or s = $a$ ? :b $a$ or "s" = /* ? /* ? */ ? */ ?`, "none"))
	_, err = d.Exec(ctx, "select $1, ?", 1)
	assert.ErrorContains(t, err, "in one way")
}

func TestABrokenTransactionSaysSo(t *testing.T) {
	d := open(t, peers.Postgres(t))
	tx, err := d.Begin(ctx, db.TxOptions{Isolation: "serializable"})
	require.NoError(t, err)
	assert.Equal(t, "serializable", value(t, tx, "show transaction_isolation"))
	_, err = tx.Exec(ctx, "select 1/0")
	assert.Equal(t, db.CodeValue, db.CodeOf(err))
	_, err = tx.Exec(ctx, "select 1")
	assert.Equal(t, db.CodeAborted, db.CodeOf(err))
	err = tx.Commit()
	assert.Equal(t, db.CodeAborted, db.CodeOf(err), "%v", err)
	assert.ErrorContains(t, err, "division by zero")
	idle(t, d)
	_, err = d.Begin(ctx, db.TxOptions{Isolation: "serialisable"})
	assert.ErrorContains(t, err, `did you mean "serializable"`)
}

func TestCollidingTransactionsAreToldApart(t *testing.T) {
	d := open(t, peers.Postgres(t))
	run(t, d, "create table t (n int)", "insert into t values (1)")
	a, err := d.Begin(ctx, db.TxOptions{Isolation: "serializable"})
	require.NoError(t, err)
	b, err := d.Begin(ctx, db.TxOptions{Isolation: "serializable"})
	require.NoError(t, err)
	for _, tx := range []*db.Tx{a, b} {
		value(t, tx, "select sum(n) from t")
	}
	run(t, a, "insert into t values (2)")
	run(t, b, "insert into t values (3)")
	require.NoError(t, a.Commit())
	err = b.Commit()
	assert.Equal(t, db.CodeSerialization, db.CodeOf(err), "%v", err)
}

func TestReadOnlyServers(t *testing.T) {
	for _, url := range []string{peers.Postgres(t), peers.MariaDB(t)} {
		d, err := db.Open(url, db.Options{ReadOnly: true})
		require.NoError(t, err)
		_, err = d.Exec(ctx, "create table t (n int)")
		assert.Equal(t, db.CodeReadOnly, db.CodeOf(err), "%v", err)
		require.NoError(t, d.Close())
	}
}

func TestValuesOfMariaDB(t *testing.T) {
	d := open(t, peers.MariaDB(t))
	run(t, d, "create table t (u bigint unsigned, f float, bits bit(12), y year, e enum('a','b'), ts timestamp null, t time, b binary(2))")
	_, err := d.Exec(ctx, "insert into t values (18446744073709551615, ?, b'100000000001', 2026, 'b', ?, '03:04:05', ?)", 1.1, time.Unix(1e9, 0), []byte{1, 2})
	require.NoError(t, err)
	want := []any{"18446744073709551615", 1.1, int64(2049), int64(2026), "b", time.Unix(1e9, 0).UTC(), "03:04:05", db.Blob{1, 2}}
	assert.Equal(t, want, all(t, d, "select * from t")[0], "as text")
	assert.Equal(t, want, all(t, d, "select * from t where 1 = ?", 1)[0], "prepared")
	assert.Equal(t, `a"?'`, value(t, d, `select "a\"?'" from t where 1 = ? -- ?`, 1))
	assert.EqualValues(t, 8, value(t, d, "select 5--3 from t # ?"))
	_, err = d.Exec(ctx, "insert into t (e) values ('nope')")
	assert.Equal(t, db.CodeValue, db.CodeOf(err), "strict: %v", err)
}

// The driver does not say what a longtext or a tinyint(1) was declared as.
func TestMariaDBHasNoTypeForJSONAndBooleans(t *testing.T) {
	d := open(t, peers.MariaDB(t))
	run(t, d, "create table t (j json, b boolean)")
	_, err := d.Exec(ctx, "insert into t values (?, ?)", db.JSON(`{"a": [1]}`), true)
	require.NoError(t, err)
	assert.Equal(t, []any{`{"a": [1]}`, int64(1)}, all(t, d, "select * from t")[0])
}

func TestADeadlockOfMariaDBEndsTheTransaction(t *testing.T) {
	d := open(t, peers.MariaDB(t))
	run(t, d, "create table t (id int primary key, n int)", "insert into t values (1, 0), (2, 0)")
	a, err := d.Begin(ctx, db.TxOptions{})
	require.NoError(t, err)
	b, err := d.Begin(ctx, db.TxOptions{})
	require.NoError(t, err)
	run(t, a, "update t set n = 1 where id = 1")
	run(t, b, "update t set n = 1 where id = 2")
	failures := make(chan error, 2)
	for tx, id := range map[*db.Tx]int{a: 2, b: 1} {
		go func() {
			_, err := tx.Exec(ctx, "update t set n = 2 where id = ?", id)
			if err == nil {
				failures <- tx.Commit()
				return
			}
			assert.Equal(t, db.CodeSerialization, db.CodeOf(err), "%v", err)
			_, err = tx.Exec(ctx, "insert into t values (3, 3)")
			assert.Equal(t, db.CodeAborted, db.CodeOf(err), "%v", err)
			failures <- tx.Rollback()
		}()
	}
	require.NoError(t, <-failures)
	require.NoError(t, <-failures)
	assert.EqualValues(t, 2, value(t, d, "select count(*) from t"), "it ran outside of the transaction")
}

func TestARowWithoutColumns(t *testing.T) {
	d := open(t, peers.Postgres(t))
	v, ok, err := db.Value(ctx, d, "select from (values (1)) as one")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Nil(t, v)
	idle(t, d)
}

func TestAnEscapeStringGoesOnBehindANewLine(t *testing.T) {
	d := open(t, peers.Postgres(t))
	assert.Equal(t, `ab'?c'?`, value(t, d, "select E'a' -- ?\n 'b\\'?'\r\n\t'c\\'?' where 1 = ?", 1))
	assert.Equal(t, `ab\`, value(t, d, "select 'a'\n'b\\' where 1 = ?", 1))
}

func TestATableOfPostgresMayChangeUnderLoad(t *testing.T) {
	d := open(t, peers.Postgres(t)+"&max_open=8")
	run(t, d, "create table t (n int)", "insert into t values (1)")
	var stop atomic.Bool
	var rounds atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for !stop.Load() {
				_, err := db.All(ctx, d, "select * from t")
				assert.NoError(t, err)
				_, err = d.Exec(ctx, "update t set n = 1 returning *")
				assert.NoError(t, err)
				rounds.Add(1)
			}
		})
	}
	for n := range 20 {
		run(t, d, fmt.Sprintf("alter table t add column c%d text", n))
		until := rounds.Load() + 48 // all have met the change
		require.Eventually(t, func() bool { return rounds.Load() >= until }, time.Minute, time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
}

func TestAnAbortedTransactionSaysWhatFailedFirst(t *testing.T) {
	d := open(t, peers.Postgres(t))
	run(t, d, "create table t (id int primary key)", "insert into t values (1)")
	require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
		inner, err := tx.Begin(ctx, db.TxOptions{})
		require.NoError(t, err)
		_, err = inner.Exec(ctx, "insert into t values (1)")
		assert.Equal(t, db.CodeUnique, db.CodeOf(err))
		_, err = db.Insert(ctx, inner, "t", []db.Field{f("id", 2)}) // which looks for the key first
		e := err.(*db.Error)
		assert.Equal(t, db.CodeAborted, e.Code)
		assert.Equal(t, "insert into t values (1)", e.Statement)
		assert.ErrorContains(t, err, "unique: duplicate key")
		_, err = inner.Begin(ctx, db.TxOptions{})
		assert.Equal(t, db.CodeAborted, db.CodeOf(err))
		assert.Equal(t, db.CodeAborted, db.CodeOf(inner.Commit()))
		_, err = tx.Exec(ctx, "insert into t values (3)")
		return err
	}))
	err := db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, "select 1 / (3 - n) from generate_series(1, 5) as n")
		require.NoError(t, err)
		for rows.Next() {
		}
		require.Error(t, rows.Close())
		return nil
	})
	assert.Equal(t, db.CodeAborted, db.CodeOf(err))
	assert.ErrorContains(t, err, "division by zero")
	assert.EqualValues(t, 2, value(t, d, "select count(*) from t"))
	idle(t, d)
}

func TestATableThatChangesUnderATransactionIsWorthAnotherTry(t *testing.T) {
	url := peers.Postgres(t)
	d, other := open(t, url+"&max_open=1"), open(t, url)
	run(t, d, "create table t (n int)", "insert into t values (1)")
	all(t, d, "select * from t")
	run(t, other, "alter table t add column m int")
	err := db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
		_, err := db.All(ctx, tx, "select * from t")
		return err
	})
	assert.Equal(t, db.CodeSerialization, db.CodeOf(err), "%v", err)
	assert.ErrorContains(t, err, "run the transaction again")
	require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error { _, err := db.All(ctx, tx, "select * from t"); return err }))
}

func TestATableThatTheProgramChangesFailsNoTransaction(t *testing.T) {
	d := open(t, peers.Postgres(t)+"&max_open=3")
	run(t, d, "create table t (n int)", "insert into t values (1)", "create view v as select n from t")
	const text, viewed, inserts = "select * from t where n = ?", "select * from v", "insert into t (n) values (?) returning *"
	use := func(tx *db.Tx) {
		for _, rows := range [][][]any{all(t, tx, text, 1), all(t, tx, viewed), all(t, tx, inserts, 2)} {
			assert.NotEmpty(t, rows)
		}
		rows, err := db.Each(ctx, tx, text, 1)
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.NoError(t, rows.Close())
	}
	in := func(f func(tx *db.Tx)) {
		require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error { f(tx); return nil }))
	}
	everyConnection := func() {
		in(func(a *db.Tx) { in(func(b *db.Tx) { in(func(c *db.Tx) { use(a); use(b); use(c) }) }) })
	}
	everyConnection()
	run(t, d, "alter table t add column m int")
	everyConnection()
	run(t, d, "create or replace view v as select n, m from t")
	everyConnection()
	in(func(tx *db.Tx) {
		use(tx)
		run(t, tx, "alter table t add column o int")
		use(tx)
		run(t, tx, "/* again */ drop table t cascade", "create table t (a text, n int)", "insert into t values ('x', 1)", "create view v as select a from t")
		use(tx)
	})
	everyConnection()
	in(func(a *db.Tx) {
		run(t, a, "alter table t add column late int")
		value(t, d, "select 1")
	})
	everyConnection()
	idle(t, d)
}

func TestForgedCursorsOfPostgres(t *testing.T) {
	d := open(t, peers.Postgres(t))
	run(t, d, "create table p (id bigint primary key, s text, b bytea, at timestamptz, u uuid, f float8, ok bool, n numeric)",
		"insert into p values (1, 'a', 'b', now(), gen_random_uuid(), 1, true, 1), (2, 'b', 'c', now(), gen_random_uuid(), 2, false, 2)")
	columns := []string{"id", "s", "b", "at", "u", "f", "ok", "n"}
	for _, have := range []string{"null::text", "true", "7::bigint", "1e300::float8", "'NaN'::float8", "9.5::float8", "'x'::text", "''::text", "'\\xff00'::bytea", "now()"} {
		for _, column := range columns {
			o := db.PageOptions{Size: 1, Keys: []db.Order{{Column: column}}}
			p, err := db.PageOf(ctx, d, "select "+have+" as "+column+" union all select "+have, nil, o)
			require.NoError(t, err)
			o.After = p.Next
			_, err = db.PageOf(ctx, d, "select * from p", nil, o)
			assert.Contains(t, []db.Code{"", db.CodeCursor}, db.CodeOf(err), "%s for %s: %v", have, column, err)
		}
	}
}

func TestTheOperatorOfJSONIsMentioned(t *testing.T) {
	d := open(t, peers.Postgres(t))
	for _, sql := range []string{"select '{}'::jsonb ? 'k'", "select '{}'::jsonb ?| array['k']", "select '{}'::jsonb ? ? and 1 = ?"} {
		_, err := db.All(ctx, d, sql)
		assert.ErrorContains(t, err, "the operator ? of jsonb is written ??", sql)
	}
	_, err := db.All(ctx, d, "select ? || 'x' where ? in (?, ?)")
	assert.NotContains(t, err.Error(), "operator")
}

// What is sent behind a statement has no place here: it would be waited for, or lost.
func TestCopyToAndFromTheClientIsRefused(t *testing.T) {
	d := open(t, peers.Postgres(t))
	run(t, d, "create table t (n int)", "insert into t values (1)")
	for statement, want := range map[string]string{
		"copy t from stdin": "db:insert", "/* */ COPY t (n) FROM STDIN (format csv)": "db:insert", "copy t to stdout": "db:each",
		"copy (select n, 'from stdin' from t where n = 1 and n = 1 and n = 1 and n = 1 and n = 1) to stdout with csv": "db:each",
	} {
		for _, args := range [][]any{nil, {db.Verbatim{}}} {
			_, err := d.Exec(ctx, statement, args...)
			assert.Equal(t, db.CodeRefused, db.CodeOf(err), statement)
			assert.ErrorContains(t, err, want, statement)
		}
		_, err := db.All(ctx, d, statement)
		assert.Equal(t, db.CodeRefused, db.CodeOf(err), statement)
		require.Error(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error { _, err := tx.Exec(ctx, statement); return err }))
	}
	file := filepath.Join(t.TempDir(), "rows")
	_, err := d.Exec(ctx, "copy t to '"+file+"'") // of the server, which may not write there
	assert.NotEqual(t, db.CodeRefused, db.CodeOf(err))
}
