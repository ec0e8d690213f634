package luabind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind/vm"
)

// A coroutine that yields out of db:tx never comes back to its end.
func TestAYieldOutOfATransactionRollsBack(t *testing.T) {
	p := loadDB(t, "")
	for name, source := range map[string]string{
		"db:tx": `db:tx(function(tx) tx:insert("t", { name = "half" }) coroutine.yield("half") error("x") end)`,
		"tx:tx": `db:tx(function(tx)
			tx:insert("t", { name = "outer" })
			pcall(function() tx:tx(function(inner) inner:insert("t", { name = "inner" }) coroutine.yield("half") end) end)
			tx:tx(function(inner) inner:insert("t", { name = "inner" }) coroutine.yield("half") end)
		end)`,
		"in a callback of it": `db:tx(function(tx) tx:insert("t", { name = "half" }) string.gsub("x", "x", function() coroutine.yield("half") end) end)`,
		"in a metamethod":     `db:tx(function(tx) tx:insert("t", { name = "half" }) return setmetatable({}, { __index = function() coroutine.yield("half") end }).x end)`,
		"yield itself":        `db:tx(coroutine.yield)`,
	} {
		got, err := inLua(t, p, &vm.Run{}, `local db = app:db("sqlite::memory:")
			local co = coroutine.create(function() `+source+` end)
			local ok, e = coroutine.resume(co)
			return tostring(ok) .. " " .. db:value("select count(*) from t") .. " " .. coroutine.status(co) .. " " .. tostring(e)`)
		require.NoError(t, err, name)
		assert.Contains(t, got, "false 0 dead", name)
		assert.Contains(t, got, "attempt to yield across", name)
	}
	got, err := inLua(t, p, &vm.Run{}, `local db, n = app:db("sqlite::memory:"), 0
		db:tx(function(tx) for i in coroutine.wrap(function() for i = 1, 3 do tx:insert("t", { n = i }) coroutine.yield(i) end end) do n = n + i end end)
		return n .. " " .. db:value("select count(*) from t")`)
	require.NoError(t, err)
	assert.Equal(t, "6 3", got, "a coroutine inside may yield")
}

func TestAYieldIsNoReturn(t *testing.T) {
	p := loadDB(t, "")
	for _, source := range []string{
		`rws.lock("a", function() coroutine.yield(1) end)`,
		`app.shared:update("k", function() coroutine.yield(1) end)`,
		`rws.parallel(function() coroutine.yield(1) end)`,
		`app.cache:fetch("k", "60s", function() coroutine.yield(1) end)`,
	} {
		got, err := inLua(t, p, &vm.Run{}, `local ok, e = coroutine.resume(coroutine.create(function() `+source+` end)) return tostring(ok) .. tostring(e)`)
		require.NoError(t, err, source)
		assert.Contains(t, got, "yield", source)
		assert.Contains(t, got, "false", source)
	}
	got, err := inLua(t, p, &vm.Run{}, `return tostring(app.shared:get("k")) .. tostring(app.cache:get("k"))`)
	require.NoError(t, err)
	assert.Equal(t, "nilnil", got)
}
