package migrate_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/server/db/migrate"
	"rws/spec_test/peers"
)

func TestOthersAreWaitedForOnlySoLong(t *testing.T) {
	for _, url := range []string{peers.Postgres(t), peers.MariaDB(t), "sqlite:" + filepath.Join(t.TempDir(), "test.db")} {
		d, second := open(t, url), open(t, url)
		began, end := make(chan bool), make(chan bool)
		slow := []migrate.Migration{{Version: 1, Name: "slow", Up: migrate.Step{Run: func(context.Context, db.Querier) error {
			close(began)
			<-end
			return nil
		}}}}
		first := migrator(t, d, slow)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := first.Up(ctx)
			assert.NoError(t, err)
		})
		<-began
		m, err := migrate.New(second, slow, migrate.Options{Wait: 300 * time.Millisecond})
		require.NoError(t, err)
		start := time.Now()
		_, err = m.Up(ctx)
		assert.ErrorContains(t, err, "another instance has been migrating for 300ms: waited in vain")
		assert.Less(t, time.Since(start), 5*time.Second, "less than a statement waits for the lock of a file")
		close(end)
		wg.Wait()
		done, err := m.Up(ctx)
		require.NoError(t, err)
		assert.Empty(t, done)
	}
}

// A statement waits for the lock of a SQLite file as long as busy_timeout says; a migration takes longer.
func TestMigrationsOfAFileAreWaitedForLongerThanStatements(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "test.db") + "?busy_timeout=100ms"
	d, second := open(t, url), open(t, url)
	began, end := make(chan bool), make(chan bool)
	list := []migrate.Migration{{Version: 1, Name: "slow", Up: migrate.Step{Run: func(ctx context.Context, q db.Querier) error {
		close(began)
		<-end
		_, err := q.Exec(ctx, "create table a (n int)")
		return err
	}}}}
	first, other := migrator(t, d, list), migrator(t, second, list)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := first.Up(ctx)
		assert.NoError(t, err)
	})
	<-began
	wg.Go(func() {
		done, err := other.Up(ctx)
		assert.NoError(t, err)
		assert.Empty(t, done)
	})
	time.Sleep(500 * time.Millisecond) // five times as long as a statement waits
	close(end)
	wg.Wait()
}

func TestWhoWaitsForAMigrationOfAFileMayGiveUp(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	hold, err := open(t, url).Begin(ctx, db.TxOptions{})
	require.NoError(t, err)
	defer hold.Rollback()
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = migrator(t, open(t, url), folder(t, three)).Up(short)
	assert.Equal(t, db.CodeTimeout, db.CodeOf(err))
	assert.Less(t, time.Since(start), 5*time.Second)
}

func TestWhoWaitsForAnotherInstanceIsTold(t *testing.T) {
	for _, url := range []string{peers.Postgres(t), peers.MariaDB(t), "sqlite:" + filepath.Join(t.TempDir(), "test.db")} {
		began, end := make(chan bool), make(chan bool)
		list := []migrate.Migration{{Version: 1, Name: "slow", Up: migrate.Step{Run: func(context.Context, db.Querier) error {
			close(began)
			<-end
			return nil
		}}}}
		first, second := migrator(t, open(t, url), list), migrator(t, open(t, url), list)
		first.OnWait(func(time.Duration) { t.Error("there is no other") })
		var told []time.Duration
		second.OnWait(func(atMost time.Duration) {
			told = append(told, atMost)
			close(end)
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := first.Up(ctx)
			assert.NoError(t, err)
		})
		<-began
		_, err := second.Up(ctx)
		require.NoError(t, err)
		wg.Wait()
		assert.Equal(t, []time.Duration{5 * time.Minute}, told)
	}
}

func TestWhoGivesUpWaitingHasChangedNothing(t *testing.T) {
	for _, url := range []string{peers.Postgres(t), peers.MariaDB(t), "sqlite:" + filepath.Join(t.TempDir(), "test.db")} {
		began, end := make(chan bool), make(chan bool)
		list := []migrate.Migration{{Version: 1, Name: "slow", Up: waits(began, end)}}
		first, second := migrator(t, open(t, url), list), migrator(t, open(t, url), list)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := first.Up(ctx)
			assert.NoError(t, err)
		})
		<-began
		waiting, giveUp := context.WithCancel(ctx)
		second.OnWait(func(time.Duration) { giveUp() })
		done, err := second.Up(waiting)
		end <- true
		wg.Wait()
		require.ErrorIs(t, err, migrate.ErrGaveUp)
		assert.Empty(t, done)
		assert.Equal(t, []migrate.State{migrate.Applied}, states(t, second))
	}
}
