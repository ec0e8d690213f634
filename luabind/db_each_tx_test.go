package luabind_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind/vm"
	"rws/spec_test/peers"
)

// servers have one connection for a transaction, on which one thing goes on at a time.
var servers = map[string]struct {
	url           func(testing.TB) string
	fits, endless string
}{
	"postgres": {peers.Postgres, "select generate_series(1, 600) as x", "select generate_series(1, 1000000000) as x"},
	"mariadb":  {peers.MariaDB, "select seq as x from seq_1_to_600", "select seq as x from seq_1_to_1000000000"},
}

// loopsInTx are programs that go through rows in a transaction, each with what it returns. They have
// the table t (n int), and endless, a result that no one can wait for.
var loopsInTx = map[string]struct{ program, want string }{
	"a loop that is left, and a statement behind it": {`
		return db:tx(function(tx)
			for row in tx:each(endless) do if row.x == 300 then break end end
			tx:insert("t", { n = 1 })
			return tx:value("select count(*) from t")
		end) .. " " .. db:value("select count(*) from t")`, "1 1"},
	"a loop that is left, and the commit": {`
		db:tx(function(tx)
			tx:insert("t", { n = 2 })
			for row in tx:each(endless) do if row.x == 3 then break end end
		end)
		return db:value("select n from t")`, "2"},
	"a loop that is left by an error": {`
		local ok, err = pcall(db.tx, db, function(tx)
			tx:insert("t", { n = 3 })
			for row in tx:each(endless) do error("no more") end
		end)
		return tostring(ok) .. " " .. db:value("select count(*) from t")`, "false 0"},
	"a loop that is closed": {`
		return db:tx(function(tx)
			local rows, close = tx:each(endless)
			local first = rows().x
			close() close()
			assert(rows() == nil)
			return first + tx:value("select 7")
		end)`, "8"},
	"many loops that are left": {`
		return db:tx(function(tx)
			for _ = 1, 3 do for row in tx:each(endless) do break end end
			return tx:value("select 7")
		end)`, "7"},
	"statements in a loop": {`
		return db:tx(function(tx)
			local sum = 0
			for row in tx:each(fits) do
				if row.x % 100 == 0 then tx:insert("t", { n = row.x }) end
				sum = sum + row.x
			end
			return sum .. " " .. tx:value("select count(*) from t")
		end)`, "180300 6"},
	"loops in loops, with savepoints": {`
		return db:tx(function(tx)
			local n = 0
			for a in tx:each(fits) do
				if a.x > 3 then break end
				pcall(tx.tx, tx, function(inner)
					inner:insert("t", { n = a.x })
					for b in inner:each(fits) do n = n + 1 end
					if a.x == 2 then error("undo") end
				end)
			end
			return n .. " " .. tx:value("select count(*) from t")
		end)`, "1800 2"},
	"parameters, and the builder": {`
		return db:tx(function(tx)
			for n = 1, 600 do tx:insert("t", { n = n }) end
			local sum = 0
			for row in tx:each("select n from t where n in (?) or n = ?", { 1, 2 }, 600) do sum = sum + row.n end
			for row in tx:from("t"):where("n > ?", 597):each() do sum = sum + row.n tx:value("select 1") end
			return sum
		end)`, "2400"},
	"a table that changes behind a loop that was left": {`
		if db.engine == "mysql" then return 1 end
		return db:tx(function(tx)
			tx:exec("create table u (n int)")
			for n = 1, 600 do tx:insert("u", { n = n }) end
			for row in tx:each("select n from u") do break end
			tx:exec("alter table u add column m int")
			return tx:value("select count(*) - 599 from u")
		end)`, "1"},
	"rows that are written": {`
		if db.engine == "mysql" then
			return db:tx(function(tx)
				for row in tx:each("insert into t select seq from seq_1_to_20000 returning n") do break end
				return tx:value("select count(*) from t")
			end)
		end
		return db:tx(function(tx)
			for row in tx:each("insert into t select generate_series(1, 20000) returning n") do break end
			return tx:value("select count(*) from t")
		end)`, "20000"},
	"rows of a savepoint that was undone": {`
		return db:tx(function(tx)
			local rows
			pcall(tx.tx, tx, function(inner) rows = inner:each(fits) rows() error("undo") end)
			pcall(function() while rows() do end end)
			tx:insert("t", { n = 1 })
			return tx:value("select count(*) from t")
		end)`, "1"},
}

func TestATransactionGoesOnWhenALoopInItIsLeft(t *testing.T) {
	for name, c := range loopsInTx {
		t.Run(name, func(t *testing.T) {
			eachServer(t, `app:get("/", function(c) return tostring((function() `+c.program+` end)()) end)`, func(t *testing.T, request func(string) string) {
				start := time.Now()
				assert.Equal(t, c.want, request("GET /"))
				assert.Less(t, time.Since(start), 30*time.Second, "all of the rows would take minutes")
			})
		})
	}
}

// eachServer runs a promise on Postgres and MariaDB, with one connection.
func eachServer(t *testing.T, script string, promise func(t *testing.T, request func(string) string)) {
	t.Helper()
	for name, s := range servers {
		t.Run(name, func(t *testing.T) {
			p := newApp(t, `
				local db = app:db("`+s.url(t)+`", { max_open = 1 })
				db:exec("create table t (n int)")
				local fits, endless = "`+s.fits+`", "`+s.endless+`"
				`+script, nil)
			promise(t, func(r string) string { return string(do(t, p, r).Body) })
		})
	}
}

func TestALoopInATransactionEndsWithItsDeadline(t *testing.T) {
	eachServer(t, `
		app:get("/", { timeout = "1s" }, function(c)
			db:tx(function(tx)
				tx:insert("t", { n = 1 })
				local n = 0
				for row in tx:each(endless) do n = n + 1 end
			end)
		end)
		app:get("/count", function() return tostring(db:value("select count(*) from t")) end)`, func(t *testing.T, request func(string) string) {
		start := time.Now()
		assert.Contains(t, request("GET /"), "504")
		assert.Equal(t, "0", request("GET /count"))
		assert.Less(t, time.Since(start), 20*time.Second)
	})
}

func TestALoopInATransactionEndsWithItsCaller(t *testing.T) {
	for name, s := range servers {
		t.Run(name, func(t *testing.T) {
			p := newApp(t, `DB = app:db("`+s.url(t)+`", { max_open = 1 }) DB:exec("create table t (n int)")`, nil)
			run := &vm.Run{}
			time.AfterFunc(500*time.Millisecond, func() { run.Interrupt(context.Canceled) })
			start := time.Now()
			_, err := inLua(t, p, run, `DB:tx(function(tx) tx:insert("t", { n = 1 }) for row in tx:each("`+s.endless+`") do end end)`)
			require.Error(t, err)
			n, err := inLua(t, p, &vm.Run{}, `return DB:value("select count(*) from t")`)
			require.NoError(t, err)
			assert.Equal(t, "0", n)
			assert.Less(t, time.Since(start), 20*time.Second)
		})
	}
}

// A cursor of Postgres lets other statements run for ever; MariaDB has no such thing.
func TestAnEndlessLoopWithStatementsInside(t *testing.T) {
	eachServer(t, `
		app:get("/", function(c)
			local ok, err = rws.try(db.tx, db, function(tx)
				local n = 0
				for row in tx:each(endless) do
					tx:insert("t", { n = row.x })
					n = n + 1
					if n == 1000 then break end
				end
			end)
			return tostring(ok) .. " " .. db:value("select count(*) from t") .. " " .. (ok and db.engine or err.code .. " " .. err.message)
		end)`, func(t *testing.T, request func(string) string) {
		if answer := request("GET /"); answer != "true 1000 postgres" {
			assert.Contains(t, answer, "false 0 busy ")
			assert.Contains(t, answer, "more than 32 MiB of these rows were left")
			assert.Contains(t, answer, "add a limit")
		}
	})
}

func TestALoopThatOutlivesItsTransactionDoesNotLookWhole(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{
		"sqlite": func(testing.TB) string { return "sqlite:app.db" }, "postgres": peers.Postgres, "mariadb": peers.MariaDB,
	} {
		t.Run(name, func(t *testing.T) {
			p := newApp(t, `
				local db = app:db("`+url(t)+`")
				local numbers = "with recursive c(x) as (select 1 union all select x + 1 from c where x < 900) select x from c"
				local function later(how, limit)
					local n, rows = 0
					rws.try(db.tx, db, function(tx) rows = tx:each(numbers .. " where x <= " .. limit) rows() if how == "error" then error("undo") end end)
					local ok, err = rws.try(function() for row in rows do n = n + 1 end end)
					return ok and n or err.code
				end
				app:get("/", function() return table.concat({ later("commit", 900), later("error", 900), later("commit", 200) }, " ") end)`, nil)
			assert.Equal(t, "closed closed 199", string(do(t, p, "GET /").Body))
		})
	}
}
