package spec_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// app writes a script into a folder of its own and returns its file.
func app(t testing.TB, source string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app.lua")
	require.NoError(t, os.WriteFile(file, []byte(source), 0o666))
	return file
}

// startApp serves a script until the test ends or it is killed.
func startApp(t testing.TB, file string, flags ...string) *target {
	t.Helper()
	return start(t, exec.Command(binary, append([]string{file, "--port", "0", "--host", "127.0.0.1", "--access-log=false"}, flags...)...))
}

// crash ends the server at once.
func (t *target) crash(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, t.cmd.Process.Kill())
	<-t.done
}

// get asks for a path; an error means that there was no whole answer.
func (t *target) get(path string) (status int, body string, err error) {
	res, err := http.Get("http://" + t.addr + path)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// mustGet is get for what must be answered 200.
func (t *target) mustGet(tb testing.TB, path string) string {
	tb.Helper()
	status, body, err := t.get(path)
	require.NoError(tb, err)
	require.Equal(tb, http.StatusOK, status, "%s: %s", path, body)
	return body
}

const crashApp = `
local db = app:db("sqlite:crash.db")
db:migrate { [[create table t (n integer primary key, twice integer not null)]] }
app:get("/write/:n{int}", function(c)
  db:tx(function(tx)
    tx:insert("t", { n = c.params.n, twice = 0 })
    tx:exec("update t set twice = 2 * n where n = ?", c.params.n)
  end)
  return "written"
end)
app:get("/kept", function() return db:all("select n from t where twice = 2 * n order by n") end)
app:get("/check", function()
  db:check()
  return tostring(db:value("select count(*) from t where twice <> 2 * n"))
end)
`

// writer sends numbered writes by several clients and remembers what became of them.
type writer struct {
	next         atomic.Int64
	mu           sync.Mutex
	acknowledged map[int64]bool
	unanswered   map[int64]bool // it may have been written, or not
}

// run writes numbers up to last until a write is not answered.
func (w *writer) run(s *target, clients int, last int64) {
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for n := w.next.Add(1); n <= last; n = w.next.Add(1) {
				if !w.one(s, n) {
					return
				}
			}
		})
	}
	all.Wait()
}

func (w *writer) one(s *target, n int64) bool {
	status, _, err := s.get(fmt.Sprintf("/write/%d", n))
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && status == http.StatusOK {
		w.acknowledged[n] = true
		return true
	}
	w.unanswered[n] = true
	return false
}

func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acknowledged)
}

// TestKilledInTheMiddleOf10000Writes kills the server three times while clients write 10,000
// rows. Each time every acknowledged write is there after a restart, whole, and nothing is
// there that nobody sent.
func TestKilledInTheMiddleOf10000Writes(t *testing.T) {
	const rows, clients = 10_000, 16
	file := app(t, crashApp)
	w := &writer{acknowledged: make(map[int64]bool), unanswered: make(map[int64]bool)}
	for n := 1; w.next.Load() < rows; n++ {
		s := startApp(t, file, "--env", "production", "--migrate")
		w.verify(t, s)
		last := int64(rows)
		ended := make(chan struct{})
		go func() { w.run(s, clients, last); close(ended) }()
		if n <= 3 {
			require.Eventually(t, func() bool { return w.count() > n*rows/4 }, time.Minute, time.Millisecond)
			s.crash(t)
		}
		<-ended
		if n > 3 {
			w.verify(t, s)
		}
	}
	assert.Greater(t, w.count(), rows-4*clients)
	assert.NotEmpty(t, w.unanswered, "the server was never killed with a write under way")
}

// verify compares what is in the table with what was acknowledged.
func (w *writer) verify(t *testing.T, s *target) {
	t.Helper()
	assert.Equal(t, "0", s.mustGet(t, "/check"), "rows that were written by half")
	var kept []struct{ N int64 }
	require.NoError(t, json.Unmarshal([]byte(s.mustGet(t, "/kept")), &kept))
	there := make(map[int64]bool)
	for _, row := range kept {
		there[row.N] = true
		assert.True(t, w.acknowledged[row.N] || w.unanswered[row.N], "%d is there, and nobody sent it", row.N)
	}
	for n := range w.acknowledged {
		assert.True(t, there[n], "%d was acknowledged, and is gone", n)
	}
}

const migrationApp = `
local db = app:db("sqlite:m.db?cache_size=256") -- writes before it commits
db:migrate {
  [[create table before (n integer)]],
  { name = "large", up = [[
    create table large (n integer primary key, text text);
    insert into large with recursive c(n) as (select 1 union all select n + 1 from c where n < 20000) select n, hex(randomblob(20)) from c;
    create index large_text on large(text);
    insert into before select count(*) from large;
  ]] },
}
app:get("/state", function()
  local large = false
  for _, t in ipairs(db:tables()) do large = large or t.name == "large" end
  return {
    applied = db:value("select count(*) from rws_migrations where version = 2"), large = large,
    rows = large and db:value("select count(*) from large") or 0, before = db:value("select count(*) from before"),
  }
end)
`

// TestKilledInTheMiddleOfAMigration kills rws migrate when it has written more and more. Each time the
// second migration has run as a whole or not at all.
func TestKilledInTheMiddleOfAMigration(t *testing.T) {
	file := app(t, migrationApp)
	killed := 0
	for written := int64(64 << 10); ; written *= 2 {
		ended := migrateUntil(t, file, written)
		s := startApp(t, file, "--migrate=false")
		status, state, err := s.get("/state")
		require.NoError(t, err)
		require.NoError(t, s.cmd.Process.Signal(os.Interrupt)) // which leaves no journal
		<-s.done
		if status == http.StatusInternalServerError { // not even the first has run
			require.Contains(t, state, "no_table")
		} else if ended || strings.Contains(state, `"applied":1`) {
			require.JSONEq(t, `{"applied":1,"large":true,"rows":20000,"before":1}`, state)
			break
		} else {
			require.JSONEq(t, `{"applied":0,"large":false,"rows":0,"before":0}`, state)
			killed++
		}
	}
	assert.Positive(t, killed, "no kill hit the migration")
}

// migrateUntil runs rws migrate and kills it when the journal of the database has so many bytes. It
// reports whether the command came to its end before.
func migrateUntil(t *testing.T, file string, written int64) (ended bool) {
	journal := filepath.Join(filepath.Dir(file), "m.db-wal")
	cmd := exec.Command(binary, "migrate", "up", file)
	require.NoError(t, cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			require.NoError(t, err)
			return true
		case <-tick.C:
			if info, err := os.Stat(journal); err == nil && info.Size() >= written {
				require.NoError(t, cmd.Process.Kill())
				return <-done == nil
			}
		}
	}
}
