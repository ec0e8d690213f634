package db_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

const endlessRows = "select seq from seq_1_to_1000000000"

// The server is told to stop by another connection. When there is none to be had, half of the work
// is not committed.
func TestATransactionWhoseRowsCannotBeStoppedFails(t *testing.T) {
	url := peers.MariaDBServer(t, "--max-connections=3").Database(t)
	d, other := open(t, url+"?max_open=1"), open(t, url+"?max_open=100")
	run(t, d, "create table t (n int)")
	err := db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
		run(t, tx, "insert into t values (1)")
		rows, err := db.Each(ctx, tx, endlessRows)
		require.NoError(t, err)
		require.True(t, rows.Next())
		var sessions []*db.Session
		for { // until there is no room for others
			s, err := other.Session(ctx)
			if err != nil {
				assert.Equal(t, db.CodeBusy, db.CodeOf(err))
				break
			}
			sessions = append(sessions, s)
		}
		err = rows.Close()
		for _, s := range sessions {
			require.NoError(t, s.Close())
		}
		assert.Equal(t, db.CodeAborted, db.CodeOf(err))
		return nil
	})
	assert.Equal(t, db.CodeAborted, db.CodeOf(err))
	assert.ErrorContains(t, err, "many rows")
	assert.ErrorContains(t, err, "add a limit")
	require.Eventually(t, func() bool { _, err := d.Exec(ctx, "select 1"); return err == nil }, 5*time.Second, 10*time.Millisecond)
	assert.EqualValues(t, 0, value(t, d, "select count(*) from t"))
}

func TestRowsThatAreLeftDoNotEndATransaction(t *testing.T) {
	d := open(t, peers.MariaDB(t)+"?max_open=1")
	run(t, d, "create table t (n int)")
	start := time.Now()
	require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
		run(t, tx, "insert into t values (1)")
		for range 5 {
			assert.EqualValues(t, 1, value(t, tx, endlessRows))
			assert.EqualValues(t, 1, value(t, tx, endlessRows+" where seq > ?", 0))
			run(t, tx, "insert into t values (2)")
		}
		return nil
	}))
	assert.EqualValues(t, 6, value(t, d, "select count(*) from t"))
	assert.Less(t, time.Since(start), 40*time.Second, "all of the rows would take minutes")
}

// Of a result of middle size the server has sent all before it is told to stop: it lies in the buffers
// of the sockets. What was written before is committed all the same, and nothing else is killed.
func TestRowsThatTheServerHasSentAreLeft(t *testing.T) {
	d := open(t, peers.MariaDB(t)+"?max_open=1")
	run(t, d, "create table many (id int primary key, v varchar(50))", "create table acct (n int)",
		"insert into many select seq, concat('value number ', seq) from seq_1_to_20000")
	written := 0
	leave := func(query string, args ...any) {
		written++
		ctx, cancel := context.WithCancel(ctx) // which the driver watches
		defer cancel()
		require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, "insert into acct values (?)", written); err != nil {
				return err
			}
			rows, err := db.Each(ctx, tx, query, args...)
			if err != nil {
				return err
			}
			require.True(t, rows.Next())
			return nil
		}), "%s %v", query, args)
	}
	for n := 1000; n <= 20000; n += 500 {
		leave(fmt.Sprintf("select * from many order by id limit %d", n))
		leave("select * from many where id <= ?", n)
	}
	assert.EqualValues(t, written, value(t, d, "select count(*) from acct"))
}
