package repl_test

import (
	"strings"
	"testing"

	"rws/luabind/repl"
)

func TestPrinting(t *testing.T) {
	h := newHost(t, script)
	for _, test := range []struct{ name, line, want string }{
		{"numbers", "1, 1.5, 1e100, 0/0, 1/0, -1/0, 2^53", "1\n1.5\n1e+100\n0/0\nmath.huge\n-math.huge\n9007199254740992"},
		{"strings", `'a"b\\c\n\t\0\27[31m', 'žš'`, `"a\"b\\c\n\t\000\027[31m"` + "\n" + `"žš"`},
		{"bytes that are no text", `'\255'`, `"\255"`},
		{"an empty table", "{}", "{}"},
		{"an empty array", "rws.array {}", "rws.array {}"},
		{"an array", "rws.array { 1, 2 }", "{ 1, 2 }"},
		{"null", "{ rws.null }", "{ rws.null }"},
		{"keys in order", "{ b = 1, a = 2, 10, 20, [5] = 3, ['a b'] = 4, ['end'] = 5, [true] = 6 }",
			`{ 10, 20, [5] = 3, a = 2, ["a b"] = 4, b = 1, ["end"] = 5, [true] = 6 }`},
		{"a cycle", "(function() local t = { 1 } t.self = t return t end)()", "{ 1, self = nil --[[ a table around this one ]] }"},
		{"twice is no cycle", "(function() local t = {} return { t, t } end)()", "{ {}, {} }"},
		{"depth", "{{{{{{}}}}}}", "{ { { { { --[[ … 1 entry ]] } } } } }"},
		{"a function of the script", "greet", "function greet(who, ...)  app.lua:8"},
		{"a function of the library", "{ rws.json.encode, tostring, string.rep }", "{ rws.json.encode, tostring, string.rep }"},
		{"a function of the session", "local function f(a, b) end return f", ""},
		{"an object", "app", "rws.App"},
		{"rows", "rows", "id  name\n──  ────\n 1  ann\n 2  bob\n(2 rows)"},
		{"rows that miss a field", "{ { a = 1, b = 'x' }, { a = 2 } }", "a  b\n─  ─\n1  x\n2\n(2 rows)"},
		{"one row is a table", "{ { a = 1, b = 2 } }", "{ { a = 1, b = 2 } }"},
		{"a coroutine", "coroutine.create(print)", "coroutine (suspended)"},
		{"what fails in tostring", "setmetatable({}, { __tostring = function() error('x') end })", "{}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newConsole(t, h)
			if test.want == "" {
				c.run("local function f(a, b) end")
				test.line, test.want = "f", "function f(a, b)  repl:1"
			}
			if got := c.run(test.line); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestWhatIsPrintedPastesBack(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	for _, value := range []string{
		"{ 1, 2, { a = 'x', ['b c'] = { true, false } }, [10] = 1.5 }",
		"{ name = ('long '):rep(20), other = ('text '):rep(15), list = { ('x'):rep(50), ('y'):rep(50), deep = { ('z'):rep(90) } } }",
		`{ "a\"b\\c\n\000\255žš", math.huge }`,
		"{ rws.null, rws.array {} }",
	} {
		first := c.run(value)
		if second := c.run(first); second != first {
			t.Errorf("%s\npasted back gives\n%s", first, second)
		}
	}
}

func TestLongTablesAreCut(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	got := c.run("local t = {} for i = 1, 62 do t[i] = i end return t")
	if !strings.Contains(got, "-- … 12 more") || strings.Contains(got, "51") {
		t.Errorf("got %s", got)
	}
	if again := c.run(got); strings.Contains(again, "more") {
		t.Errorf("pasted back: %s", again)
	}
	if got := c.run("('x'):rep(5000)"); !strings.HasSuffix(got, `" --[[ … 1000 more bytes ]]`) {
		t.Errorf("a long string ends in %s", got[len(got)-40:])
	}
	got = c.run("local t = {} for i = 1, 5000 do t[i] = { i, { i } } end return t")
	if len(got) > 100_000 {
		t.Errorf("a large table prints %d bytes", len(got))
	}
}

func TestWideTablesBreakIntoLines(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	got := c.run("{ first = ('x'):rep(60), second = { ('y'):rep(60), ('z'):rep(60) }, third = 3 }")
	want := `{
  first = "` + strings.Repeat("x", 60) + `",
  second = {
    "` + strings.Repeat("y", 60) + `",
    "` + strings.Repeat("z", 60) + `",
  },
  third = 3,
}`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestColours(t *testing.T) {
	c := newConsole(t, newHost(t, script))
	r, err := c.Eval(t.Context(), "{ a = 'x', b = 1, c = nil, greet }", &c.out, repl.Style{Color: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x1b[32m\"x\"\x1b[0m", "\x1b[33m1\x1b[0m", "\x1b[34ma\x1b[0m"} {
		if !strings.Contains(r.Text, want) {
			t.Errorf("%q is missing in %q", want, r.Text)
		}
	}
}

func TestHighlightKeepsTheText(t *testing.T) {
	for _, text := range []string{"local x = 'a' -- b", "[[a\nb]] .. 1", ":help db.one", ":src f(1)", "x = \"open", ": :", " :help x", ":", "--[[ open\nmore"} {
		got := repl.Highlight(text)
		plain := got
		for {
			start := strings.Index(plain, "\x1b[")
			if start < 0 {
				break
			}
			plain = plain[:start] + plain[start+strings.IndexByte(plain[start:], 'm')+1:]
		}
		if plain != text {
			t.Errorf("%q became %q", text, plain)
		}
	}
}
