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

// waits is a step that says that it has begun, and ends when it may.
func waits(began chan<- bool, end <-chan bool) migrate.Step {
	return migrate.Step{Run: func(context.Context, db.Querier) error {
		began <- true
		<-end
		return nil
	}}
}

func TestAMigrationThatAnotherInstanceRunsIsNotDirty(t *testing.T) {
	for name, url := range map[string]string{"postgres": peers.Postgres(t), "mariadb": peers.MariaDB(t)} {
		t.Run(name, func(t *testing.T) {
			began, end := make(chan bool), make(chan bool)
			step := waits(began, end)
			list := []migrate.Migration{{Version: 1, Name: "slow", NoTransaction: true, Up: step, Down: step}}
			d := open(t, url)
			first, second := migrator(t, d, list), migrator(t, open(t, url), list)
			for _, c := range []struct {
				run  func() ([]migrate.Done, error)
				note string
				then migrate.State
			}{
				{func() ([]migrate.Done, error) { return first.Up(ctx) }, "another instance is running it since 20", migrate.Applied},
				{func() ([]migrate.Done, error) { return first.Down(ctx, 1) }, "another instance: it is being undone since 20", migrate.Pending},
			} {
				var wg sync.WaitGroup
				wg.Go(func() {
					_, err := c.run()
					assert.NoError(t, err)
				})
				<-began
				all, err := second.Status(ctx)
				end <- true
				wg.Wait()
				require.NoError(t, err)
				require.Len(t, all, 1)
				assert.Equal(t, migrate.Running, all[0].State)
				assert.Contains(t, all[0].Note, c.note)
				assert.False(t, second.Refuses(all[0]), "up would wait for it")
				assert.Equal(t, []migrate.State{c.then}, states(t, second))
			}
			_, err := d.Exec(ctx, "insert into rws_migrations (version, name, checksum, applied_at, took, dirty) values (1, 'slow', '', current_timestamp, 0, 1)")
			require.NoError(t, err)
			all, err := second.Status(ctx)
			require.NoError(t, err)
			assert.Equal(t, migrate.Dirty, all[0].State, "nobody has the lock")
			assert.Equal(t, "whoever ran it was killed before it ended", all[0].Note)
		})
	}
}

// SQLite has no lock that outlasts a statement, and so does not know; it must not say that it failed.
func TestAMigrationOfAFileThatHasNotEndedMayBeRunning(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	began, end := make(chan bool), make(chan bool)
	list := []migrate.Migration{{Version: 1, Name: "slow", NoTransaction: true, Up: waits(began, end)}}
	first, second := migrator(t, open(t, url), list), migrator(t, open(t, url), list)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := first.Up(ctx)
		assert.NoError(t, err)
	})
	<-began
	all, err := second.Status(ctx)
	_, refused := second.Up(ctx)
	end <- true
	wg.Wait()
	require.NoError(t, err)
	assert.Equal(t, "a process is running it now, or was killed while it did", all[0].Note)
	require.ErrorContains(t, refused, "has not ended (a process is running it now, or was killed while it did): wait for that process; if there is none, mend the tables")
	assert.NotContains(t, refused.Error(), "failed")
}

func TestTheTimeOfAMigrationIsItsOwn(t *testing.T) {
	for _, alone := range []bool{false, true} {
		url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
		other := open(t, url)
		list := []migrate.Migration{{Version: 1, Name: "a", NoTransaction: alone, Up: migrate.Step{SQL: "create table a (n int)"}}}
		_, err := migrator(t, other, nil).Up(ctx) // makes the table of migrations
		require.NoError(t, err)
		hold, err := other.Begin(ctx, db.TxOptions{})
		require.NoError(t, err)
		start := time.Now()
		var waited time.Duration
		m := migrator(t, open(t, url), list)
		m.OnWait(func(time.Duration) {
			waited = time.Since(start)
			assert.NoError(t, hold.Rollback())
		})
		done, err := m.Up(ctx)
		require.NoError(t, err)
		require.Len(t, done, 1)
		require.NotZero(t, waited)
		assert.LessOrEqual(t, done[0].Took, time.Since(start)-waited)
	}
}
