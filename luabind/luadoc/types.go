package luadoc

import (
	"fmt"
	"strings"
)

// cutType splits s after the type it starts with. The text after it comes without leading space.
func cutType(s string) (typ, text string, err error) {
	s = strings.TrimSpace(s)
	n := union(s)
	if n == 0 {
		return "", "", fmt.Errorf("a type is missing or not closed at %q", s)
	}
	text = strings.TrimSpace(s[n:])
	if text != "" && !strings.ContainsRune(" \t#,", rune(s[n])) {
		return "", "", fmt.Errorf("the type ends at %q, in %q", s[n:], s)
	}
	return s[:n], text, nil
}

// cutText removes the '#' that may stand before the text of a tag.
func cutText(s string) string { return strings.TrimSpace(strings.TrimPrefix(s, "#")) }

// The functions below return the length of what s starts with, 0 if it starts with something else.

// union is one type or several with '|' or '&' between.
func union(s string) int {
	n := single(s)
	for n > 0 {
		rest := strings.TrimLeft(s[n:], " ")
		if rest == "" || rest[0] != '|' && rest[0] != '&' {
			return n
		}
		at := len(s) - len(rest) + 1
		at += len(s[at:]) - len(strings.TrimLeft(s[at:], " "))
		m := single(s[at:])
		if m == 0 {
			return 0
		}
		n = at + m
	}
	return 0
}

// single is a type without '|', with its suffixes: "[]", "?", "...".
func single(s string) int {
	n := core(s)
	if n == 0 {
		return 0
	}
	for {
		switch {
		case strings.HasPrefix(s[n:], "[]"):
			n += 2
		case strings.HasPrefix(s[n:], "?"):
			n++
		case strings.HasPrefix(s[n:], "..."):
			n += 3
		default:
			return n
		}
	}
}

func core(s string) int {
	if s == "" {
		return 0
	}
	if rest, ok := strings.CutPrefix(s, "..."); ok {
		n := core(rest)
		if n == 0 {
			return 0
		}
		return 3 + n
	}
	switch s[0] {
	case '(', '{', '[':
		return balanced(s)
	case '"', '\'', '`':
		if n := quoted(s); n > 1 && s[n-1] == s[0] {
			return n
		}
		return 0
	}
	n := 0
	for n < len(s) && (isNameByte(s[n]) || s[n] == '-' || s[n] == '.' && !strings.HasPrefix(s[n:], "...")) {
		n++
	}
	for n > 0 && s[n-1] == '.' { // the end of a sentence, not of a name
		n--
	}
	switch {
	case s[:n] == "fun" && strings.HasPrefix(s[n:], "("):
		return function(s, n)
	case n > 0 && strings.HasPrefix(s[n:], "<"):
		m := balanced(s[n:])
		if m == 0 {
			return 0
		}
		return n + m
	}
	return n
}

// function is "fun(…)" with its results, whose "fun" takes n bytes.
func function(s string, n int) int {
	m := balanced(s[n:])
	if m == 0 {
		return 0
	}
	n += m
	rest, ok := strings.CutPrefix(strings.TrimLeft(s[n:], " "), ":")
	for ok {
		rest = strings.TrimLeft(rest, " ")
		if name, typ, named := strings.Cut(rest, ":"); named && isName(strings.TrimSpace(name)) {
			rest = strings.TrimLeft(typ, " ")
		}
		m := union(rest)
		if m == 0 {
			return 0
		}
		rest = rest[m:]
		n = len(s) - len(rest)
		rest, ok = strings.CutPrefix(rest, ",")
	}
	return n
}

// balanced is a pair of brackets and what is between; strings inside may hold anything.
func balanced(s string) int {
	var open []byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '(', '{', '[', '<':
			open = append(open, c)
		case ')', '}', ']', '>':
			if open[len(open)-1] != opener[c] {
				return 0
			}
			open = open[:len(open)-1]
			if len(open) == 0 {
				return i + 1
			}
		case '"', '\'', '`':
			i += quoted(s[i:]) - 1
		}
	}
	return 0
}

var opener = map[byte]byte{')': '(', '}': '{', ']': '[', '>': '<'}
