package luabind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind/vm"
	"rws/spec_test/peers"
)

func TestATableForAnArrayOfPostgresIsExplained(t *testing.T) {
	p := newApp(t, "", nil)
	got, err := inLua(t, p, &vm.Run{}, `local db = app:db("`+peers.Postgres(t)+`", { name = "other" })
		db:exec("create table t (ia int[])")
		local _, e = rws.try(db.insert, db, "t", { ia = { a = 1 } })
		db:insert("t", { ia = { 1, 2 } })
		return e.code .. " " .. e.hint`)
	require.NoError(t, err)
	assert.Contains(t, got, "value an array is given as a list")
}

func TestColumnsWithoutADefaultHaveNone(t *testing.T) {
	p := loadDB(t, "")
	for _, url := range []string{"sqlite::memory:", peers.Postgres(t), peers.MariaDB(t)} {
		got, err := inLua(t, p, &vm.Run{}, `local db = app:db("`+url+`")
			db:exec("create table c (a int, b int default 7, d varchar(5) not null default '')")
			local c = db:columns("c")
			return tostring(c[1].default) .. " " .. tostring(c[2].default)`)
		require.NoError(t, err, url)
		assert.Equal(t, "nil 7", got, url)
	}
}

func TestABackupLeavesTheFolderOfRwsAlone(t *testing.T) {
	p := newApp(t, `local db = app:db("sqlite:app.db")`, nil)
	for _, to := range []string{".rws/secret", ".rws/x.db", ".rws", "a/../.rws/x.db"} {
		_, err := inLua(t, p, &vm.Run{}, `app:db("sqlite:app.db"):backup("`+to+`")`)
		assert.ErrorContains(t, err, "is in the folder .rws", to)
	}
}

func TestRedisKeepsIntegersAndSpeaksOfScripts(t *testing.T) {
	p := newApp(t, "", nil)
	url := peers.Redis(t)
	got, err := inLua(t, p, &vm.Run{}, `local redis = app:redis("`+url+`")
		redis:call("SET", "k", 2^60)
		local out = redis:call("GET", "k")
		redis:call("SET", "k", -2^63)
		out = out .. " " .. redis:call("GET", "k")
		redis:call("SET", "k", 0.5)
		return out .. " " .. redis:call("GET", "k")`)
	require.NoError(t, err)
	assert.Equal(t, "1152921504606846976 -9223372036854775808 0.5", got)
	for command, want := range map[string]string{"SUBSCRIBE": "use redis:subscribe", "MULTI": "use redis:multi", "WATCH": "use redis:script", "QUIT": "closed with the app", "SELECT": "the URL of app:redis"} {
		_, err := inLua(t, p, &vm.Run{}, `app:redis("`+url+`"):call("`+command+`", "a")`)
		assert.ErrorContains(t, err, want)
	}
}
