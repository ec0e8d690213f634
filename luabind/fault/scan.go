package fault

import (
	"sort"
	"strings"
)

var keywords = map[string]bool{
	"and": true, "break": true, "do": true, "else": true, "elseif": true, "end": true, "false": true, "for": true,
	"function": true, "goto": true, "if": true, "in": true, "local": true, "nil": true, "not": true, "or": true,
	"repeat": true, "return": true, "then": true, "true": true, "until": true, "while": true,
}

type tokenKind int

const (
	word tokenKind = iota // names and keywords
	numeral
	text // strings
	comment
	symbols // operators, brackets, and bytes that are none
)

// A token of Lua source; start and end are byte offsets.
type token struct {
	kind       tokenKind
	start, end int
}

// A source is a text with its lines.
type source struct {
	text  string
	lines []int // offsets of their first bytes
}

func newSource(text string) source {
	s := source{text: text, lines: []int{0}}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n', '\r':
			if i+1 < len(text) && text[i+1] != text[i] && (text[i+1] == '\n' || text[i+1] == '\r') {
				i++
			}
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// line returns line n, from 1, without its end; false when there is none.
func (s source) line(n int) (string, bool) {
	if n < 1 || n > len(s.lines) {
		return "", false
	}
	end := len(s.text)
	if n < len(s.lines) {
		end = s.lines[n]
	}
	return strings.TrimRight(s.text[s.lines[n-1]:end], "\r\n"), true
}

// lineOf returns the number of the line of an offset.
func (s source) lineOf(offset int) int {
	return sort.SearchInts(s.lines, offset+1)
}

// column returns the column, from 1, of an offset.
func (s source) column(offset int) int { return offset - s.lines[s.lineOf(offset)-1] + 1 }

// scan cuts Lua source into tokens. It accepts everything; white space is left out.
func scan(s string) []token {
	var tokens []token
	for i := 0; i < len(s); {
		if strings.IndexByte(" \t\r\n\v\f", s[i]) >= 0 {
			i++
			continue
		}
		t := token{start: i}
		t.kind, t.end = scanToken(s, i)
		tokens = append(tokens, t)
		i = t.end
	}
	return tokens
}

func scanToken(s string, i int) (tokenKind, int) {
	c := s[i]
	switch {
	case strings.HasPrefix(s[i:], "--"):
		if end := longBracket(s, i+2); end > 0 {
			return comment, end
		}
		return comment, lineEnd(s, i)
	case isLetter(c):
		return word, i + span(s[i:], func(c byte) bool { return isLetter(c) || isDigit(c) })
	case isDigit(c) || c == '.' && i+1 < len(s) && isDigit(s[i+1]):
		return numeral, i + span(s[i:], func(c byte) bool { return isLetter(c) || isDigit(c) || c == '.' })
	case c == '"' || c == '\'':
		return text, stringEnd(s, i)
	case c == '[':
		if end := longBracket(s, i); end > 0 {
			return text, end
		}
	}
	for _, op := range []string{"...", "..", "==", "~=", "<=", ">=", "::"} {
		if strings.HasPrefix(s[i:], op) {
			return symbols, i + len(op)
		}
	}
	if c >= 0x80 {
		return symbols, i + span(s[i:], func(c byte) bool { return c >= 0x80 })
	}
	return symbols, i + 1
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

func span(s string, ok func(byte) bool) int {
	n := 0
	for n < len(s) && ok(s[n]) {
		n++
	}
	return n
}

func lineEnd(s string, i int) int {
	if n := strings.IndexAny(s[i:], "\r\n"); n >= 0 {
		return i + n
	}
	return len(s)
}

// stringEnd returns where the quoted string that starts at i ends: after its quote, or
// at the end of the line when that is missing.
func stringEnd(s string, i int) int {
	for n := i + 1; n < len(s); n++ {
		switch s[n] {
		case s[i]:
			return n + 1
		case '\n', '\r':
			return n
		case '\\':
			n++
		}
	}
	return len(s)
}

// longBracket returns where the [[…]] or [=[…]=] that starts at i ends, the end of the
// text when it isn't closed, 0 when none starts there.
func longBracket(s string, i int) int {
	if i >= len(s) || s[i] != '[' {
		return 0
	}
	level := span(s[i+1:], func(c byte) bool { return c == '=' })
	open := i + 1 + level
	if open >= len(s) || s[open] != '[' {
		return 0
	}
	end := strings.Index(s[open:], "]"+strings.Repeat("=", level)+"]")
	if end < 0 {
		return len(s)
	}
	return open + end + level + 2
}
