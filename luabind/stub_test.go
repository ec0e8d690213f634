package luabind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
)

func TestStubsStandForTheBackendsOfProxies(t *testing.T) {
	passed := 0
	require.NoError(t, luabind.RunTests(t.Context(), luabind.Options{File: "app.lua", Dir: t.TempDir(), Source: `
		local api = app:upstream("api", { to = "https://api.internal", health = { path = "/up" }, retry = { tries = 1 } })
		app:proxy("/api/*", api, { strip = "/api" })
		app:proxy("/plain/*", "http://127.0.0.1:9000")
		app:test("answers", function(t)
			t:stub("https://api.internal/users?page=2", { status = 203, json = { 1, 2 } })
			local r = t:get("/api/users", { query = { page = 2 } })
			t.eq(r.status, 203)
			t.eq(r:json(), { 1, 2 })
		end)
		app:test("functions", function(t)
			t:stub("http://127.0.0.1:9000/*", function(r)
				return { body = r.method .. " " .. r.url .. " " .. r.headers.x_forwarded_proto .. " " .. r.body }
			end)
			t.eq(t:post("/plain/x", { body = "text" }).body, "POST http://127.0.0.1:9000/plain/x http text")
		end)
		app:test("nothing else is reached", function(t)
			t.eq(t:get("/api/users").status, 502)
		end)
	`}, "", func(r luabind.TestResult) {
		assert.NoError(t, r.Err, r.Name)
		passed++
	}))
	assert.Equal(t, 3, passed)
}

// runTests runs the tests of a script, which all have to pass.
func runTests(t *testing.T, source string) {
	t.Helper()
	require.NoError(t, luabind.RunTests(t.Context(), luabind.Options{File: "app.lua", Dir: t.TempDir(), Source: source}, "", func(r luabind.TestResult) {
		assert.NoError(t, r.Err, r.Name)
	}))
}

// A request of a test ends when its shadow has: what the shadow was asked can be looked at.
func TestTheShadowOfATestIsWaitedFor(t *testing.T) {
	runTests(t, `
		app:mirror("/*", "http://main:1", "http://shadow:1")
		app:test("it has been asked", function(t)
			local asked = {}
			t:stub("http://main:1/*", { body = "main" })
			t:stub("http://shadow:1/*", function(request)
				rws.sleep("2s")
				table.insert(asked, request.url .. " " .. request.body)
				return { body = "shadow" }
			end)
			t.eq(t:post("/x", { body = "text" }).body, "main")
			t.eq(asked, { "http://shadow:1/x text" })
		end)
	`)
}

// The host of a request is its header as it is on the wire, and cookies are kept for it.
func TestATestSaysTheHost(t *testing.T) {
	runTests(t, `
		app:get("/", function(c)
			local seen = c.cookies.at or "none"
			c.cookies.at = c.host
			return c.host .. " " .. seen
		end)
		app:host("b.example"):get("/", function() return "b" end)
		app:test("by header", function(t)
			t.eq(t:get("/").body, "localhost none")
			t.eq(t:get("/", { headers = { host = "a.example" } }).body, "a.example none")
			t.eq(t:get("/", { headers = { Host = "a.example" } }).body, "a.example a.example")
			t.eq(t:get("/", { headers = { host = "b.example" } }).body, "b")
			t.eq(t:get("http://b.example/").body, "b")
		end)
	`)
}

// Where two backends differ by nothing but the path of their sockets, so do their stubs; and a stub sees the Host
// that the backend would.
func TestStubsOfSocketsAndTheHost(t *testing.T) {
	runTests(t, `
		app:proxy("/unix/*", { to = { "unix:/run/a.sock", "unix:/run/b.sock" } })
		app:proxy("/kept/*", "http://10.0.0.1:9000", { host = "keep" })
		app:proxy("/own/*", "http://10.0.0.1:9000", { host = "upstream" })
		app:get("/asks", function() return rws.http.get("http://api.example:81/x", { headers = { host = "other.example" } }).body end)
		app:test("sockets", function(t)
			t:stub("unix:/run/a.sock/unix/x%20y?n=1", { body = "a" })
			t:stub("unix:/run/b.sock/*", function(request) return { body = request.url } end)
			local got = { t:get("/unix/x%20y?n=1").body, t:get("/unix/x%20y?n=1").body }
			table.sort(got)
			t.eq(got, { "a", "unix:/run/b.sock/unix/x%20y?n=1" })
		end)
		app:test("hosts", function(t)
			t:stub("*", function(request) return { body = request.headers.host } end)
			t.eq(t:get("http://www.example/kept/x").body, "www.example")
			t.eq(t:get("http://www.example/own/x").body, "10.0.0.1:9000")
			t.eq(t:get("/asks").body, "other.example")
		end)
	`)
}
