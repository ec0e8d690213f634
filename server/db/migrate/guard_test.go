package migrate_test

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/server/db/migrate"
)

// A migration that ends the transaction it runs in would leave half of its work behind.
func TestTransactionsAreNotEndedFromWithin(t *testing.T) {
	everywhere(t, func(t *testing.T, url string) {
		d := open(t, url)
		for _, end := range []string{"commit", "; commit", "/* */ ROLLBACK", "end", "insert into a values (1); -- x\ncommit", "savepoint s"} {
			text := "-- +goose Up\ncreate table a (n int);\n-- +goose StatementBegin\n" + end + "\n-- +goose StatementEnd\ncreate table b (n int);"
			_, err := migrator(t, d, folder(t, map[string]string{"001_a.sql": text})).Up(ctx)
			require.ErrorContains(t, err, "is not run as a statement", "%q", end)
			if d.Engine() == db.MySQL { // where the table stays in any case
				return
			}
			tables, err := db.Tables(ctx, d)
			require.NoError(t, err)
			assert.Equal(t, []db.TableInfo{{Name: "rws_migrations"}}, tables, "%q", end)
		}
	})
}

func TestOnlyOneInstanceUndoes(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	var ran atomic.Int64
	list := []migrate.Migration{{
		Version: 1, Name: "a", NoTransaction: true, Up: migrate.Step{SQL: "create table a (n int)"},
		Down: migrate.Step{Run: func(context.Context, db.Querier) error { ran.Add(1); return nil }},
	}}
	d := open(t, url)
	_, err := migrator(t, d, list).Up(ctx)
	require.NoError(t, err)
	hold, err := d.Begin(ctx, db.TxOptions{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range 2 {
		m := migrator(t, open(t, url), list)
		wg.Go(func() {
			if _, err := m.Down(ctx, 1); err != nil {
				assert.ErrorContains(t, err, "another instance is running it")
				failed.Add(1)
			}
		})
	}
	time.Sleep(300 * time.Millisecond) // both have read the table, and wait to write
	require.NoError(t, hold.Rollback())
	wg.Wait()
	assert.EqualValues(t, 1, ran.Load())
	assert.EqualValues(t, 1, failed.Load())
}
