package luabind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind/vm"
	"rws/spec_test/peers"
)

// What a list was made by says nothing: the column does.
func TestListsGoBackWhereTheyCameFrom(t *testing.T) {
	p := loadDB(t, "")
	for name, url := range map[string]string{"sqlite": "sqlite:lists.db", "postgres": peers.Postgres(t), "mariadb": peers.MariaDB(t)} {
		got, err := inLua(t, p, &vm.Run{}, `local db = app:db("`+url+`", { name = "`+name+`" })
			local json = rws.json
			db:exec("create table l (id int primary key, j json, b "..(db.engine == "postgres" and "jsonb" or "json")..", t text)")
			local function read(v) return type(v) == "string" and json.decode(v) or v end -- MariaDB's is text
			local lists = { { 1, 2 }, rws.array { 1, 2 }, json.decode("[1,2]"), db:all("select 1 as n"), rws.array {}, json.decode("[]"),
				{ rws.null, { 1, {} }, rws.array {}, { a = rws.null, b = json.decode("[[]]") } }, {}, { a = 1 }, { rws.now() } }
			for n, list in ipairs(lists) do
				local want = json.encode(list)
				local row = db:insert("l", { id = n, j = list, b = list, t = list })
				db:tx(function(tx)
					row = tx:upsert("l", { id = n, j = read(row.j), b = read(row.b), t = read(row.b) }, "id")
					tx:update("l", { b = read(row.j) }, { id = n })
				end)
				db:from("l"):where("id", n):update { j = read(row.b) }
				db:exec("update l set b = :b, t = :b2 where id = :id", { b = read(row.b), b2 = read(row.b), id = n })
				row = db:one("select j, b, t from l where id = ?", n)
				for name, v in pairs { j = read(row.j), b = read(row.b), t = json.decode(row.t) } do
					assert(json.encode(v) == want, db.engine .. " " .. name .. ": " .. json.encode(v) .. " of " .. want)
				end
			end
			local row = db:one("select b from l where id = 1")
			local tags = read(row.b)
			tags[#tags + 1] = "three"
			db:update("l", { b = tags, j = rws.null }, { id = json.decode("[1]") })
			row = db:one("select j, b from l where id in (?)", json.decode("[1]"))
			return json.encode { read(row.b), row.j == nil }`)
		require.NoError(t, err, name)
		assert.Equal(t, `[[1,2,"three"],true]`, got)
	}
}

func TestListsAreArraysWherePostgresHasThem(t *testing.T) {
	p := newApp(t, "", nil)
	got, err := inLua(t, p, &vm.Run{}, `local db = app:db("`+peers.Postgres(t)+`", { name = "arrays" })
		db:exec("create table a (id serial primary key, ids int[], tags text[], j jsonb, docs jsonb[], bytes bytea[], f float8[])")
		local first = db:insert("a", { ids = { 1, 2 }, tags = rws.json.decode('["x", null]'), docs = { { k = 1 }, { 1, "y" } }, bytes = { "\255\0" }, f = { 1/0 } })
		local again = db:insert("a", { ids = first.ids, tags = first.tags, docs = first.docs, bytes = first.bytes, f = first.f, j = first.ids })
		assert(again.bytes[1] == "\255\0" and again.f[1] == 1/0)
		assert(db:value("select count(*) from a where ids = :ids and id = any(:ids)", { ids = again.ids }) == 2)
		assert(db:value("select count(*) from a where j @> ? and 'x' = any(?)", rws.json.decode("[2]"), first.tags) == 1)
		assert(db:value("select ?::jsonb <@ ?", { 1 }, again.j) and db:value("select ?::text[] <@ ?", rws.array {}, {}))
		for row in db:each("select unnest(?::int[]) as n", { 7 }) do assert(row.n == 7) end
		return rws.json.encode { again.ids, again.tags, again.j, again.docs }`)
	require.NoError(t, err)
	assert.Equal(t, `[[1,2],["x",null],[1,2],[{"k":1},[1,"y"]]]`, got)
}

func TestAListThatContainsItselfIsRefused(t *testing.T) {
	p := newApp(t, "", nil)
	_, err := inLua(t, p, &vm.Run{}, `
		local db = app:db("sqlite:cycle.db")
		db:exec("create table l (j text)")
		local list = { 1 }
		list[2] = list
		for _, store in ipairs {
			function() db:insert("l", { j = list }) end,
			function() db:all("select :a", { a = list }) end,
			function() db:from("l"):where { j = list }:all() end,
			function() db:page("select ?", { list }) end,
		} do
			local ok, err = pcall(store)
			assert(not ok and tostring(err):find("contains itself", 1, true), tostring(err))
		end
		local deep = {}
		for _ = 1, 100 do deep = { deep } end
		db:insert("l", { j = deep })`)
	require.NoError(t, err)
}
