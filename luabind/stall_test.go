package luabind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAScriptSetsHowLongItMayCompute(t *testing.T) {
	p := newApp(t, `
		app:config { stall = "100ms" }
		app:get("/", function() while true do end end)`, nil)
	assert.Contains(t, string(do(t, p, "GET /").Body), "this code ran for 100ms without waiting")
}
