package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
)

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
