package luabind_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
)

func TestAQuickStatementThatTurnsSlowLetsOthersExecuteAndEndsAtTheDeadline(t *testing.T) {
	const count = "with recursive c(n) as (select 1 union all select n + 1 from c where n < ?) select max(n) from c"
	p := newApp(t, `
		app:config { timeout = "2s" }
		local db = app:db("sqlite:app.db")
		app:get("/count/:n{int}", function(c) return { n = db:value("`+count+`", c.params.n) } end)
		app:get("/other", function() return "here" end)`, nil)
	start := time.Now()
	for !luabind.QuickStatement(p, count) {
		require.Equal(t, `{"n":1}`, string(do(t, p, "GET /count/1").Body))
		if time.Since(start) > 10*time.Second {
			t.Skip("nothing is quick here, as under the race detector")
		}
	}

	start = time.Now()
	slow := make(chan int, 1)
	go func() { slow <- do(t, p, "GET /count/1000000000").Status }()
	answered := 0
	for len(slow) == 0 {
		assert.Equal(t, "here", string(do(t, p, "GET /other").Body))
		answered++
	}
	assert.Greater(t, answered, 100, "while the statement runs for 2 s")
	assert.Equal(t, 504, <-slow)
	assert.Less(t, time.Since(start), 20*time.Second)
	assert.Equal(t, `{"n":2}`, string(do(t, p, "GET /count/2").Body), "the connection is good")
}
