package luabind_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/luabind/vm"
	"rws/spec_test/peers"
)

// loops are handlers that leave the loops over their rows early. fits is a result that has room in
// memory, endless one that has not.
const loops = `
	local function leave(sql) for row in db:each(sql) do if row.x == 300 then return row.x end end end
	app:get("/leave", function(c) for _ = 1, 12 do leave(fits) end return tostring(db:value("select 7")) end)
	app:get("/leave-endless", function(c) for _ = 1, 6 do leave(endless) end return tostring(db:value("select 7")) end)
	app:get("/inside", function(c)
		local n = 0
		for row in db:each(fits) do if row.x % 200 == 0 then n = n + db:value("select 1") end end
		return tostring(n)
	end)
	app:get("/nested", function(c)
		local n = 0
		for a in db:each(fits) do
			if a.x > 1 then return tostring(n) end
			for b in db:each(fits) do if b.x > 290 then for d in db:each(fits) do if d.x > 300 then break end n = n + 1 end end if b.x > 300 then break end end
		end
	end)
	app:get("/tx", function(c)
		return db:tx(function(tx) for _ = 1, 12 do for row in tx:each(fits) do if row.x == 300 then break end end end return tostring(tx:value("select 7")) end)
	end)
	app:get("/close", function(c)
		for _ = 1, 12 do
			local rows, close = db:each(endless)
			rows() close() close()
			assert(rows() == nil)
		end
		return tostring(db:stats()[1].in_use)
	end)
	app:get("/too-much", function(c)
		local ok, err = rws.try(function()
			for row in db:each(endless) do
				db:value("select 1")
			end
		end)
		return { ok = ok, code = err.code, message = err.message }
	end)`

// eachEngine runs a promise on engines with few connections.
func eachEngine(t *testing.T, connections string, promise func(t *testing.T, p *luabind.Program)) {
	t.Helper()
	numbers := func(limit string) string {
		return `with recursive c(x) as (select 1 union all select x + 1 from c ` + limit + `) select x from c`
	}
	for name, url := range map[string]func(t *testing.T) string{
		"sqlite":   func(*testing.T) string { return "sqlite:app.db" },
		"postgres": func(t *testing.T) string { return peers.Postgres(t) },
		"mariadb":  func(t *testing.T) string { return peers.MariaDB(t) },
	} {
		t.Run(name, func(t *testing.T) {
			fits, endless := numbers("where x < 600"), numbers("")
			if name == "mariadb" { // which makes the whole of a recursion first
				fits, endless = "select seq as x from seq_1_to_600", "select seq as x from seq_1_to_1000000000"
			}
			promise(t, newApp(t, `
				local db = app:db("`+url(t)+`", { max_open = `+connections+` })
				local fits, endless = "`+fits+`", "`+endless+`"`+loops, nil))
		})
	}
}

// soon wants an answer long before a wait for a connection ends.
func soon(t *testing.T, p *luabind.Program, request, want string) {
	t.Helper()
	start := time.Now()
	assert.Equal(t, want, string(do(t, p, request).Body), request)
	assert.Less(t, time.Since(start), 15*time.Second, request)
}

func TestLoopsThatAreLeftKeepNobodyWaiting(t *testing.T) {
	for _, connections := range []string{"1", "4"} {
		eachEngine(t, connections, func(t *testing.T, p *luabind.Program) {
			for request, want := range map[string]string{
				"GET /leave": "7", "GET /leave-endless": "7", "GET /inside": "3", "GET /tx": "7", "GET /close": "0", "GET /nested": "3300",
			} {
				soon(t, p, request, want)
			}
		})
	}
}

func TestManyLoopsAtOnceDoNotWaitForEachOther(t *testing.T) {
	eachEngine(t, "3", func(t *testing.T, p *luabind.Program) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { soon(t, p, "GET /inside", "3") })
			wg.Go(func() { soon(t, p, "GET /leave", "7") })
		}
		wg.Wait()
	})
}

func TestALoopThatCannotGoOnSaysWhichItIs(t *testing.T) {
	eachEngine(t, "1", func(t *testing.T, p *luabind.Program) {
		start := time.Now()
		answer := string(do(t, p, "GET /too-much").Body)
		assert.Less(t, time.Since(start), 20*time.Second)
		assert.Contains(t, answer, `"code":"busy"`)
		assert.Regexp(t, `the rows that are gone through at app.lua:\d+ lost their connection`, answer)
		soon(t, p, "GET /leave", "7")
	})
}

func TestALoopOfAnotherRequestLendsItsConnection(t *testing.T) {
	p := newApp(t, `local db = app:db("sqlite:app.db", { max_open = 1, wait = "1m" })
		local numbers = "with recursive c(x) as (select 1 union all select x + 1 from c where x < 600) select x from c"
		app:get("/slow", function()
			local n = 0
			for row in db:each(numbers) do n = n + 1 if n == 300 then rws.sleep("2s") end end
			return tostring(n)
		end)
		app:get("/other", function() return tostring(db:value("select 7")) end)`, nil)
	slow := make(chan string, 1)
	go func() { slow <- string(do(t, p, "GET /slow").Body) }()
	require.Eventually(t, func() bool {
		n, err := inLua(t, p, &vm.Run{}, `return app:db("sqlite:app.db", { max_open = 1, wait = "1m" }):stats()[1].in_use`)
		return err == nil && n == "1"
	}, 5*time.Second, time.Millisecond)
	start := time.Now()
	assert.Equal(t, "7", string(do(t, p, "GET /other").Body))
	assert.Less(t, time.Since(start), 1500*time.Millisecond, "while the loop goes on")
	assert.Equal(t, "600", <-slow, "and gets all of its rows")
}
