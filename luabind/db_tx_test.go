package luabind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind/vm"
	"rws/spec_test/peers"
)

func TestATransactionThatFailedBeforeItsEndSaysSo(t *testing.T) {
	p := newApp(t, "", nil)
	got, err := inLua(t, p, &vm.Run{}, `local db = app:db("`+peers.Postgres(t)+`", { name = "other" })
		db:exec("create table t (id int primary key)")
		local ok, e = rws.try(db.tx, db, function(tx)
			tx:insert("t", { id = 1 })
			rws.try(tx.exec, tx, "insert into t values (1)")
			local _, e = rws.try(tx.insert, tx, "t", { id = 2 })
			assert(e.code == "aborted" and e.statement == "insert into t values (1)", tostring(e))
		end)
		return e.code .. " " .. e.message`)
	require.NoError(t, err)
	assert.Regexp(t, "^aborted db:tx: aborted: .*unique: duplicate key", got)
}
