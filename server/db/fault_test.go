package db_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

func TestAServerThatGoesAndComesBack(t *testing.T) {
	for name, start := range map[string]func(*testing.T) *peers.Server{
		"postgres": func(t *testing.T) *peers.Server { return peers.PostgresServer(t) },
		"mariadb":  func(t *testing.T) *peers.Server { return peers.MariaDBServer(t) },
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			d := open(t, server.URL())
			run(t, d, "create table t (n bigint primary key)")
			var stop atomic.Bool
			var wg sync.WaitGroup
			var written, failed atomic.Int64
			for w := range 8 {
				wg.Go(func() {
					for n := int64(0); !stop.Load(); n++ {
						c, cancel := context.WithTimeout(ctx, 5*time.Second)
						err := db.InTx(c, d, db.TxOptions{}, func(tx *db.Tx) error {
							_, err := tx.Exec(c, "insert into t values (?)", n*8+int64(w))
							return err
						})
						cancel()
						if err == nil {
							written.Add(1)
							continue
						}
						failed.Add(1)
						code := db.CodeOf(err)
						assert.Contains(t, []db.Code{db.CodeConnection, db.CodeTimeout, db.CodeBusy}, code, "%v", err)
						assert.NotContains(t, err.Error(), "rws:", "a password")
						time.Sleep(10 * time.Millisecond) // as a caller would, not to wait for something
					}
				})
			}
			reached := func(counter *atomic.Int64, n int64) {
				t.Helper()
				from := counter.Load()
				require.Eventually(t, func() bool { return counter.Load() >= from+n }, 30*time.Second, time.Millisecond)
			}
			reached(&written, 50)
			server.Stop(t)
			reached(&failed, 20)
			server.Start(t)
			reached(&written, 50)
			stop.Store(true)
			wg.Wait()
			idle(t, d)
			kept := value(t, d, "select count(*) from t").(int64)
			assert.GreaterOrEqual(t, kept, written.Load(), "an acknowledged write is lost")
			assert.LessOrEqual(t, d.Stats()[0].Open, d.Stats()[0].Max)
		})
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	for _, url := range []string{"postgres://me:topsecret@127.0.0.1:1/x?connect_timeout=2", "mysql://me:topsecret@127.0.0.1:1/x"} {
		d := open(t, url)
		err := d.Ping(ctx)
		require.Error(t, err, "connecting is put off until then")
		assert.Equal(t, db.CodeConnection, db.CodeOf(err), "%v", err)
		assert.NotContains(t, err.Error(), "topsecret")
		idle(t, d)
	}
}

func TestAWrongPassword(t *testing.T) {
	server := peers.PostgresServer(t)
	d := open(t, "postgres://rws:topsecret@"+server.Addr()+"/test?sslmode=disable")
	err := d.Ping(ctx)
	require.Error(t, err)
	assert.Equal(t, db.CodeDenied, db.CodeOf(err), "%v", err)
	assert.NotContains(t, err.Error(), "topsecret")
}

func TestAFrozenServerMeetsTheDeadline(t *testing.T) {
	server := peers.MariaDBServer(t)
	d := open(t, server.URL())
	require.NoError(t, d.Ping(ctx))
	server.Pause(t)
	var start time.Time
	var err error
	require.Eventually(t, func() bool { // a thread that is at work may still answer
		start = time.Now()
		err = d.Ping(within(t, 200*time.Millisecond))
		return err != nil
	}, time.Minute, time.Millisecond)
	assert.Equal(t, db.CodeTimeout, db.CodeOf(err), "%v", err)
	assert.Less(t, time.Since(start), 5*time.Second)
	server.Resume(t)
	require.NoError(t, d.Ping(ctx))
	idle(t, d)
}

func TestAPoolThatIsUsedUpSaysSo(t *testing.T) {
	d, err := db.Open(peers.Postgres(t), db.Options{MaxOpen: 1, Wait: 50 * time.Millisecond})
	require.NoError(t, err)
	defer d.Close()
	rows, err := d.Query(ctx, "select generate_series(1, 100000)")
	require.NoError(t, err)
	_, err = d.Exec(ctx, "select 1")
	assert.Equal(t, db.CodeBusy, db.CodeOf(err))
	assert.ErrorContains(t, err, "a result that is not closed")
	err = d.Ping(within(t, 10*time.Millisecond))
	assert.Equal(t, db.CodeTimeout, db.CodeOf(err))
	s := d.Stats()[0]
	assert.Equal(t, 1, s.InUse)
	assert.EqualValues(t, 2, s.Waits)
	assert.NotZero(t, s.WaitTime)
	require.NoError(t, rows.Close())
	require.NoError(t, d.Ping(ctx))
}

// A lateContext ends without a word: as one does in the moment between an answer and the look at it.
type lateContext struct {
	context.Context
	ended atomic.Bool
}

func (c *lateContext) Done() <-chan struct{} { return make(chan struct{}) }

func (c *lateContext) Err() error {
	if c.ended.Load() {
		return context.DeadlineExceeded
	}
	return nil
}

// Who gives up too late must not end what another runs on the connection.
func TestAnAnswerInTheLastMomentHarmsNobody(t *testing.T) {
	d := open(t, peers.MariaDB(t)+"?max_open=1")
	run(t, d, "create table t (n int primary key)", "insert into t values (1)")
	late := &lateContext{Context: ctx}
	defer time.AfterFunc(50*time.Millisecond, func() { late.ended.Store(true) }).Stop()
	_, err := d.Exec(late, "insert into t select 1 + sleep(0.2)")
	require.Equal(t, db.CodeTimeout, db.CodeOf(err))
	assert.EqualValues(t, 0, value(t, d, "select sleep(0.5)"))
}

// A failure may end the whole transaction: nothing that runs afterwards is committed by itself.
func TestATransactionThatTheServerEnded(t *testing.T) {
	server := peers.MariaDBServer(t, "--innodb-snapshot-isolation=ON", "--innodb-lock-wait-timeout=1", "--innodb-rollback-on-timeout=ON")
	d := open(t, server.URL())
	run(t, d, "create table a (id int primary key, n int)", "insert into a values (1, 0)", "create table b (n int)")
	for code, meddle := range map[db.Code]func(tx *db.Tx) *db.Tx{
		db.CodeSerialization: func(tx *db.Tx) *db.Tx {
			value(t, tx, "select n from a where id = 1")
			run(t, d, "update a set n = 5 where id = 1")
			return nil
		},
		db.CodeBusy: func(*db.Tx) *db.Tx {
			other, err := d.Begin(ctx, db.TxOptions{})
			require.NoError(t, err)
			run(t, other, "update a set n = 6 where id = 1")
			return other
		},
	} {
		err := db.InTx(ctx, d, db.TxOptions{Isolation: "repeatable read"}, func(tx *db.Tx) error {
			run(t, tx, "insert into b values (1)")
			if other := meddle(tx); other != nil {
				defer other.Rollback()
			}
			_, err := tx.Exec(ctx, "update a set n = n + 1 where id = 1")
			assert.Equal(t, code, db.CodeOf(err), "%v", err)
			_, err = tx.Exec(ctx, "insert into b values (2)")
			assert.Equal(t, db.CodeAborted, db.CodeOf(err), "%v", err)
			return nil
		})
		assert.Equal(t, db.CodeAborted, db.CodeOf(err), "%v", err)
		assert.EqualValues(t, 0, value(t, d, "select count(*) from b"), code)
	}
}

func TestAWaitForALockInVainEndsOnlyItsStatement(t *testing.T) {
	d := open(t, peers.MariaDB(t))
	run(t, d, "create table a (id int primary key, n int)", "insert into a values (1, 0)", "create table b (n int)")
	other, err := d.Begin(ctx, db.TxOptions{})
	require.NoError(t, err)
	defer other.Rollback()
	run(t, other, "update a set n = 6 where id = 1")
	session, err := d.Session(ctx)
	require.NoError(t, err)
	defer session.Close()
	run(t, session, "set innodb_lock_wait_timeout = 1")
	require.NoError(t, db.InTx(ctx, session, db.TxOptions{}, func(tx *db.Tx) error {
		run(t, tx, "insert into b values (1)")
		_, err := tx.Exec(ctx, "update a set n = n + 1 where id = 1")
		assert.Equal(t, db.CodeBusy, db.CodeOf(err), "%v", err)
		_, err = tx.Exec(ctx, "insert into b values (2)")
		return err
	}))
	assert.EqualValues(t, 2, value(t, d, "select count(*) from b"))
}
