package fault

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// tabStop is how wide tabs are shown, so that a caret stands right on any terminal.
const tabStop = 4

// An excerpt is some lines of a file around the one that matters.
type excerpt struct {
	first int      // number of lines[0]
	lines []string // as in the file
	bad   int      // index of the line that matters
	from  int      // byte range of the culprit in it; empty when unknown
	to    int
}

// excerptAt cuts before lines above a place and after lines below it out of its file.
func excerptAt(src Source, file string, line, before, after int, m mark) (excerpt, bool) {
	if src == nil {
		return excerpt{}, false
	}
	text, ok := src(file)
	if !ok {
		return excerpt{}, false
	}
	s := newSource(text)
	bad, ok := s.line(line)
	if !ok {
		return excerpt{}, false
	}
	x := excerpt{first: max(line-before, 1)}
	x.bad = line - x.first
	for n := x.first; n <= line+after; n++ {
		code, ok := s.line(n)
		if !ok {
			break
		}
		x.lines = append(x.lines, veil(code))
	}
	x.from, x.to = m.find(bad)
	return x, true
}

// veil hides the passwords of URLs in a line of source, which goes to logs and pages. The line keeps
// its length, so that what points into it still does.
func veil(line string) string {
	return hidePasswords(line, func(n int) string { return strings.Repeat("*", n) })
}

// splitAt takes "app.lua:61" apart.
func splitAt(at string) (file string, line int) {
	i := strings.LastIndexByte(at, ':')
	if i < 0 {
		return at, 0
	}
	line, err := strconv.Atoi(at[i+1:])
	if err != nil {
		return at, 0
	}
	return at[:i], line
}

// find returns the byte range of the culprit in the line, an empty one when the
// expression isn't there, as when it began on another line.
func (m mark) find(line string) (from, to int) {
	if m.column > 0 {
		from = min(m.column-1, len(line))
		return from, min(from+max(m.length, 1), max(len(line), from+1))
	}
	if m.expr == "" || len(m.expr) > 200 {
		return 0, 0
	}
	shadow := blank(line)
	for _, at := range expression(m.expr).FindAllStringSubmatchIndex(shadow, -1) {
		if from == to || m.follows(shadow[at[3]:]) {
			from, to = at[2], at[3]
		}
		if m.follows(shadow[at[3]:]) {
			break
		}
	}
	return from, to
}

// expression matches what a symbol's text stands for; "(…)" is any list of arguments.
func expression(expr string) *regexp.Regexp {
	parts := strings.Split(expr, "(…)")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(blank(p))
	}
	call := `\s*(?:\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|"[^"]*"|'[^']*'|\{[^{}]*\})`
	end := ""
	if last := expr[len(expr)-1]; isLetter(last) || isDigit(last) {
		end = `\b`
	}
	return regexp.MustCompile(`(?:^|[^\w.:])(` + strings.Join(parts, call) + `)` + end)
}

// follows reports whether the rest of the line goes on as the mark says.
func (m mark) follows(rest string) bool {
	rest = strings.TrimLeft(rest, " \t")
	if rest == "" || m.after == "" {
		return false
	}
	if m.after == "(" {
		return strings.IndexByte("({\"'[", rest[0]) >= 0
	}
	if rest[0] == '[' {
		return true
	}
	return (rest[0] == '.' || rest[0] == ':') && strings.HasPrefix(strings.TrimLeft(rest[1:], " \t"), m.after)
}

// blank overwrites strings and comments in a line, keeping its length: names in them
// are not the culprit.
func blank(line string) string {
	if !strings.ContainsAny(line, `"'-[`) {
		return line
	}
	out := []byte(line)
	for _, t := range scan(line) {
		if t.kind == comment || t.kind == text {
			for i := t.start + 1; i < t.end-1; i++ {
				out[i] = ' '
			}
			if t.kind == comment {
				out[t.start], out[t.end-1] = ' ', ' '
			}
		}
	}
	return string(out)
}

// A cell is one character as shown: its text, its width in columns and where it begins
// in the line.
type cell struct {
	text   string
	width  int
	offset int
}

// cells turns a line into what a terminal can show: tabs become spaces, control and
// direction characters a replacement sign.
func cells(line string) []cell {
	out := make([]cell, 0, len(line))
	column := 0
	for i, r := range line {
		c := cell{text: string(r), width: runeWidth(r), offset: i}
		switch {
		case r == '\t':
			c.width = tabStop - column%tabStop
			c.text = strings.Repeat(" ", c.width)
		case unicode.IsControl(r) || isDirection(r) || r == '\u2028' || r == '\u2029':
			c.text, c.width = "\uFFFD", 1
		}
		column += c.width
		out = append(out, c)
	}
	return out
}

// isDirection reports whether r changes the order in which text is shown.
func isDirection(r rune) bool {
	return r == '\u061c' || r == '\u200e' || r == '\u200f' || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

func runeWidth(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// clean is s without what could confuse a terminal; its line breaks stay.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		if r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) || isDirection(r) || r == '\u2028' || r == '\u2029' {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// columns returns the width of s.
func columns(s string) (n int) {
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// fit returns the part of a line that fits into limit columns and has the byte range
// from..to in it, with the column where that begins and its width.
func fit(line string, from, to, limit int) (shown string, column, length int) {
	list := cells(line)
	first := 0
	if total, before, within := measure(list, from, to); total > limit && before+within > limit-1 {
		// Begin a third of the way before the culprit.
		for skipped := 0; first < len(list) && before-skipped > limit/3; first++ {
			skipped += list[first].width
		}
	}
	var b strings.Builder
	at := 0
	if first > 0 {
		b.WriteString("…")
		at = 1
	}
	column = -1
	for i, c := range list[first:] {
		rest := 0
		if first+i+1 < len(list) {
			rest = 1 // room for the ellipsis
		}
		if at+c.width+rest > limit {
			b.WriteString("…")
			at++
			break
		}
		if c.offset >= from && column < 0 {
			column = at
		}
		if c.offset >= from && c.offset < to {
			length += c.width
		}
		b.WriteString(c.text)
		at += c.width
	}
	if column < 0 { // behind the last character
		column = at
	}
	return b.String(), column, max(length, 1)
}

func measure(list []cell, from, to int) (total, before, within int) {
	for _, c := range list {
		total += c.width
		if c.offset < from {
			before += c.width
		} else if c.offset < to {
			within += c.width
		}
	}
	return total, before, within
}
