package db_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

// MariaDB makes 2^63 - 1 of 2^63 where it is given as a number, and keeps silent.
func TestANumberThatDoesNotFitIsAnErrorOfMySQL(t *testing.T) {
	d := open(t, peers.MariaDB(t))
	p63, p64 := math.Pow(2, 63), math.Pow(2, 64)
	for column, c := range map[string]struct{ fit, not []float64 }{
		"bigint":          {[]float64{-p63, math.Pow(2, 53) + 2, p63 - 1024}, []float64{p63, p63 + 2048, p64, 1e21, 1e300, -p63 - 2048}},
		"bigint unsigned": {[]float64{0, p63, p63 + 2048, p64 - 2048}, []float64{-1, -p63, p64, 1e22}},
		"decimal(20,0)":   {[]float64{p63, -p63 - 2048, p64}, []float64{1e20, 1e22}},
		"bit(64)":         {[]float64{1, math.Pow(2, 62)}, []float64{p63 + 2048, p64, 1e22, 1e300}},
		"int":             {[]float64{-1 << 31}, []float64{1 << 31, p63}},
		"double":          {[]float64{p63, -p63 - 2048, p64, 1e22, 1.5e300}, nil},
	} {
		run(t, d, "drop table if exists t", "create table t (n "+column+")")
		for _, f := range c.fit {
			for _, same := range []string{"select count(*) from t where n = ?", "select count(*) from t where n + 0.0 = ? + 0.0"} {
				_, err := d.Exec(ctx, "insert into t values (?)", f)
				require.NoError(t, err, "%s %v", column, f)
				assert.EqualValues(t, 1, value(t, d, same, f), "%s %v", column, f)
				run(t, d, "delete from t")
			}
		}
		for _, f := range c.not {
			_, err := d.Exec(ctx, "insert into t values (?)", f)
			assert.Equal(t, db.CodeValue, db.CodeOf(err), "%s %v", column, f)
		}
	}
}

// All numbers of Lua are float64, of which those above 2^53 have shorter digits than their own.
func TestLargeWholeNumbersAreExact(t *testing.T) {
	everywhere(t, func(t *testing.T, d *db.DB) {
		run(t, d, "create table t (id bigint primary key, s varchar(100), price decimal(30,0))")
		text := map[db.Engine]string{db.MySQL: "char(30)"}[d.Engine()]
		if text == "" {
			text = "text"
		}
		for _, power := range []float64{53, 60, 61, 62} {
			for _, f := range []float64{math.Pow(2, power), -math.Pow(2, power), math.Pow(2, power) + 2048, -1 << 63} {
				run(t, d, "delete from t")
				_, err := d.Exec(ctx, "insert into t (id, s) values (?, cast(? as "+text+"))", f, f)
				require.NoError(t, err)
				assert.Equal(t, [][]any{{int64(f), strconv.FormatInt(int64(f), 10)}}, all(t, d, "select id, s from t where id = ?", f))
				assert.EqualValues(t, int64(f), value(t, d, "select cast(? as "+map[db.Engine]string{db.SQLite: "integer", db.Postgres: "bigint", db.MySQL: "signed"}[d.Engine()]+")", f))
			}
		}
		if d.Engine() == db.SQLite {
			return // which has no decimals
		}
		for f, want := range map[float64]string{1 << 60: "1152921504606846976", -1 << 63: "-9223372036854775808", 1 << 63: "9223372036854775808", 1 << 69: "590295810358705651712"} {
			assert.Equal(t, want, value(t, d, "select cast(? as decimal(30,0))", f))
			run(t, d, "delete from t")
			_, err := d.Exec(ctx, "insert into t (id, price) values (1, ?)", f)
			require.NoError(t, err)
			assert.Equal(t, want, value(t, d, "select price from t"))
		}
		if d.Engine() == db.Postgres {
			assert.Equal(t, []any{int64(1 << 60)}, value(t, d, "select ?::bigint[]", []any{float64(1 << 60)}))
		}
	})
}

// This is what the documentation of db says of it.
func TestTextBeyond64BitsBecomesAFloatInANumericColumnOfSQLite(t *testing.T) {
	d := file(t, "")
	run(t, d, "create table t (n integer, price decimal(30,0), s text)")
	const digits = "12345678901234567890123"
	_, err := d.Exec(ctx, "insert into t values (?, ?, ?)", digits, digits, digits)
	require.NoError(t, err)
	assert.Equal(t, [][]any{{1.2345678901234568e22, 1.2345678901234568e22, digits}}, all(t, d, "select * from t"))
}
