package db_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/server/db"
)

func TestManyMayCreateTheSame(t *testing.T) {
	d := file(t, "")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { assert.NoError(t, d.Create(ctx, "create table if not exists made (n int)")) })
	}
	wg.Wait()
	assert.EqualValues(t, 0, value(t, d, "select count(*) from made"))
}

func TestCreateTellsWhatIsWrong(t *testing.T) {
	d := file(t, "")
	assert.Equal(t, db.CodeSyntax, db.CodeOf(d.Create(ctx, "create tabel made (n int)")))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	assert.ErrorIs(t, d.Create(gone, "create table made (n int)"), context.Canceled)
}
