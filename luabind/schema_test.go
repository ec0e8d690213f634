package luabind_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/luabind"
)

func TestSchemaFieldsAreTheSameAsTheirText(t *testing.T) {
	script(t, `
		local s = rws.schema
		local function text(field, want) eq(tostring(field), want) end
		text(s.string(), "string")
		text(s.string { pattern = "^a/b\\/c$", min = 2, max = 9 }, [[string /^a\/b\/c$/ 2..9]])
		text(s.string { default = "it's" }, [[string = 'it\'s']])
		text(s.string { format = "decimal", min = "0.10", max = "9.99" }, "decimal 0.10..9.99")
		text(s.int { min = -5, optional = true }, "int -5..?")
		text(s.number { max = 1.5, default = 0.25 }, "number ..1.5 = 0.25")
		text(s.bool { default = false }, "bool = false")
		text(s.one_of { "a b", "c|d" }, "enum 'a b'|'c|d'")
		text(s.array("int", { default = { 1, 2 } }), "[int] = [1, 2]")
		text(s.array(s.array(s.int { max = 3 }), { min = 1 }), "[[int ..3]] 1..")
		text(s.file { types = { "image/png", "image/gif" }, max = "1mb", optional = true }, "file image/png|image/gif ..1mb?")
		for want, make in pairs {
			["did you mean"] = function() s.string { patern = "x" } end,
			["only a string has a pattern"] = function() s.int { pattern = "x" } end,
			["pattern: "] = function() s.string { pattern = "(" } end,
			["cannot be optional"] = function() s.array(s.int { optional = true }) end,
			["unknown type"] = function() s.string { format = "emial" } end,
			["one of string"] = function() s.int { format = "email" } end,
			["one of object"] = function() s.int { unknown = true } end,
			['field "a"'] = function() s.object { a = "itn" } end,
			["fields with names"] = function() s.object { "int" } end,
			["a list of texts"] = function() s.one_of {} end,
			["a field expected"] = function() s.array(5) end,
			['option "min"'] = function() s.int { min = {} } end,
			["1 to 2"] = function() s.string { min = 1, max = 2, default = "abc" } end,
		} do
			local ok, e = rws.try(make)
			assert(not ok and (want == "1 to 2" or e.message:find(want, 1, true)), want .. ": " .. tostring(e))
		end`)
}

func TestSchemaFieldsCheckRequests(t *testing.T) {
	p := newApp(t, `
		local s = rws.schema
		local user = s.object({ name = s.string { min = 1 }, role = s.one_of({ "admin", "user" }, { default = "user" }) }, { unknown = true })
		app:post("/", { body = { user = user, tags = s.array("string ..3", { max = 2, optional = true }), more = s.array(user, { optional = true }) } },
			function(c) return c.input end)
		app:post("/whole", { body = user }, function(c) return c.input end)
		app:get("/", { query = { page = s.int { min = 1, default = 1 } } }, function(c) return { c.query.page } end)`, nil)
	for _, test := range []struct{ request, json, want string }{
		{"POST /", `{"user":{"name":"ann","x":1}}`, `{"user":{"name":"ann","role":"user"}}`},
		{"POST /", `{"user":{"name":"ann","role":"admin"},"tags":["a"],"more":[{"name":"b"}]}`, `{"user":{"name":"ann","role":"admin"},"tags":["a"],"more":[{"name":"b","role":"user"}]}`},
		{"POST /whole", `{"name":"ann"}`, `{"name":"ann","role":"user"}`},
		{"GET /", "", `[1]`},
		{"GET /?page=3", "", `[3]`},
	} {
		call := luabind.Call{}
		if test.json != "" {
			call.JSON = []byte(test.json)
		}
		a := do(t, p, test.request, call)
		assert.Equal(t, 200, a.Status, string(a.Body))
		assert.JSONEq(t, test.want, string(a.Body))
	}
	for _, json := range []string{`{"user":{"name":""}}`, `{"user":{"name":"a","role":"x"}}`, `{"user":{"name":"a"},"tags":["abcd"]}`, `{"user":{"name":"a"},"z":1}`} {
		assert.Equal(t, 422, do(t, p, "POST /", luabind.Call{JSON: []byte(json)}).Status, json)
	}
	for source, want := range map[string]string{
		`app:post("/", { body = rws.schema.int() }, function() end)`:                        "is an object with fields",
		`app:post("/", { body = { a = rws.regex("x") } }, function() end)`:                  "a field of rws.schema expected",
		`app:get("/", { query = { a = rws.schema.object { x = "int" } } }, function() end)`: "has no objects",
	} {
		_, err := load(t, source, nil)
		assert.ErrorContains(t, err, want)
	}
}
