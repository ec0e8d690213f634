package fault_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind/fault"
)

const million = 1_000_000

// tooDeep are texts that gopher-lua's compiler ends the process with, or takes minutes for.
var tooDeep = map[string]string{
	"tables":        "local t = " + strings.Repeat("{", million) + strings.Repeat("}", million),
	"parentheses":   "return " + strings.Repeat("(", million) + "1" + strings.Repeat(")", million),
	"unclosed":      "return " + strings.Repeat("(", million),
	"not":           "return " + strings.Repeat("not ", million) + "true",
	"minus":         "return " + strings.Repeat("- ", million) + "1",
	"length":        "return " + strings.Repeat("#", million) + "t",
	"power":         "return " + strings.Repeat("a ^ ", million) + "a",
	"concat":        "return " + strings.Repeat("a..", 100_000) + "a",
	"sum":           "return " + strings.Repeat("a+", million) + "a",
	"or":            "return " + strings.Repeat("a or ", million) + "a",
	"blocks":        strings.Repeat("do ", million) + strings.Repeat("end ", million),
	"ifs":           strings.Repeat("if a then ", million/2) + strings.Repeat("end ", million/2),
	"elseifs":       "if a then " + strings.Repeat("elseif a then ", 100_000) + "end",
	"whiles":        strings.Repeat("while a do ", million/2) + strings.Repeat("end ", million/2),
	"functions":     strings.Repeat("f = function() ", million/4) + strings.Repeat("end ", million/4),
	"fields":        "a" + strings.Repeat(".b", million) + " = 1",
	"indexes":       "a = b" + strings.Repeat("[1]", million),
	"calls":         "a" + strings.Repeat("()", million),
	"methods":       "a" + strings.Repeat(":b()", million),
	"strings":       "a" + strings.Repeat("''", million),
	"table calls":   "a" + strings.Repeat("{}", million),
	"nested calls":  "return " + strings.Repeat("f(", million) + strings.Repeat(")", million),
	"mixed":         "return " + strings.Repeat("-{f[(", million/4) + "1" + strings.Repeat(")]}", million/4),
	"wide and deep": "return " + strings.Repeat("(", 150) + "a" + strings.Repeat(strings.Repeat("+a", 400)+")", 150),
	"behind a text": "local s = [==[ ]] }}} ]==] --[[ }}} ]]\n" + `local q = "}\"}"` + " return " + strings.Repeat("{", million),
	"long":          "--" + strings.Repeat("x", fault.MaxSource),
}

func TestWhatIsNestedTooDeepIsRefusedAtOnce(t *testing.T) {
	for name, text := range tooDeep {
		t.Run(name, func(t *testing.T) {
			_, err := fault.Compile("app.lua", text)
			e, ok := errors.AsType[*fault.Error](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, "syntax", e.Code)
			assert.Regexp(t, `^app\.lua:\d$`, e.At)
			assert.Regexp(t, "more than|longer than", e.Message)
		})
	}
}

func TestUsualSourceIsWithinTheBounds(t *testing.T) {
	for name, text := range map[string]string{
		"a deep table":      "return " + strings.Repeat("{", 150) + strings.Repeat("}", 150),
		"a long sum":        "return a" + strings.Repeat(" + a", 450),
		"many statements":   strings.Repeat("a(1)(2).b = -c ^ 2 .. 'x'\n", 2_000),
		"many calls":        strings.Repeat("f{ a = function() return 1 end }\n", 2_000),
		"a wide table":      "return {" + strings.Repeat("{ 'a' .. b, [1 + 2] = -3 },", 2_000) + "}",
		"many functions":    strings.Repeat("function a.b() if x then return 1 elseif y then repeat z() until q end end ", 500),
		"a long joined one": "return a" + strings.Repeat(" .. a", 150),
		"loops":             strings.Repeat("for k, v in pairs(t) do while f(function() end) do break end end ", 500),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fault.Compile("app.lua", text)
			require.NoError(t, err)
		})
	}
}

func TestThePlaceOfOneVariableTooMany(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("local a\n", 300): "app.lua:201",
		"\n" + strings.Repeat("do local b end ", 300) + "\nfunction f(x)\n" + strings.Repeat("local a\n", 200) + "end": "app.lua:203",
		"for i = 1, 2 do\n" + strings.Repeat("local a\n", 200) + "end":                                                 "app.lua:198",
	} {
		_, err := fault.Compile("app.lua", text)
		e, ok := errors.AsType[*fault.Error](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, want, e.At)
		assert.Contains(t, e.Message, "200 local variables")
	}
}

func TestAMarkOfTheEditorAndALineForTheShellAreSkipped(t *testing.T) {
	for _, head := range []string{"\uFEFF", "#!/usr/bin/env rws", "\uFEFF#!/usr/bin/env rws"} {
		_, err := fault.Compile("app.lua", head+"\nlocal a x = = 1")
		e, ok := errors.AsType[*fault.Error](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, "app.lua:2", e.At)
		_, err = fault.Compile("app.lua", head+"\nreturn 1")
		assert.NoError(t, err)
	}
}

// BenchmarkBounds is the slowest text that is just within the bounds, 1 MB of it.
func BenchmarkBounds(b *testing.B) {
	text := strings.Repeat("a = 1"+strings.Repeat("+1", 490)+"\n", 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := fault.Compile("app.lua", text); err != nil {
			b.Fatal(err)
		}
	}
}

func TestLoadstringKeepsTheBounds(t *testing.T) {
	w := newWorld(t)
	require.Nil(t, w.run(`
		local start = os.clock()
		local f, problem = loadstring("return " .. ("{"):rep(4e5) .. ("}"):rep(4e5), "mine")
		assert(f == nil and problem:find("^mine:1: .*nested more than 200 deep"), problem)
		f, problem = load(function() return "return " .. ("("):rep(1e6) end)
		assert(f == nil and problem:find("longer than 1 MB"), problem)
		f, problem = loadstring(("-"):rep(3e6))
		assert(f == nil and problem:find("longer than 1 MB"), problem)
		f, problem = loadstring("x = = 1")
		assert(f == nil and problem:find("^<string>:1: unexpected .=."), problem)
		assert(load("return 1 + 1")() == 2)
		local n = 0
		assert(load(function() n = n + 1 return n == 1 and "return 3" or nil end)() == 3)
		assert(os.clock() - start < 2)
	`))
}
