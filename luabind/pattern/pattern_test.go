package pattern_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"rws/luabind/pattern"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct{ src, s, want string }{
		{"", "", `""`},
		{"l+", "hello", `"ll"`},
		{"^(%w+)%s*=%s*(%w+)$", "key = value", `"key","value"`},
		{"%((%a+)%)", "THE (quick) fox", `"quick"`},
		{"(a*(.)%w(%s*))", "abc  ", `"abc  ","b","  "`},
		{"^(%d%d)/(%d%d)/(%d%d%d%d)$", "30/05/1999", `"30","05","1999"`},
		{`(["'])(.-)%1`, `say "it's" now`, `"\"","it's"`},
		{"%b()", "f(a(b)c) d)", `"(a(b)c)"`},
		{"%bxx", "axbxc", `"xbx"`},
		{"%f[%a]%a+%f[%A]", "12 one2", `"one"`},
		{"%f[%z]", "ab", `""`},
		{"()ll()", "hello", `3,5`},
		{"a?a?a?a?b", "aaab", `"aaab"`},
		{"a$b", "a$b", `"a$b"`},
		{"a^b", "a^b", `"a^b"`},
		{"^^x", "^x", `"^x"`},
		{"a**", "a**", `"a*"`},
		{"[]]", "]", `"]"`},
		{"[^]]", "]a", `"a"`},
		{"[a-]+", "-a-b", `"-a-"`},
		{"[%]x]+", "x]", `"x]"`},
		{"[\x80-\xff]+", "a\xc3\xa9b", `"é"`},
		{"%z", "a\x00b", `"\x00"`},
		{"a\x00b", "xa\x00b", `"a\x00b"`},
		{"%g%q", "gq", `"gq"`}, // no classes in 5.1
		{"%u%l%D%X%S", "Ab:::", `"Ab:::"`},
		{"%c%p%x", "\x7f!F", `"\x7f!F"`},
		{"b", "a", "nil"},

		{"%", "x", "malformed pattern (ends with '%')"},
		{"[a", "x", "malformed pattern (missing ']')"},
		{"[]", "x", "malformed pattern (missing ']')"},
		{"[^]", "x", "malformed pattern (missing ']')"},
		{"[%]", "x", "malformed pattern (missing ']')"},
		{"[a%", "x", "malformed pattern (missing ']')"},
		{"(x", "x", "unfinished capture"},
		{"x)", "x", "invalid pattern capture"},
		{"%1", "x", "invalid capture index"},
		{"(%1)", "x", "invalid capture index"},
		{"%0", "x", "invalid capture index"},
		{"%f", "x", "missing '[' after '%f' in pattern"},
		{"%fa", "x", "missing '[' after '%f' in pattern"},
		{"%b(", "x", "malformed pattern (missing arguments to '%b')"},
		{strings.Repeat("()", 33), "x", "too many captures"},
		{strings.Repeat("a?", 300), strings.Repeat("a", 300), "pattern too complex"},
	} {
		if got := match(c.src, c.s); got != c.want {
			t.Errorf("match(%q, %q) = %s, want %s", c.s, c.src, got, c.want)
		}
	}
}

func TestManySetsInOnePattern(t *testing.T) {
	src := strings.Repeat("[a-c][^x]", 40)
	want := `"` + strings.Repeat("ab", 40) + `"`
	if got := match(src, strings.Repeat("ab", 40)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFindStartsAtInit(t *testing.T) {
	for _, c := range []struct {
		src, s string
		init   int
		want   int // Start; -1 for none
	}{
		{"a", "banana", 2, 3},
		{"^a", "banana", 3, 3},
		{"^a", "banana", 2, -1},
		{"", "abc", 3, 3},
		{"", "abc", 4, -1},
		{"a", "abc", -1, -1},
		{"%f[%w]%w", "ab c", 1, 3}, // the frontier sees what is before init
	} {
		var m pattern.Match
		ok, err := m.Find(c.src, c.s, c.init, nil)
		if err != nil || ok != (c.want >= 0) || ok && m.Start != c.want {
			t.Errorf("find(%q, %q, %d): %v at %d (%v), want %d", c.s, c.src, c.init, ok, m.Start, err, c.want)
		}
	}
}

func TestOffset(t *testing.T) {
	for _, c := range []struct{ init, length, want int }{
		{1, 5, 0}, {0, 5, 0}, {3, 5, 2}, {6, 5, 5}, {10, 5, 5}, {-1, 5, 4}, {-5, 5, 0}, {-9, 5, 0}, {1, 0, 0},
		{math.MinInt, 5, 0}, {math.MaxInt, 5, 5},
	} {
		if got := pattern.Offset(c.init, c.length); got != c.want {
			t.Errorf("Offset(%d, %d) = %d, want %d", c.init, c.length, got, c.want)
		}
	}
}

func TestPlain(t *testing.T) {
	for _, src := range []string{"", "abc", "a)b", "a]b", "ä/{}"} {
		if !pattern.Plain(src) {
			t.Errorf("%q is plain", src)
		}
	}
	for _, c := range "^$*+?.([%-" {
		if pattern.Plain("a" + string(c)) {
			t.Errorf("%q is special", c)
		}
	}
}

func TestGsub(t *testing.T) {
	for _, c := range []struct {
		s, src, template string
		limit            int
		want             string
		count            int
	}{
		{"hello world", "(%w+)", "%1 %1", 1, "hello hello world", 1},
		{"hello world from Lua", "(%w+)%s*(%w+)", "%2 %1", math.MaxInt, "world hello Lua from", 2},
		{"abc", "", "-", math.MaxInt, "-a-b-c-", 4},
		{"abc", "%w*", "x", math.MaxInt, "xx", 2},
		{"aaa", "^a", "b", math.MaxInt, "baa", 1},
		{"baa", "^a", "b", math.MaxInt, "baa", 0},
		{"abc", "()", "%1", math.MaxInt, "1a2b3c4", 4},
		{"abc", "b", "[%0%1%%%x]", math.MaxInt, "a[bb%x]c", 1},
		{"hello", "", "x", 0, "hello", 0},
		{"hello", "l", "L", -1, "hello", 0},
		{"abc def", "%f[%w]%w+", "<%0>", math.MaxInt, "<abc> <def>", 2},
	} {
		var m pattern.Match
		got, n, err := m.Gsub(c.src, c.s, c.limit, nil, func(dst []byte, m *pattern.Match) ([]byte, error) {
			return m.Expand(dst, c.template, 1<<20)
		})
		if err != nil || got != c.want || n != c.count {
			t.Errorf("gsub(%q, %q, %q) = %q %d (%v), want %q %d", c.s, c.src, c.template, got, n, err, c.want, c.count)
		}
	}
}

func TestGsubErrors(t *testing.T) {
	for _, c := range []struct{ src, template, want string }{
		{"b", "%2", "invalid capture index"},
		{"b", "50%", "invalid use of '%' in replacement string"},
		{"(b", "x", "unfinished capture"},
		{"%", "x", "malformed pattern (ends with '%')"},
	} {
		var m pattern.Match
		_, _, err := m.Gsub(c.src, "abc", math.MaxInt, nil, func(dst []byte, m *pattern.Match) ([]byte, error) {
			return m.Expand(dst, c.template, 1<<20)
		})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("gsub(%q, %q): %v, want %s", c.src, c.template, err, c.want)
		}
	}
}

func TestGsubEndsWithTheErrorOfItsCallback(t *testing.T) {
	var m pattern.Match
	stop := errors.New("stop")
	_, n, err := m.Gsub("%a", "abc", math.MaxInt, nil, func(dst []byte, m *pattern.Match) ([]byte, error) {
		if m.Text() == "b" {
			return nil, stop
		}
		return dst, nil
	})
	if !errors.Is(err, stop) || n != 2 {
		t.Errorf("got %v after %d matches", err, n)
	}
}

func TestGmatchTakesAnAnchorLiterally(t *testing.T) {
	w := pattern.NewWalk("^a", "^ab^a")
	var got []int
	for {
		ok, err := w.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		got = append(got, w.Start)
	}
	if len(got) != 2 || got[0] != 0 || got[1] != 3 {
		t.Errorf("matches at %v", got)
	}
	if ok, err := w.Next(nil); ok || err != nil {
		t.Errorf("a finished walk goes on: %v %v", ok, err)
	}
}

func TestFindDoesNotAllocate(t *testing.T) {
	var m pattern.Match
	b := pattern.NewBudget(math.MaxInt64, nil)
	n := testing.AllocsPerRun(100, func() {
		for _, src := range []string{"([%w_]+)=([^;]*)", "(.-);", "%d+"} {
			if ok, err := m.Find(src, "key=value; n=12", 0, b); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
