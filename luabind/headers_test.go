package luabind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
)

// What a script puts into the header of a request would reach nobody.
func TestTheHeaderOfARequestCannotBeChanged(t *testing.T) {
	p := newApp(t, `app:get("/:name", function(c) c.headers[c.params.name] = "1" end)`, nil)
	for _, name := range []string{"X-New", "host", "x-one"} {
		a := do(t, p, "GET /"+name, luabind.Call{Header: map[string]string{"X-One": "1"}})
		for _, part := range []string{"c.headers." + name + " can't be set", "c.res.headers", "on_request"} {
			assert.Contains(t, string(a.Body), part)
		}
	}
}

func TestTheHeaderOfARequestIsATableToAllThatReadIt(t *testing.T) {
	require.NoError(t, luabind.RunTests(t.Context(), luabind.Options{File: "app.lua", Dir: t.TempDir(), Source: `
		local kept
		app:get("/all", function(c) kept = c.headers return { got = kept } end)
		app:get("/kept", function()
			local n = 0
			for name in pairs(kept) do if name == "x-one" then n = n + 1 end end
			rws.http.get("http://backend/", { headers = kept }):ok()
			return { kept.x_one, kept["X-One"], kept.x_two or "none", n }
		end)
		app:test("kept", function(t)
			t:stub("http://backend/*", function(r) return { status = r.headers.x_one == "1" and 200 or 401 } end)
			t.eq(t:get("/all", { headers = { ["X-One"] = "1" } }):json().got["x-one"], "1")
			t.eq(t:get("/kept"):json(), { "1", "1", "none", 1 })
		end)
	`}, "", func(r luabind.TestResult) { assert.NoError(t, r.Err) }))
}
