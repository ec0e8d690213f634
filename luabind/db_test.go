package luabind_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/luabind/bind"
	"rws/luabind/vm"
)

// loadDB loads a script that uses db, a database in memory with the table t.
func loadDB(t *testing.T, source string, flags ...string) *luabind.Program {
	t.Helper()
	return newApp(t, `local db = app:db("sqlite::memory:") db:migrate { [[create table t (id integer primary key, name text, n integer, doc json)]] } `+source, nil, flags...)
}

// inLua runs a chunk in the first isolate of a program, as a console does.
func inLua(t *testing.T, p *luabind.Program, run *vm.Run, source string) (result string, err error) {
	t.Helper()
	run.Context = t.Context()
	err = p.Isolates()[0].Do(run, func(L *lua.LState) error {
		fn, err := L.Load(strings.NewReader(source), "console.lua")
		if err != nil {
			return err
		}
		v, err := vm.Call(L, fn)
		result = v.String()
		return err
	})
	return result, err
}

func TestRowsBecomeTablesAndTablesRows(t *testing.T) {
	p := loadDB(t, `app:get("/", function()
		local row = db:insert("t", { name = "ann", n = 7, doc = { list = { 1, 2 }, none = rws.null } })
		return { row = row, again = db:one("select * from t where doc = ?", row.doc), none = db:all("select * from t where id = ?", nil) }
	end)`)
	row := `{"id":1,"name":"ann","n":7,"doc":{"list":[1,2],"none":null}}`
	assert.Equal(t, `{"row":`+row+`,"again":`+row+`,"none":[]}`, string(do(t, p, "GET /").Body))
}

func TestValuesThatCannotBeStoredAreNamed(t *testing.T) {
	p := loadDB(t, "")
	for source, want := range map[string]string{
		`db:one("select ?", print)`:                            "db:one: argument 2: a function can't be stored in a database",
		`db:one("select :f", { f = print })`:                   `db:one: argument 2: field "f": a function can't be stored`,
		`db:insert("t", { name = { print } })`:                 `db:insert: argument 2: column "name": element 1: a function`,
		`db:insert("t", { doc = { a = print } })`:              `column "doc": a table is stored as JSON`,
		`db:insert("t", { [1] = "a", name = "b" })`:            "db:insert: argument 2: row 1: a table of columns expected, got string",
		`db:all("select * from t where id in (?)", { print })`: "db:all: argument 2: element 1: a function",
		`db:one(7)`:                                            "db:one: argument 1: a statement of SQL expected, got number",
		`db.one("select 1")`:                                   "use `db:one(…)` with a colon",
		`db:update("t", { n = 1 })`:                            "update of t has no condition",
		`db:update("t", { n = 1 }, {})`:                        "db:update: the condition {} has no column, and would hold for every row",
		`db:delete("t", { name = nil })`:                       "db:delete: the condition {} has no column",
		`db:from("t"):where { name = nil }:all()`:              "query:where: the condition {} has no column",
		`db:from("t"):where("n > 1"):or_where {}:count()`:      "query:or_where: the condition {} has no column",
		`db:page("select 1", nil, { page = {} })`:              `option "page": a number or text expected, got table`,
		`db:delete("t", 7)`:                                    "a condition expected: a table such as { id = 7 }",
		`db:delete("t", { 7 })`:                                "columns and values expected, as in { id = 7 }, got a list",
		`db:from("t"):order("name; drop table t")`:             "order \"name; drop table t\" cannot be read",
		`db:from("t"):where("n", "~", 1):all()`:                `there is no operator "~"`,
		`db:delete("t", "-- x")`:                               `the condition is "all"`,
		`db:from("t"):where("/* all */"):delete()`:             `the condition is "all"`,
		`db:from("t"):where("-- x"):all()`:                     `the condition "-- x" says nothing`,
		`db:from("t"):limit(0)`:                                "query:limit: argument 1: a whole number from 1 expected, got 0",
		`db:from("t"):limt(1)`:                                 `query has no field "limt" (did you mean "limit"?)`,
		`db:page("select 1", nil, { siz = 1 })`:                `unknown option "siz" (did you mean "size"?)`,
		`db:page("select 1 limit 1")`:                          `the statement has "limit"`,
		`db:page("select 1", nil, { after = "x" })`:            "a cursor needs to know the order",
		`db:tx({ isolaton = "serializable" }, function() end)`: `unknown option "isolaton" (did you mean "isolation"?)`,
		`db:migrate { "create table u (id integer)" }`:         "migrations are declared while the script loads",
		`app:db("sqlite::memory:", { null = "none" })`:         `option "null": "nil" or "rws.null" expected`,
		`app:db("sqlite::memory:", { max_open = -1 })`:         `option "max_open": a number from 1 to 10000 expected, got -1`,
		`db:backup("/etc/passwd")`:                             "is outside of the app's folder",
	} {
		_, err := inLua(t, p, &vm.Run{}, `local db = app:db("sqlite::memory:") return `+source)
		assert.ErrorContains(t, err, want, source)
	}
}

func TestConditionsOfQueries(t *testing.T) {
	p := loadDB(t, "")
	for source, want := range map[string]string{
		`q:where { n = 1, name = { "a", "b" } }`:                                                                    `select * from "t" where ("n" = ? and "name" in (?))`,
		`q:where { name = rws.null }`:                                                                               `select * from "t" where "name" is null`,
		`q:where("n > ?", 1):where("name", "a")`:                                                                    `select * from "t" where (n > ?) and "name" = ?`,
		`q:where("n", ">=", 1):or_where("name like 'x'")`:                                                           `select * from "t" where (("n" >= ?) or ((name like 'x')))`,
		`q:where("n", "in", {}):order("n desc, id")`:                                                                `select * from "t" where 1 = 0 order by "n" desc, "id"`,
		`q:select("id"):select_sql("n + ? as m", 1):distinct():limit(5):offset(10)`:                                 `select distinct "id", n + ? as m from "t" limit ? offset ?`,
		`q:left_join("u", "u.id = t.id and u.n = ?", 3):group("t.id"):having("count(*) > 1"):order_sql("random()")`: `select * from "t" left join "u" on (u.id = t.id and u.n = ?) group by "t"."id" having (count(*) > 1) order by random()`,
	} {
		got, err := inLua(t, p, &vm.Run{}, `local q = app:db("sqlite::memory:"):from("t") return tostring(`+source+`)`)
		require.NoError(t, err, source)
		assert.Equal(t, want, got)
	}
}

func TestAQueryNeverChanges(t *testing.T) {
	p := loadDB(t, "")
	got, err := inLua(t, p, &vm.Run{}, `
		local q = app:db("sqlite::memory:"):from("t"):select("id"):where("n > 1"):order("id")
		local a, b = q:where("a = 1"):select("a"), q:where("b = 1"):select("b"):or_where("c = 1")
		a:where("d = 1")
		return tostring(q) .. "\n" .. tostring(a) .. "\n" .. tostring(b)`)
	require.NoError(t, err)
	assert.Equal(t, `select "id" from "t" where (n > 1) order by "id"
select "id", "a" from "t" where (n > 1) and (a = 1) order by "id"
select "id", "b" from "t" where (((n > 1) and (b = 1)) or ((c = 1))) order by "id"`, got)
}

// inUse is how many connections of the first database are in use.
const inUse = `local n = 0 for _, s in ipairs(app:db("sqlite:app.db"):stats()) do n = n + s.in_use end return n`

func TestRowsThatAreLeftAreClosedWithTheRun(t *testing.T) {
	p := newApp(t, `
		local db = app:db("sqlite:app.db")
		local numbers = "with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000) select x from c"
		local kept
		app:get("/break", function() for row in db:each(numbers) do if row.x == 200 then return "200" end end end)
		app:get("/error", function() for row in db:each(numbers) do error("broken") end end)
		app:get("/keep", function() kept = db:each(numbers) return tostring(kept().x) end)
		app:get("/kept", function() for _ = 1, 255 do kept() end return tostring(rws.try(kept)) end)
		app:get("/query", function() for row in db:from("t"):each() do return "row" end end)
		app:get("/end", function() local n = 0 for row in db:each(numbers) do n = n + 1 end return tostring(n) end)
		app:get("/tx", function()
			return db:tx(function(tx) for row in tx:each(numbers) do if row.x == 200 then return tostring(tx:value("select 1")) end end end)
		end)
		app:get("/parallel", function()
			return db:tx(function(tx)
				local a, b = rws.parallel(function() return tx:value("select 1") end, function()
					local n = 0
					for row in tx:each(numbers) do n = n + 1 end
					return n
				end)
				return a .. " " .. b
			end)
		end)`, nil)
	for path, want := range map[string]string{
		"/break": "200", "/end": "3000", "/tx": "1", "/keep": "1", "/parallel": "1 3000",
	} {
		assert.Equal(t, want, string(do(t, p, "GET "+path).Body))
	}
	assert.Equal(t, 500, do(t, p, "GET /error").Status)
	assert.Equal(t, "false", string(do(t, p, "GET /kept").Body), "rows of a request that is over end without an error")
	assert.Eventually(t, func() bool {
		n, err := inLua(t, p, &vm.Run{}, inUse)
		return err == nil && n == "0"
	}, 5*time.Second, time.Millisecond)
}

func TestAReadOnlyConsoleCannotWrite(t *testing.T) {
	p := newApp(t, `local db = app:db("sqlite:app.db") db:migrate { [[create table t (id integer primary key)]] }`, nil)
	for _, source := range []string{
		`db:exec("delete from t")`, `db:insert("t", {})`, `db:one("insert into t default values returning id")`,
		`db:all("delete from t returning id")`, `db:each("insert into t default values returning id")()`, `db:tx(function() end)`,
		`db:from("t"):where("all"):delete()`, `db:backup("copy.db")`, `db:close()`, `app:db("sqlite:other.db")`,
	} {
		_, err := inLua(t, p, &vm.Run{ReadOnly: true}, `local db = app:db("sqlite:app.db") return `+source)
		assert.Error(t, err, source)
	}
	got, err := inLua(t, p, &vm.Run{ReadOnly: true}, `local db = app:db("sqlite:app.db")
		for row in db:each("select 1 as n") do return row.n + #db:all("select * from t") + db:from("t"):count() end`)
	require.NoError(t, err)
	assert.Equal(t, "1", got)
	assert.NoFileExists(t, filepath.Join(p.Dir(), "other.db"))
}

func TestDatabasesOutliveAReload(t *testing.T) {
	pools := luabind.NewPools()
	dir := t.TempDir()
	load := func(url string) *luabind.Program {
		t.Helper()
		p, err := luabind.Load(luabind.Options{File: filepath.Join(dir, "app.lua"), Dir: dir, Pools: pools, Source: `
			local db = app:db("` + url + `")
			db:exec("create table if not exists t (id integer primary key)")
			db:insert("t", {})
			app:get("/", function() return tostring(db:value("select count(*) from t")) end)`})
		require.NoError(t, err)
		return p
	}
	first := load("sqlite::memory:")
	second := load("sqlite::memory:")
	require.NoError(t, first.Close(context.Background()))
	assert.Equal(t, "2", string(do(t, second, "GET /").Body))
	other := load("sqlite:t.db")
	require.NoError(t, second.Close(context.Background()))
	third := load("sqlite::memory:")
	assert.Equal(t, "1", string(do(t, third, "GET /").Body), "memory that nobody uses is let go of")
	require.NoError(t, third.Close(context.Background()))
	require.NoError(t, other.Close(context.Background()))
	assert.NoFileExists(t, filepath.Join(dir, "t.db-wal"), "a database is closed with its last program")
}

func TestTemporaryDatabasesAreRemoved(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	dir := t.TempDir()
	p, err := luabind.Load(luabind.Options{File: filepath.Join(dir, "app.lua"), Dir: dir, Databases: luabind.DatabasesTest,
		Source: `local db = app:db("sqlite:t.db?foreign_keys=off") db:exec("create table t (id integer primary key)")`})
	require.NoError(t, err)
	require.NoError(t, p.Close(context.Background()))
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left)
	assert.NoFileExists(t, filepath.Join(dir, "t.db"))
}

func TestATableOfADatabaseIsAsDocumented(t *testing.T) {
	p := loadDB(t, "")
	fields := map[string][]string{
		`db:tables()[1]`: {"name", "view"}, `db:columns("t")[1]`: {"key", "name", "nullable", "type"},
		`(function() db:exec("create table with_default (n integer default 7)") return db:columns("with_default")[1] end)()`: {"default", "key", "name", "nullable", "type"},
		`db:stats()[1]`: {"idle", "in_use", "max", "open", "role", "wait_ms", "waiting", "waits"},
		`db:exec("insert into t (n) values (1)")`: {"affected", "id"},
		`db:page("select * from t union all select * from t union all select * from t", nil, { size = 1, page = 2, total = true })`: {"items", "more", "page", "size", "total"},
		`(function() local o = { size = 1, order = "id" } local s = "select 1 as id union select 2 union select 3" local p = db:page(s, nil, o)
			o.after = p.next return db:page(s, nil, o) end)()`: {"items", "more", "next", "previous", "size"},
	}
	for source, want := range fields {
		var keys []string
		err := p.Isolates()[0].Do(&vm.Run{Context: t.Context()}, func(L *lua.LState) error {
			fn, err := L.Load(strings.NewReader(`local db = app:db("sqlite::memory:") return `+source), "console.lua")
			if err != nil {
				return err
			}
			v, err := vm.Call(L, fn)
			if err == nil {
				keys = bind.Keys(v.(*lua.LTable))
			}
			return err
		})
		require.NoError(t, err, source)
		assert.Equal(t, want, keys, source)
	}
}

func TestHandlersThatWriteInATransactionMayUseIsolates(t *testing.T) {
	p := newApp(t, `
		local db = app:db("sqlite:app.db")
		db:migrate { [[create table t (id integer primary key)]] }
		app:get("/", function() return db:tx(function(tx) tx:insert("t", {}) return tostring(tx:value("select count(*) from t")) end) end)`,
		nil, "isolates=3")
	for n := range 6 {
		assert.Equal(t, string(rune('1'+n)), string(do(t, p, "GET /").Body))
	}
	assert.Len(t, p.Databases(), 1)
	_, err := load(t, `
		local db, seen = app:db("sqlite:app.db"), {}
		app:get("/", function() db:tx(function(tx) seen[1] = tx:value("select 1") end) end)`, nil, "isolates=2")
	assert.ErrorContains(t, err, `writes the table "seen"`)
}

func TestPagesThatAVisitorMakesUpAreTheVisitorsFault(t *testing.T) {
	p := loadDB(t, `
		app:get("/", function(c)
			return c:page(db:page("select value as n from json_each('[1, 2, 3]')", nil, { page = c.query.page, size = c.query.size, total = true }))
		end)
		app:get("/number", function(c) return db:from("t"):page { page = tonumber(c.query.page) } end)
		app:get("/cursor", function(c)
			return db:page("select value as n from json_each('[1, 2, 3]')", nil, { order = "n", size = c.query.size, after = c.query.after, before = c.query.before, page = c.query.page })
		end)
		app:get("/order", function(c) return db:page("select value as n from json_each('[1, 2, 3]')", nil, { order = c.query.order, after = c.query.after }) end)`)
	for path, detail := range map[string]string{
		"/?page=abc": `page \"abc\": a whole number from 1 to`, "/?page=-1": "a whole number from 1", "/?page=0": "a whole number from 1", "/?page=1e9": "a whole number",
		"/?page=99999999999999999999": "a whole number", "/?page=1.5": "a whole number", "/?size=1001": `size \"1001\": a whole number from 1 to 1000`,
		"/?size=" + strings.Repeat("9", 1000): "a whole number", "/number?page=5000000000": "a whole number", "/number?page=-3": "a whole number", "/number?page=0.5": "a whole number",
		"/cursor?after=abc": "the cursor cannot be used", "/cursor?after=%00": "the cursor cannot be used", "/cursor?page=2": "with cursors pages have no numbers",
		"/cursor?after=" + strings.Repeat("A", 9000): "the cursor cannot be used", "/cursor?after=a&before=b": "after a cursor or before one",
		"/order?after=abc": "a cursor needs to know the order", "/order?order=nope": `order \"nope\": the rows have no such column`, "/order?order=n%3B": "cannot stand in a name", "/order?order=n+up": "cannot be read",
	} {
		res := do(t, p, "GET "+path)
		assert.Equal(t, 400, res.Status, path)
		assert.Contains(t, string(res.Body), detail, path)
		assert.Less(t, len(res.Body), 500, path)
	}
	for path, want := range map[string]string{"/?page=2&size=2": `[{"n":3}]`, "/?page=&size=": `{"n":1}`, "/?page=1000000000": `"items":[]`} {
		res := do(t, p, "GET "+path)
		assert.Equal(t, 200, res.Status, path)
		assert.Contains(t, string(res.Body), want, path)
	}
}

func TestWhatADeadlineEndsSaysStatementCodeAndLine(t *testing.T) {
	const endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"
	p := newApp(t, `
		local db, quick = app:db("sqlite:app.db"), app:db("sqlite:app.db", { timeout = "100ms" })
		app:on_error(function(c, err) return { at = err.at, code = err.code, statement = err.statement } end)
		app:get("/request", { timeout = "100ms" }, function()
			return db:value("`+endless+`")
		end)
		app:get("/statement", function()
			return quick:value("`+endless+`")
		end)
		app:get("/each", { timeout = "100ms" }, function()
			for row in db:each("`+endless+`") do return "" end
		end)
		app:get("/try", function()
			local ok, err = rws.try(db.one, db, "selec 1")
			return { at = err.at, code = err.code, statement = err.statement }
		end)`, nil)
	for path, want := range map[string]string{
		"/request":   `{"at":"app.lua:5","code":"timeout","statement":"` + endless + `"}`,
		"/statement": `{"at":"app.lua:8","code":"timeout","statement":"` + endless + `"}`,
		"/each":      `{"at":"app.lua:11","code":"timeout","statement":"` + endless + `"}`,
		"/try":       `{"at":"app.lua:14","code":"syntax","statement":"selec 1"}`,
	} {
		res := do(t, p, "GET "+path)
		assert.Equal(t, want, string(res.Body), path)
		if path != "/try" {
			assert.Equal(t, 504, res.Status, path)
		}
	}
}

func TestABackupStaysInTheFoldersOfTheApp(t *testing.T) {
	outside := t.TempDir()
	p := newApp(t, `local db, other = app:db("sqlite:app.db"), app:db("sqlite:other.db")`, nil)
	require.NoError(t, os.Symlink(outside, filepath.Join(p.Dir(), "link")))
	require.NoError(t, os.Mkdir(filepath.Join(p.Dir(), "backups"), 0o700))
	for path, want := range map[string]string{
		"../x.db": "is outside of the app's folder", "link/x.db": "is outside of the app's folder", outside + "/x.db": "is outside of the app's folder",
		"other.db": "is a database of this script", "app.db": "is a database of this script", "missing/x.db": "no such file",
	} {
		_, err := inLua(t, p, &vm.Run{}, `return app:db("sqlite:app.db"):backup("`+path+`")`)
		assert.ErrorContains(t, err, want, path)
	}
	_, err := inLua(t, p, &vm.Run{}, `return app:db("sqlite:app.db"):backup("backups/x.db")`)
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(p.Dir(), "backups", "x.db"))
	left, err := os.ReadDir(outside)
	require.NoError(t, err)
	assert.Empty(t, left)
}
