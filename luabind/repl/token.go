package repl

import "strings"

var keywords = map[string]bool{
	"and": true, "break": true, "do": true, "else": true, "elseif": true, "end": true, "false": true, "for": true,
	"function": true, "goto": true, "if": true, "in": true, "local": true, "nil": true, "not": true, "or": true,
	"repeat": true, "return": true, "then": true, "true": true, "until": true, "while": true,
}

type tokenKind int

const (
	tokenName tokenKind = iota
	tokenKeyword
	tokenNumber
	tokenString
	tokenComment
	tokenSymbol
	tokenSpace
)

// A token is a part of a line; start and end are byte offsets. Open is set when a string
// or comment has no end.
type token struct {
	kind       tokenKind
	start, end int
	open       bool
}

// scan cuts Lua text into tokens that cover all of it. It accepts everything.
func scan(s string) []token {
	var tokens []token
	for i := 0; i < len(s); {
		t := scanToken(s, i)
		tokens = append(tokens, t)
		i = t.end
	}
	return tokens
}

func scanToken(s string, i int) token {
	t := token{start: i, end: i + 1, kind: tokenSymbol}
	c := s[i]
	switch {
	case isSpace(c):
		t.kind, t.end = tokenSpace, i+span(s[i:], isSpace)
	case strings.HasPrefix(s[i:], "--"):
		t.kind = tokenComment
		if end, closed, ok := longBracket(s, i+2); ok {
			t.end, t.open = end, !closed
		} else {
			t.end = i + span(s[i:], func(c byte) bool { return c != '\n' })
		}
	case isLetter(c):
		t.end = i + span(s[i:], func(c byte) bool { return isLetter(c) || isDigit(c) })
		t.kind = tokenName
		if keywords[s[i:t.end]] {
			t.kind = tokenKeyword
		}
	case isDigit(c) || c == '.' && i+1 < len(s) && isDigit(s[i+1]):
		t.kind, t.end = tokenNumber, i+span(s[i:], func(c byte) bool { return isLetter(c) || isDigit(c) || c == '.' })
	case c == '"' || c == '\'':
		t.kind = tokenString
		t.end, t.open = stringEnd(s, i)
	case c == '[':
		if end, closed, ok := longBracket(s, i); ok {
			t.kind, t.end, t.open = tokenString, end, !closed
		}
	case c >= 0x80:
		t.end = i + span(s[i:], func(c byte) bool { return c >= 0x80 })
	}
	return t
}

func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

func span(s string, ok func(byte) bool) int {
	n := 0
	for n < len(s) && ok(s[n]) {
		n++
	}
	return n
}

// stringEnd returns where the quoted string that starts at i ends.
func stringEnd(s string, i int) (end int, open bool) {
	for n := i + 1; n < len(s); n++ {
		switch s[n] {
		case s[i]:
			return n + 1, false
		case '\n':
			return n, true
		case '\\':
			n++
		}
	}
	return len(s), true
}

// longBracket returns where the [[…]] or [=[…]=] that starts at i ends.
func longBracket(s string, i int) (end int, closed, ok bool) {
	if i >= len(s) || s[i] != '[' {
		return 0, false, false
	}
	level := span(s[i+1:], func(c byte) bool { return c == '=' })
	open := i + 1 + level
	if open >= len(s) || s[open] != '[' {
		return 0, false, false
	}
	n := strings.Index(s[open:], "]"+strings.Repeat("=", level)+"]")
	if n < 0 {
		return len(s), false, true
	}
	return open + n + level + 2, true, true
}

var tokenColors = map[tokenKind]color{
	tokenKeyword: magenta, tokenNumber: yellow, tokenString: green, tokenComment: dim,
}

// Highlight colours Lua text, or a command of the console, unless it is longer than maxDrawn.
func Highlight(text string) string {
	if len(text) > maxDrawn {
		return text
	}
	if !isCommand(text) {
		return highlightLua(text)
	}
	end := strings.IndexByte(text, ':')
	end += span(text[end:], func(c byte) bool { return !isSpace(c) })
	return Style{Color: true}.paint(cyan, text[:end]) + highlightLua(text[end:])
}

func highlightLua(text string) string {
	s := Style{Color: true}
	var b strings.Builder
	for _, t := range scan(text) {
		word := text[t.start:t.end]
		c := tokenColors[t.kind]
		if word == "true" || word == "false" || word == "nil" {
			c = yellow
		}
		// A colour ends with its line, for those who draw line by line.
		for i, line := range strings.Split(word, "\n") {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(s.paint(c, line))
		}
	}
	return b.String()
}
