package pattern_test

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/yuin/gopher-lua/pm"

	"rws/luabind/pattern"
)

// lua51 holds what Lua 5.1.5 (C) answered for random patterns, one case a line: pattern, subject
// and, in the words of describe, the results of find from 1 and from 2, of gmatch, and of gsub with
// the replacement "<%1%0%%>".
//
//go:embed testdata/lua51.txt
var lua51 string

func TestAnswersAreThoseOfLua51(t *testing.T) {
	for line := range strings.Lines(lua51) {
		src, rest, _ := strings.Cut(line, "\t")
		subject, want, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), "\t")
		src, s := unquote(t, src), unquote(t, subject)
		got := describe(src, s)
		if got = strings.ReplaceAll(got, "malformed pattern (missing arguments to '%b')", "unbalanced pattern"); got != want {
			t.Errorf("%q on %q\n got %s\nwant %s", src, s, got, want)
		}
	}
}

func unquote(t *testing.T, s string) string {
	t.Helper()
	u, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("unquoting %s: %v", s, err)
	}
	return u
}

func describe(src, s string) string {
	var b bytes.Buffer
	describeFind(&b, src, s, 0)
	describeFind(&b, src, s, 1)
	b.WriteString("G ")
	describeGmatch(&b, src, s)
	var m pattern.Match
	out, n, err := m.Gsub(src, s, math.MaxInt, nil, func(dst []byte, m *pattern.Match) ([]byte, error) {
		return m.Expand(dst, "<%1%0%%>", 1<<20)
	})
	if err != nil {
		fmt.Fprintf(&b, "S E %s", err)
	} else {
		fmt.Fprintf(&b, "S %q %d", out, n)
	}
	return b.String()
}

func describeFind(b *bytes.Buffer, src, s string, init int) {
	if init > len(s) {
		b.WriteString("skip;")
		return
	}
	var m pattern.Match
	ok, err := m.Find(src, s, init, nil)
	if pattern.Plain(src) {
		i := strings.Index(s[init:], src)
		ok, err, m.Start, m.End = i >= 0, nil, init+i, init+i+len(src)
	}
	switch {
	case err != nil:
		fmt.Fprintf(b, "E %s;", err)
	case !ok:
		b.WriteString("nil;")
	default:
		fmt.Fprintf(b, "%d,%d", m.Start+1, m.End)
		describeCaptures(b, &m, s)
		b.WriteString(";")
	}
}

func describeGmatch(b *bytes.Buffer, src, s string) {
	w := pattern.NewWalk(src, s)
	for {
		ok, err := w.Next(nil)
		if err != nil {
			fmt.Fprintf(b, "E %s;", err)
		}
		if !ok {
			return
		}
		if len(w.Captures()) == 0 {
			fmt.Fprintf(b, ",%q", w.Text())
		}
		describeCaptures(b, &w.Match, s)
		b.WriteString(";")
	}
}

func describeCaptures(b *bytes.Buffer, m *pattern.Match, s string) {
	for _, c := range m.Captures() {
		if c.IsPosition() {
			fmt.Fprintf(b, ",%d", c.Start+1)
		} else {
			fmt.Fprintf(b, ",%q", s[c.Start:c.End])
		}
	}
}

// Where gopher-lua 1.1.2 answers differently from Lua 5.1; want is what Lua 5.1.5 gives to
// string.match. gopher-lua also refuses a malformed pattern whose bad part is never reached, and
// outside the matcher: string.find(s, "", 10) is 1 there (length+1 in 5.1), "%x" in a gsub
// replacement stays "%x" ("x" in 5.1), gsub with limit 0 replaces everything (nothing in 5.1), and
// '^' anchors gmatch (an ordinary character in 5.1).
func TestWhereGopherLuaDiffersWeFollowLua51(t *testing.T) {
	for _, c := range []struct{ src, s, want string }{
		{"%f[%w]%w+", " hello", `"hello"`},                        // pm has no frontier, reads 'f'
		{"[%a-z]+", "a-z", `"a-z"`},                               // pm: a range from a class, never matches
		{"[a-c-e]+", "c-e", `"c-e"`},                              // pm: a range from a range, never matches
		{"[+--]+", "+,-", `"+,-"`},                                // pm: '+' and '-' without what is between
		{"()a%1", "aXa", "nil"},                                   // pm: refers to an empty text
		{"%", "x", "malformed pattern (ends with '%')"},           // pm: matches nothing, no error
		{"x%", "x", "malformed pattern (ends with '%')"},          // pm: no error
		{"%f", "x", "missing '[' after '%f' in pattern"},          // pm: no error
		{"%bx", "x", "malformed pattern (missing arguments to "},  // pm: no error
		{"b)", "x", "nil"},                                        // pm: error, though never reached
		{"b[", "x", "nil"},                                        // pm: error, though never reached
		{strings.Repeat("(", 33) + ")", "x", "too many captures"}, // pm: no limit
	} {
		if got := match(c.src, c.s); !strings.HasPrefix(got, c.want) {
			t.Errorf("match(%q, %q) = %s, want %s", c.s, c.src, got, c.want)
		}
	}
}

// match answers as string.match, in one line.
func match(src, s string) string {
	var m pattern.Match
	ok, err := m.Find(src, s, 0, nil)
	if err != nil {
		return err.Error()
	}
	if !ok {
		return "nil"
	}
	if len(m.Captures()) == 0 {
		return strconv.Quote(m.Text())
	}
	var b bytes.Buffer
	describeCaptures(&b, &m, s)
	return b.String()[1:]
}

// fragments are what gopher-lua's matcher and Lua 5.1 agree on, in any order.
var fragments = []string{
	"a", "b", "xy", ".", "%a", "%d", "%s", "%w", "%W", "%p", "%%", "%.", "%z", "[abc]", "[^abc]", "[b-x]", "[]a]",
	"[%w_]", "[^%s]", "()", "(a)", "(.-)", "(%w+)", "(b*)", "((a)b?)", "%b()", "%bxx", " ", "1",
	"*", "+", "-", "?", "a*", "b+", "%w-", ".*", ".-",
}

// FuzzAgainstGopherLua puts a pattern together from fragments, and compares all matches.
func FuzzAgainstGopherLua(f *testing.F) {
	f.Add([]byte{3, 30}, "hello world")
	f.Add([]byte{20, 21, 0, 1}, "aab xx(a(b)c)")
	f.Add([]byte{22, 27, 22}, "key value")
	f.Add([]byte{25, 26, 30}, "x(y)x")
	f.Fuzz(func(t *testing.T, choice []byte, s string) {
		if len(choice) > 8 || len(s) > 30 {
			return
		}
		var src strings.Builder
		for _, c := range choice {
			src.WriteString(fragments[int(c)%len(fragments)])
		}
		want, err := pm.Find(src.String(), []byte(s), 0, -1)
		if err != nil {
			t.Skip(err)
		}
		w := pattern.NewWalk(src.String(), s)
		for i, md := range want {
			ok, err := w.Next(nil)
			if err != nil || !ok {
				t.Fatalf("%q on %q: match %d is missing: %v", src.String(), s, i+1, err)
			}
			if got, want := spans(&w.Match), pmSpans(md); !slices.Equal(got, want) {
				t.Fatalf("%q on %q: match %d is %v, want %v", src.String(), s, i+1, got, want)
			}
		}
		if ok, err := w.Next(nil); ok || err != nil {
			t.Fatalf("%q on %q: one match too many at %d (%v)", src.String(), s, w.Start, err)
		}
	})
}

func spans(m *pattern.Match) []int {
	out := []int{m.Start, m.End}
	for _, c := range m.Captures() {
		if c.IsPosition() {
			out = append(out, c.Start+1, -1)
		} else {
			out = append(out, c.Start, c.End)
		}
	}
	return out
}

func pmSpans(md *pm.MatchData) (out []int) {
	for i := 0; i < md.CaptureLength(); i += 2 {
		end := md.Capture(i + 1)
		if md.IsPosCapture(i) {
			end = -1
		}
		out = append(out, md.Capture(i), end)
	}
	return out
}
