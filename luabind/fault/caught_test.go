package fault_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What fails in line 2 gives the same text, however it is caught.
func TestCaughtErrorsHaveTheSameText(t *testing.T) {
	for body, want := range map[string]string{
		`return u.x`:          "app.lua:2: attempt to index `u` (nil), field \"x\"",
		`u.x = 1`:             "app.lua:2: attempt to index `u` (nil), field \"x\"",
		`return u.x.y`:        "app.lua:2: attempt to index `u` (nil), field \"x\"",
		`return u()`:          "app.lua:2: attempt to call `u` (nil)",
		`return 1 + u`:        "app.lua:2: attempt to add 1 and `u` (nil)",
		`return u .. "x"`:     "app.lua:2: attempt to concatenate `u` (nil)",
		`return #u`:           "app.lua:2: attempt to get the length of `u` (nil)",
		`return 1 < "x"`:      "app.lua:2: attempt to compare",
		`return ("x"):rep(u)`: "app.lua:2: bad argument #1 to",
		`error("mine")`:       "app.lua:2: mine",
	} {
		w := newWorld(t)
		failed := w.run("local u local function f()\n" + body + "\nend\n" + `
			local _, a = pcall(f)
			local _, b = xpcall(f, function(e) return e end)
			local _, c = coroutine.resume(coroutine.create(f))
			local _, d = pcall(coroutine.wrap(f))
			local _, e = coroutine.resume(coroutine.create(function() local ok, e = pcall(f) error(e, 0) end))
			assert(a == b and a == c and a == d and a == e, ("%s|%s|%s|%s|%s"):format(a, b, c, d, e))
			local _, t = try(f)
			assert(a == tostring(t) or a == "mine", a .. "|" .. tostring(t))
			error(a, 0)`)
		if assert.NotNil(t, failed, body) {
			assert.True(t, strings.HasPrefix(failed.Error(), want), "%s: %s", body, failed)
		}
	}
}

func TestTextThatAScriptRaisesStaysAsItIs(t *testing.T) {
	w := newWorld(t)
	assert.Nil(t, w.run(`
		for _, text in ipairs { "mine", "app.lua:1: cannot perform add operation between nil and nil", "attempt to call a non-function object" } do
			local _, a = pcall(error, text, 0)
			local _, b = coroutine.resume(coroutine.create(function() error(text, 0) end))
			assert(a == text and b == text, a .. "|" .. b)
		end`))
}

func TestCoroutinesStillPassValues(t *testing.T) {
	w := newWorld(t)
	assert.Nil(t, w.run(`
		local co = coroutine.create(function(a, b, ...)
			local c, d = coroutine.yield(a + b, select("#", ...))
			local t = setmetatable({}, {})
			error(t)
		end)
		local ok, sum, n = coroutine.resume(co, 1, 2, nil, nil)
		assert(ok and sum == 3 and n == 2)
		local ok, t = coroutine.resume(co, 3, 4)
		assert(not ok and type(t) == "table" and coroutine.status(co) == "dead")
		assert(not pcall(coroutine.create, 5))`))
}
