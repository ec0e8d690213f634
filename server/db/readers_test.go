package db_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
)

func readersOf(d *db.DB) db.Stats { return d.Stats()[0] }

func TestReadersAreBounded(t *testing.T) {
	d := file(t, "?max_open=2&wait=30s")
	thousandRows(t, d)
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			for range 20 {
				if n%4 == 0 { // transactions get theirs from the same place
					assert.NoError(t, db.InTx(ctx, d, db.TxOptions{ReadOnly: true}, func(tx *db.Tx) error {
						_, err := db.All(ctx, tx, "select * from t limit 10")
						return err
					}))
				}
				_, err := db.All(ctx, d, "select * from t limit 10")
				assert.NoError(t, err)
				assert.LessOrEqual(t, readersOf(d).Open, 2)
			}
		})
	}
	wg.Wait()
	idle(t, d)
	assert.Equal(t, readersOf(d).Open, readersOf(d).Idle)
}

func TestReadersThatAreInUseCount(t *testing.T) {
	d := file(t, "?max_open=2&wait=1s")
	thousandRows(t, d)
	rows, err := d.Query(ctx, "select * from t")
	require.NoError(t, err)
	tx, err := d.Begin(ctx, db.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	assert.Equal(t, 2, readersOf(d).InUse)
	_, err = db.All(ctx, d, "select 1")
	assert.Equal(t, db.CodeBusy, db.CodeOf(err), "%v", err)
	require.NoError(t, rows.Close())
	assert.EqualValues(t, 1000, value(t, d, "select count(*) from t"))
	require.NoError(t, tx.Rollback())
	idle(t, d)
}

func TestReadersThatNobodyAsksForAreClosed(t *testing.T) {
	for _, option := range []string{"?max_idle_time=30ms", "?max_lifetime=30ms"} {
		d := file(t, option)
		value(t, d, "select 1")
		assert.Equal(t, 1, readersOf(d).Open, option)
		assert.Eventually(t, func() bool { return readersOf(d).Open == 0 }, 10*time.Second, time.Millisecond, option)
		assert.EqualValues(t, 2, value(t, d, "select 2"))
	}
}

func TestRowsThatAreReadWhileTheDatabaseCloses(t *testing.T) {
	d, err := db.Open("sqlite:"+filepath.Join(t.TempDir(), "test.db"), db.Options{})
	require.NoError(t, err)
	thousandRows(t, d)
	rows, err := d.Query(ctx, "select n from t")
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.NoError(t, d.Close())
	n := 1
	for rows.Next() {
		n++
	}
	require.NoError(t, rows.Close())
	assert.Equal(t, 1000, n)
	assert.Zero(t, readersOf(d).Open, "the connection is closed when the rows are")
	_, err = db.All(ctx, d, "select 1")
	assert.Equal(t, db.CodeClosed, db.CodeOf(err))
}

func TestAReadThatIsInterruptedLeavesAGoodConnection(t *testing.T) {
	d := file(t, "?max_open=1&wait=10s")
	const endless = "with recursive c(n) as (select 1 union all select n + 1 from c) select max(n) from c"
	for range 20 {
		c, cancel := context.WithTimeout(ctx, time.Millisecond)
		_, _, err := db.Value(c, d, endless)
		cancel()
		assert.Equal(t, db.CodeTimeout, db.CodeOf(err), "%v", err)
		assert.EqualValues(t, 7, value(t, d, "select 7"))
	}
	assert.Equal(t, 1, readersOf(d).Open)
}

func thousandRows(t *testing.T, d *db.DB) {
	t.Helper()
	run(t, d, "create table t (n integer primary key, name text)",
		"insert into t with recursive c(n) as (select 1 union all select n + 1 from c where n < 1000) select n, 'name ' || n from c")
}
