package db_test

import (
	"math"
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
