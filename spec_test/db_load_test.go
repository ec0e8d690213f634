package spec_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const busyApp = `
local db = app:db("sqlite:busy.db")
db:migrate { [[create table t (id integer primary key, n integer not null); insert into t (n) values (0)]] }
app:get("/write", function()
  db:tx(function(tx)
    local n = tx:value("select n from t where id = 1")
    tx:update("t", { n = n + 1 }, { id = 1 })
    tx:insert("t", { n = n })
  end)
  return "ok"
end)
app:get("/insert", function() db:insert("t", { n = 1 }) return "ok" end)
app:get("/read", function() return tostring(#db:all("select * from t order by id desc limit 20")) end)
app:get("/n", function() return tostring(db:value("select n from t where id = 1")) end)
`

// TestFiftyWritersAndReaders: no busy error reaches a script, and no update is lost.
func TestFiftyWritersAndReaders(t *testing.T) {
	const each = 40
	s := startApp(t, app(t, busyApp))
	var all sync.WaitGroup
	var failed atomic.Int64
	for client := range 100 {
		path := []string{"/write", "/read", "/insert", "/read"}[client%4]
		all.Go(func() {
			for range each {
				status, body, err := s.get(path)
				if err != nil || status != http.StatusOK {
					failed.Add(1)
					t.Errorf("%s: %d %s %v", path, status, body, err)
					return
				}
			}
		})
	}
	all.Wait()
	require.Zero(t, failed.Load())
	assert.Equal(t, fmt.Sprint(25*each), s.mustGet(t, "/n"))
}

const largeApp = `
local db = app:db("sqlite:large.db")
db:migrate { [[
  create table t (id integer primary key, text text);
  insert into t with recursive c(n) as (select 1 union all select n + 1 from c where n < 100000), x(text) as materialized (select hex(zeroblob(500)))
    select n, text from c, x;
]] }
app:get("/stream", function(c)
  return c:stream(function(out)
    local lines = {}
    for row in db:each("select * from t order by id") do
      lines[#lines + 1] = row.text
      if #lines == 100 then out:write(table.concat(lines, "\n"), "\n") lines = {} end
    end
  end)
end)
app:get("/", function() return "ready" end)
`

// TestALargeResultStreams sends 100 MB of rows and takes no more memory than for a few. The race
// detector keeps a shadow of all memory, several times its size.
func TestALargeResultStreams(t *testing.T) {
	s := startApp(t, app(t, largeApp))
	s.mustGet(t, "/")
	before := s.rss(t)
	body := s.mustGet(t, "/stream")
	assert.Equal(t, 100_000, strings.Count(body, "\n"))
	after := s.rss(t)
	most := 64.0
	if raceDetector {
		most = 160
	}
	assert.Less(t, (after-before)/(1<<20), most, "MiB more than before")
}
