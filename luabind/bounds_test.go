package luabind_test

import "testing"

func TestFunctionsReturnNoStringWithoutABound(t *testing.T) {
	scripts(t, map[string]string{
		"what repeats": `
			local s = ("x"):rep(1e5)
			raises("too_large", "longer than 64 MB", function() return rws.regex("x+"):replace(s, ("$0"):rep(1e4)) end)
			local values = {}
			for n = 1, 700 do values[n] = s end
			raises("argument", "more than 64 MB", rws.url.query_encode, { q = values })`,
		"infinity": `
			eq(math.huge, 1 / 0)
			raises("failed", "infinite", rws.json.encode, { math.huge })`,
	})
}
