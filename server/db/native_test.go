package db_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
)

// In a transaction the driver reads the rows.
func TestNativeReadsWhatTheDriverReads(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table v (n integer primary key, a any, b bool, d decimal(10,2), j json, t text, day date, at datetime, stamp timestamp, w datetime(3), x blob)")
	for _, v := range []any{
		nil, true, int64(math.MaxInt64), int64(math.MinInt64), 0.5, -1e-300, 1e300, "", "text", "a\x00b", "günstig", []byte{}, []byte{0, 255}, "not utf8 \xff",
		time.Date(2030, 1, 31, 8, 0, 0, 123000000, time.UTC), db.JSON(`{"a":[1,null]}`), "2030-01-31", "2030-01-31 08:00:00", "12:30",
	} {
		_, err := d.Exec(ctx, "insert into v (a, b, d, j, t, day, at, stamp, w, x) values (:v, :v, :v, :v, :v, :v, :v, :v, :v, :v)", db.Named{"v": v})
		require.NoError(t, err, "%v", v)
	}
	tx, err := d.Begin(ctx, db.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	defer tx.Rollback()
	for _, q := range []struct {
		text string
		args []any
	}{
		{"select * from v order by n", nil},
		{"select n, a, b, d, j, t, w, x from v order by n", nil},
		{"select n, day from v order by n", nil},
		{"select a || '', max(n), a + 1, cast(a as blob) from v group by a order by max(n)", nil},
		{"select ?, ?, ?, ?, ?, ?, ?", []any{nil, true, int64(7), 1.5, "text", []byte("blob"), ""}},
		{"select count(*) from v where t = ? and n < ?", []any{"text", 100}},
		{"select n, n as n from v where n in (?)", []any{db.List{1, 2, 3}}},
		{"select n from v where n < 0", nil},
		{"values (1, 'a'), (2, null)", nil},
	} {
		for range 2 {
			got, err := db.All(ctx, d, q.text, q.args...)
			require.NoError(t, err, q.text)
			want, err := db.All(ctx, tx, q.text, q.args...)
			require.NoError(t, err, q.text)
			assert.Equal(t, want, got, q.text)
		}
	}
}

func TestNativeNoticesThatATableHasChanged(t *testing.T) {
	d := file(t, "?max_open=1")
	run(t, d, "create table t (n int)", "insert into t values (1)")
	const q = "select * from t"
	for _, step := range []struct {
		change string
		want   *db.Record
	}{
		{"", &db.Record{Columns: []string{"n"}, Values: []any{int64(1)}}},
		{"alter table t add column b bool default 1", &db.Record{Columns: []string{"n", "b"}, Values: []any{int64(1), true}}},
		{"alter table t rename column n to m", &db.Record{Columns: []string{"m", "b"}, Values: []any{int64(1), true}}},
		{"alter table t add column day date default '2030-01-31'", &db.Record{Columns: []string{"m", "b", "day"}, Values: []any{int64(1), true, "2030-01-31"}}},
		{"alter table t drop column day", &db.Record{Columns: []string{"m", "b"}, Values: []any{int64(1), true}}},
	} {
		if step.change != "" {
			run(t, d, step.change)
		}
		for range 2 {
			got, err := db.One(ctx, d, q)
			require.NoError(t, err)
			assert.Equal(t, step.want, got, step.change)
		}
	}
	run(t, d, "drop table t")
	_, err := db.One(ctx, d, q)
	assert.Equal(t, db.CodeNoTable, db.CodeOf(err), "%v", err)
	run(t, d, "create table t (z text)", "insert into t values ('back')")
	assert.Equal(t, "back", value(t, d, q))
}

func TestNativeSaysWhyARowFailed(t *testing.T) {
	d := file(t, "?max_open=1")
	run(t, d, "create table t (n int)", "insert into t values (1), (2), (-9223372036854775808), (4)")
	for range 3 {
		rows, err := d.Query(ctx, "select abs(n) from t where n <> ?", 4)
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.True(t, rows.Next())
		assert.Equal(t, []any{int64(2)}, rows.Values())
		assert.False(t, rows.Next())
		assert.False(t, rows.Next(), "and it stays so")
		err = rows.Close()
		assert.Equal(t, db.CodeValue, db.CodeOf(err), "%v", err)
		assert.ErrorContains(t, err, "integer overflow")
		_, err = db.One(ctx, d, "select abs(n) from t where n < ?", 0)
		assert.Equal(t, db.CodeValue, db.CodeOf(err), "in the first row: %v", err)
		assert.EqualValues(t, 2, value(t, d, "select abs(n) from t where n = ?", 2))
	}
	assert.Equal(t, 1, readersOf(d).Open)
	_, err := db.One(ctx, d, "select ?", db.Named{"a": 1})
	assert.Equal(t, db.CodeParameters, db.CodeOf(err))
}
