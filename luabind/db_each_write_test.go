package luabind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/spec_test/peers"
)

// A server may write as the rows of what it wrote are read: whoever stops reading stops the writing.
func TestALoopThatIsLeftLeavesWhatItsStatementWrote(t *testing.T) {
	for name, s := range map[string]struct {
		url     func(testing.TB) string
		inserts string
	}{
		"postgres":              {peers.Postgres, "insert into t select x, repeat('x', 50) from generate_series(1, 50000) as x returning n, s"},
		"postgres with":         {peers.Postgres, "with a as (insert into t select x, repeat('x', 500) from generate_series(1, 50000) as x returning n, s) select * from a"},
		"mariadb":               {peers.MariaDB, "insert into t select seq, repeat('x', 50) from seq_1_to_50000 returning n, s"},
		"mariadb with settings": {peers.MariaDB, "set statement max_statement_time = 60 for insert into t select seq, repeat('x', 50) from seq_1_to_50000 returning n, s"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newApp(t, `
				local db = app:db("`+s.url(t)+`")
				local inserts = "`+s.inserts+`"
				local function count() local n = db:value("select count(*) from t") db:exec("delete from t") return n end
				app:get("/", function(c)
					db:exec("create table t (n int, s text)")
					for row in db:each(inserts) do break end
					local left = count()
					pcall(function() for row in db:each(inserts) do error("no more") end end)
					local failed = count()
					local rows, close = db:each(inserts)
					rows() close()
					return { left = left, failed = failed, closed = count() }
				end)
				app:get("/end", function(c) for row in db:each(inserts) do error("no more") end end)
				app:get("/count", function(c) return { n = count() } end)`, nil)
			assert.JSONEq(t, `{"left":50000,"failed":50000,"closed":50000}`, string(do(t, p, "GET /").Body))
			assert.Equal(t, 500, do(t, p, "GET /end").Status)
			assert.JSONEq(t, `{"n":50000}`, string(do(t, p, "GET /count").Body))
		})
	}
}
