package db_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

func TestPostgresCutsNoNumber(t *testing.T) {
	d := open(t, peers.Postgres(t))
	run(t, d, "create table acc (id bigint primary key, cents bigint, small smallint, f float8, num numeric, s text, b bool, j jsonb)",
		"insert into acc values (1, 100)")
	for sql, arg := range map[string]any{
		"select * from acc where id = ?":            1.9,
		"delete from acc where id = ? and 1 = 1":    1.9,
		"update acc set cents = ?":                  10.99,
		"update acc set cents = ? where true":       math.NaN(),
		"update acc set cents = ? where 1 = 1":      math.Inf(1),
		"update acc set cents = ? where 2 = 2":      float64(1 << 63),
		"update acc set cents = ? where 3 = 3":      1e19,
		"update acc set cents = ? where 4 = 4":      1e300,
		"update acc set small = ?":                  70000,
		"update acc set cents = ? where 5 = 5":      "x",
		"update acc set cents = ? where 6 = 6":      time.Now(),
		"update acc set cents = ? where 7 = 7":      true,
		"select * from acc where id in (1, ?, 2.0)": nil,
	} {
		_, err := db.All(ctx, d, sql, arg)
		if arg == nil {
			assert.NoError(t, err)
			continue
		}
		assert.Equal(t, db.CodeValue, db.CodeOf(err), "%s %v: %v", sql, arg, err)
	}
	assert.Equal(t, [][]any{{int64(1), int64(100), nil, nil, nil, nil, nil, nil}}, all(t, d, "select * from acc"), "nothing changed")

	_, err := d.Exec(ctx, "update acc set id = ?, cents = ?, small = ?, f = ?, num = ?, s = ?, b = ?, j = ?", 1e15, math.MinInt64, 7.0, 0.1, 1e25, 5, true, 1.5)
	require.NoError(t, err)
	assert.Equal(t, [][]any{{int64(1e15), int64(math.MinInt64), int64(7), 0.1, "10000000000000000000000000", "5", true, db.JSON("1.5")}}, all(t, d, "select * from acc"))
	for _, f := range []float64{math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(-1), 1 << 53, 0.1 + 0.2} {
		assert.Equal(t, f, value(t, d, "select ?::float8", f))
	}
	assert.Equal(t, "true", value(t, d, "select ?::text", true))
	_, err = d.Exec(ctx, "select concat('a', ?)", 1)
	assert.Equal(t, db.CodeParameters, db.CodeOf(err))
	assert.ErrorContains(t, err, "say its type, as in ?::text")
}

func TestATimeInATextOfPostgresIsRFC3339(t *testing.T) {
	at := time.Date(2026, 11, 26, 1, 26, 54, 900_000_000, time.UTC)
	for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} {
		d := open(t, peers.Postgres(t)+"&default_query_exec_mode="+mode)
		run(t, d, "create table m (s text, z timestamptz, n timestamp, d date, j jsonb)")
		_, err := d.Exec(ctx, "insert into m values (?, ?, ?, ?, to_jsonb(?::text))", at, at, at, at, at)
		require.NoError(t, err, mode)
		row := all(t, d, "select s, z, n::text, d::text, j from m")[0]
		assert.Equal(t, "2026-11-26T01:26:54.9Z", row[0], mode)
		assert.True(t, at.Equal(row[1].(time.Time)), mode)
		assert.Equal(t, []any{"2026-11-26 01:26:54.9", "2026-11-26", db.JSON(`"2026-11-26T01:26:54.9Z"`)}, row[2:], mode)
	}
	d := open(t, peers.Postgres(t))
	assert.Equal(t, "2026-11-26T01:26:54.9Z", value(t, d, "select ?", at))
	assert.Equal(t, "01:26:54.9", value(t, d, "select (?::time)::text", at))
}

func TestATimeOfADayWithAZoneOfPostgres(t *testing.T) {
	d := open(t, peers.Postgres(t))
	at := time.Date(2030, 1, 2, 3, 4, 5, 123_456_000, time.UTC)
	run(t, d, "create table tm3 (ttz timetz, tm time)")
	_, err := d.Exec(ctx, "insert into tm3 values (?, ?)", at, at)
	require.NoError(t, err)
	_, err = d.Exec(ctx, "insert into tm3 (ttz) values (?)", "04:00:00+01")
	require.NoError(t, err, "text goes as it is")
	assert.Equal(t, [][]any{{"03:04:05.123456+00", "03:04:05.123456"}, {"04:00:00+01", nil}}, all(t, d, "select ttz, tm from tm3 order by tm"))
	assert.EqualValues(t, 1, value(t, d, "select count(*) from tm3 where ttz = ?", at))
}
