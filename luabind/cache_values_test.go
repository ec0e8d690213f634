package luabind_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind/vm"
	"rws/spec_test/peers"
)

// What is read is a copy of what was set, of the same type.
const keepsValues = `
	local values = { 0, -7, 0.5, 2^53 - 1, 2^53, -2^53, 2^60, 2^63, 1e300, "9007199254740993", "7", true }
	for i, v in ipairs(values) do
		app.cache:set("v", v)
		local got = app.cache:get("v")
		if type(got) ~= type(v) or got ~= v then error(i .. ": " .. type(got) .. " " .. tostring(got)) end
		app.cache:set("t", { list = { v } })
		got = app.cache:get("t").list[1]
		if type(got) ~= type(v) or got ~= v then error(i .. " in a table: " .. type(got) .. " " .. tostring(got)) end
		got = app.cache:fetch("f" .. i, "1m", function() return v end)
		if type(got) ~= type(v) or got ~= v then error(i .. " fetched: " .. type(got)) end
	end
	return "all the same"`

func TestACacheKeepsWhatItIsGiven(t *testing.T) {
	for name, config := range map[string]string{
		"memory": "", "redis": `app:config { cache = { url = "` + peers.Redis(t) + `" } }`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := inLua(t, newApp(t, config, nil), &vm.Run{}, keepsValues)
			require.NoError(t, err)
			assert.Equal(t, "all the same", got)
		})
	}
}

func TestASessionKeepsNumbers(t *testing.T) {
	b := newBrowser(t, newApp(t, `
		app:get("/set", function(c) c.session.n = 2^60 c.session.list = { 2^53 } return "set" end)
		app:get("/get", function(c) return type(c.session.n) .. " " .. type(c.session.list[1]) .. " " .. tostring(c.session.n == 2^60) end)
	`, nil))
	b.do("GET /set")
	assert.Equal(t, "number number true", b.body("GET /get"))
}

func TestATimeToLiveOfZeroIsRefused(t *testing.T) {
	p := newApp(t, "", nil)
	for _, source := range []string{
		`app.cache:set("k", 1, "0s")`, `app.cache:set("k", 1, { ttl = "0s" })`, `app.cache:set("k", 1, 0)`,
		`app.cache:incr("k", 1, { ttl = 0 })`, `app.cache:fetch("k", "0s", function() return 1 end)`,
	} {
		_, err := inLua(t, p, &vm.Run{}, source)
		assert.ErrorContains(t, err, "a ttl longer than 0 expected", source)
	}
	_, err := inLua(t, p, &vm.Run{}, `app.cache:set("k", 1, { tags = "x" }) app.cache:incr("n")`)
	assert.NoError(t, err)
}

func TestCountersAreExactOrSayThatTheyAreNot(t *testing.T) {
	urls := map[string]string{"shared": "", "memory": "", "redis": peers.Redis(t)}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			setup, of := "", "app.cache"
			if url != "" {
				setup = fmt.Sprintf("app:config { cache = { url = %q } }", url)
			}
			if name == "shared" {
				of = "app.shared"
			}
			p := newApp(t, setup, nil)
			for _, sign := range []string{"", "-"} {
				got, err := inLua(t, p, &vm.Run{}, fmt.Sprintf(`
					local store, sign = %s, %s1
					store:set("n", sign * (2^53 - 3))
					assert(store:incr("n", 2 * sign) == sign * (2^53 - 1))
					for _, by in ipairs { 1, 2, 2^53 - 1 } do
						local ok, e = pcall(function() store:incr("n", sign * by) end)
						assert(not ok and e.code == "range" and tostring(e):find("±9007199254740991", 1, true), tostring(e))
						assert(tostring(e):find("9007199254740991", 1, true) and store:get("n") == sign * (2^53 - 1))
					end
					assert(store:incr("n", -sign) == sign * (2^53 - 2))
					store:set("n", sign * 2^53)
					local ok, e = pcall(function() store:incr("n", sign) end)
					assert(not ok and tostring(e):find("±9007199254740991", 1, true) and store:get("n") == sign * 2^53, tostring(e))
					return "fine"`, of, sign))
				require.NoError(t, err)
				assert.Equal(t, "fine", got)
			}
		})
	}
	p := newApp(t, "", nil)
	got, err := inLua(t, p, &vm.Run{}, `
		assert(app.shared:incr("f", 0.5) == 0.5 and app.shared:incr("f", -0.25) == 0.25)
		app.shared:set("f", 2^52 + 1)
		local ok, e = pcall(function() app.shared:incr("f", 0.25) end)
		return tostring(ok) .. " " .. e.code .. " " .. tostring(app.shared:get("f") == 2^52 + 1)`)
	require.NoError(t, err)
	assert.Equal(t, "false range true", got, "a fraction that would be lost")
}
