package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

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
