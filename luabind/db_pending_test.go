package luabind_test

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/luabind/fault"
)

const (
	good = `"create table a (n int)"`
	bad  = `{ up = "create table b (n int); insert into nope values (1)", no_transaction = true }`
)

// startedWith loads a script in a folder, with the setting migrate.
func startedWith(t *testing.T, dir, migrate, migrations string) (log string, d luabind.DatabaseInfo, err error) {
	t.Helper()
	var out bytes.Buffer
	o := luabind.Options{File: "app.lua", Dir: dir, Flags: map[string]string{"migrate": migrate},
		Source: `local db = app:db("sqlite:app.db") db:migrate { ` + migrations + ` }`}
	logTo(&out, slog.LevelWarn)(&o)
	p, err := luabind.Load(o)
	if err == nil {
		d = p.Databases()[0]
		require.NoError(t, p.Close(t.Context()))
	}
	return out.String(), d, err
}

func TestAnAppWhoseMigrationsHaveNotRunSaysSo(t *testing.T) {
	dir := t.TempDir()
	log, d, err := startedWith(t, dir, "false", good)
	require.NoError(t, err)
	assert.Contains(t, log, "migrations have not run")
	assert.Contains(t, log, "1 create_table_a (pending)")
	assert.Contains(t, log, "rws migrate up app.lua")
	assert.Equal(t, 1, d.Pending)

	log, d, err = startedWith(t, dir, "true", good)
	require.NoError(t, err)
	assert.Empty(t, log)
	assert.Equal(t, 1, d.Ran)
	log, d, err = startedWith(t, dir, "false", good)
	require.NoError(t, err)
	assert.Empty(t, log, "all have run")
	assert.Zero(t, d.Pending)

	_, _, err = startedWith(t, dir, "true", good+", "+bad)
	require.Error(t, err)
	log, d, err = startedWith(t, dir, "false", good+", "+bad)
	require.NoError(t, err)
	assert.Contains(t, log, "2 create_table_b (dirty)")
	assert.Contains(t, log, "rws migrate resolve 2 applied|pending")
	assert.Equal(t, 1, d.Dirty)
	_, _, err = startedWith(t, dir, "true", good+", "+bad)
	assert.ErrorContains(t, err, "rws migrate resolve 2 applied")
}

func TestAnAppWhoseMigrationWasChangedSaysSo(t *testing.T) {
	dir := t.TempDir()
	_, _, err := startedWith(t, dir, "true", good)
	require.NoError(t, err)
	log, d, err := startedWith(t, dir, "false", `"create table a (n int, m int)", "create table c (n int)"`)
	require.NoError(t, err)
	assert.Contains(t, log, "1 create_table_a (changed)")
	assert.Contains(t, log, "not as they ran")
	assert.Contains(t, log, "rws migrate status app.lua")
	assert.NotContains(t, log, "migrate up", "which refuses")
	assert.Equal(t, 1, d.Changed)
	assert.Equal(t, 1, d.Pending)
}

func TestInProductionWhatToDoFitsWhyAnAppIsNotMigrated(t *testing.T) {
	dir := t.TempDir()
	start := func(migrations string) string {
		t.Helper()
		_, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Flags: map[string]string{"env": "production"},
			Source: `local db = app:db("sqlite:app.db") db:migrate { ` + migrations + ` }`})
		e, ok := errors.AsType[*fault.Error](err)
		require.True(t, ok, "%v", err)
		return e.Message + "\n" + e.Hint
	}
	assert.Contains(t, start(good), "(pending)\nin production migrations run by `rws migrate up app.lua`")
	_, _, err := startedWith(t, dir, "true", good)
	require.NoError(t, err)
	got := start(`"create table a (n int, m int)"`)
	assert.Contains(t, got, "(changed)\nmigration 1 (create_table_a): it was changed after it had run on")
	assert.Contains(t, got, "restore it as it was then, and write a new migration for what is to change")
	assert.NotContains(t, got, "rws migrate up", "which refuses")
}
