package db

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAStatementIsQuickWhileItIs(t *testing.T) {
	d, err := Open("sqlite:"+filepath.Join(t.TempDir(), "test.db"), Options{})
	require.NoError(t, err)
	defer d.Close()
	const one = "select 1"
	assert.False(t, d.Quick(one), "nobody has run it")
	for _, run := range []func() error{
		func() error { _, err := One(context.Background(), d, one); return err },
		func() error { _, err := All(context.Background(), d, one); return err },
		func() error { _, _, err := Value(context.Background(), d, one); return err },
	} {
		st, err := d.statement(one)
		require.NoError(t, err)
		st.pace.score.Store(quickFrom + slowRun)
		require.NoError(t, run())
		assert.NotEqual(t, int32(quickFrom+slowRun), st.pace.score.Load(), "the run was not noted")
		assert.True(t, d.Quick(one))
		st.writes.Store(true)
		assert.False(t, d.Quick(one), "who writes may wait")
		st.writes.Store(false)
	}

	memory, err := Open("sqlite::memory:", Options{})
	require.NoError(t, err)
	defer memory.Close()
	st, err := memory.statement(one)
	require.NoError(t, err)
	st.pace.score.Store(quickMost)
	assert.False(t, memory.Quick(one), "in memory a reader may wait for a transaction")
}

func TestPace(t *testing.T) {
	var p pace
	runs := func(n int, d time.Duration) {
		for range n {
			p.took(time.Now().Add(-d))
		}
	}
	is := func(quick bool, why string) {
		t.Helper()
		assert.Equal(t, quick, p.score.Load() >= quickFrom, why)
	}
	runs(quickFrom-1, -time.Hour)
	is(false, "too few runs")
	runs(1, -time.Hour)
	is(true, "quick each time")
	runs(1000, -time.Hour)
	runs(1, time.Second)
	is(true, "one was slow on a busy machine")
	runs(4, time.Millisecond)
	is(false, "it has turned slow")
	runs(1000, time.Millisecond)
	runs(quickFrom, -time.Hour)
	is(true, "it is quick again")
	for range 100 {
		runs(1, time.Millisecond)
		runs(3, -time.Hour)
	}
	is(false, "every fourth is slow")
}
