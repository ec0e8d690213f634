package db_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/db"
	"rws/spec_test/peers"
)

// On each of three connections, in transactions and outside.
func TestAValueIsStoredAsTheColumnIsNow(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		before, after string
		value         any
		want          any
	}{
		{"int", "text", "01067", "01067"},
		{"date", "timestamptz", at, at},
		{"numeric", "text", "1e3", "1e3"},
		{"jsonb", "text", `{"b":1,  "a":2}`, `{"b":1,  "a":2}`},
		{"int", "timestamptz", at, at},
		{"int", "int[]", either("[1]", 1), []any{int64(1)}},
	} {
		d := open(t, peers.Postgres(t)+"&max_open=3")
		store := func(q db.Querier, v any) any {
			_, err := q.Exec(ctx, "update people set zip = ?", v)
			require.NoError(t, err, c)
			return value(t, q, "select zip from people where id = ?", 1)
		}
		everywhere := func(v any) (got []any) {
			got = append(got, store(d, v))
			in := func(f func(tx *db.Tx)) {
				require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error { f(tx); return nil }))
			}
			in(func(a *db.Tx) {
				in(func(b *db.Tx) { in(func(c *db.Tx) { got = append(got, store(c, v)) }); got = append(got, store(b, v)) })
				got = append(got, store(a, v))
			})
			return append(got, store(d, v))
		}
		run(t, d, "create table people (id int, zip "+c.before+")", "insert into people values (1, null)")
		everywhere(nil)
		_, err := d.Exec(ctx, "select 1; -- more\nalter table people alter zip type "+c.after+" using null", db.Verbatim{})
		require.NoError(t, err)
		assert.Equal(t, slices.Repeat([]any{c.want}, 5), everywhere(c.value), "%s %s", c.before, c.after)
	}
}

func TestWhatWasPreparedBeforeARollbackIsForgotten(t *testing.T) {
	d := open(t, peers.Postgres(t)+"&max_open=1")
	run(t, d, "create table people (zip text)", "insert into people values ('')")
	const set = "update people set zip = ?"
	alter := func(tx *db.Tx) {
		run(t, tx, "alter table people alter zip type int using 1")
		_, err := tx.Exec(ctx, set, 7)
		require.NoError(t, err)
	}
	require.Error(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
		inner, err := tx.Begin(ctx, db.TxOptions{})
		require.NoError(t, err)
		alter(inner)
		require.NoError(t, inner.Rollback())
		_, err = tx.Exec(ctx, set, "01067")
		require.NoError(t, err)
		assert.Equal(t, "01067", value(t, tx, "select zip from people"))
		alter(tx)
		return assert.AnError
	}))
	_, err := d.Exec(ctx, set, "01067")
	require.NoError(t, err)
	assert.Equal(t, "01067", value(t, d, "select zip from people"))
}

func TestATypeThatIsMadeAgainFailsNothing(t *testing.T) {
	d := open(t, peers.Postgres(t)+"&max_open=1")
	const find = "select count(*) from m where mood = ?"
	for _, words := range []string{"'ok', 'tëxt'", "'no', 'tëxt'"} {
		run(t, d, "drop table if exists m", "drop type if exists mood", "create type mood as enum ("+words+")", "create table m (mood mood)")
		assert.EqualValues(t, 0, value(t, d, find, words[1:3]))
		require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, func(tx *db.Tx) error {
			assert.EqualValues(t, 0, value(t, tx, find, "tëxt"))
			return nil
		}))
	}
}

func TestWhatAnotherProgramChangesIsNoticedWhereAValueDoesNotFit(t *testing.T) {
	url := peers.Postgres(t)
	d, other := open(t, url+"&max_open=1"), open(t, url)
	run(t, d, "create type mood as enum ('ok')", "create table people (zip int, mood mood)", "insert into people values (1)")
	const set, find = "update people set zip = ?", "select count(*) from people where mood = ?"
	use := func(v any) {
		_, err := d.Exec(ctx, set, v)
		require.NoError(t, err)
		assert.EqualValues(t, 0, value(t, d, find, "ok"))
	}
	use(1)
	run(t, other, "alter table people alter zip type text", "alter table people drop mood", "drop type mood", "create type mood as enum ('ok')", "alter table people add mood mood")
	use("SW1A")
	assert.Equal(t, "SW1A", value(t, d, "select zip from people"))
	run(t, other, "alter table people alter zip type timestamptz using now()")
	use(time.Now())
	run(t, other, "alter table people alter zip type int[] using '{}'")
	use(either("[1]", 1))
	_, err := d.Exec(ctx, set, "SW1A")
	assert.Equal(t, db.CodeValue, db.CodeOf(err))
}

func TestATypeThatChangesUnderATransactionIsWorthAnotherTry(t *testing.T) {
	url := peers.Postgres(t)
	d, other := open(t, url+"&max_open=1"), open(t, url)
	run(t, d, "create type mood as enum ('ok')")
	const cast = "select 1 from pg_class where ?::mood is null"
	all(t, d, cast, "ok")
	run(t, other, "drop type mood", "create type mood as enum ('ok')")
	find := func(tx *db.Tx) error { _, err := db.All(ctx, tx, cast, "ok"); return err }
	err := db.InTx(ctx, d, db.TxOptions{}, find)
	assert.Equal(t, db.CodeSerialization, db.CodeOf(err), "%v", err)
	require.NoError(t, db.InTx(ctx, d, db.TxOptions{}, find))
}

func TestAStatementOfOthersOutlivesAChange(t *testing.T) {
	d := open(t, peers.Postgres(t)+"&max_open=1")
	st, err := d.SQL().PrepareContext(ctx, "select $1::int")
	require.NoError(t, err)
	defer st.Close()
	run(t, d, "create table t (n int)", "alter table t add m int")
	value(t, d, "select ?::text", "x")
	var n int
	require.NoError(t, st.QueryRow(7).Scan(&n))
	assert.Equal(t, 7, n)
}
