package db

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/spec_test/peers"
)

func TestWhatAnotherProgramChangesIsNoticedAfterAMinute(t *testing.T) {
	ctx, url := context.Background(), peers.Postgres(t)
	d, err := Open(url, Options{MaxOpen: 1})
	require.NoError(t, err)
	defer d.Close()
	other, err := Open(url, Options{})
	require.NoError(t, err)
	defer other.Close()
	store := func() any {
		_, err := d.Exec(ctx, "update people set zip = ?", "01067")
		require.NoError(t, err)
		v, _, err := Value(ctx, d, "select zip from people")
		require.NoError(t, err)
		return v
	}
	require.NoError(t, Script(ctx, other, "create table people (zip int); insert into people values (1)"))
	assert.Equal(t, int64(1067), store())
	require.NoError(t, Script(ctx, other, "alter table people alter zip type text"))
	assert.Equal(t, "1067", store(), "nothing says so")

	c, err := d.write.db.Conn(ctx)
	require.NoError(t, err)
	require.NoError(t, c.Raw(func(c any) error {
		c.(*conn).since = time.Now().Add(-forgetAfter)
		return nil
	}))
	require.NoError(t, c.Close())
	assert.Equal(t, "01067", store())
}

func TestWhatChangesColumns(t *testing.T) {
	for text, want := range map[string]bool{
		"/* x */ ALTER table t add n int": true, "drop type t": true, "create type t as enum ()": true, "create or replace view v as select 1": true,
		"select 1; alter table t add n int": true, "do $$ begin alter table t add n int; end $$": true, "create table t ()": true,
		"select ';drop'": false, "create temp table t () on commit drop": false, "create index i on t (n)": false,
		"create unique index i on t (n)": false, "insert into t values ('; drop')": false, "with a as (select 1) select 1": false,
	} {
		assert.Equal(t, want, changesColumns(text), text)
	}
}
