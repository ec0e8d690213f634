package db

import (
	"strings"
	"unicode/utf8"
)

// kind of a token.
type kind uint8

const (
	kindEnd    kind = iota
	kindSpace       // white space and comments
	kindWord        // a keyword, a name, a number
	kindString      // a string of any sort
	kindName        // a quoted identifier
	kindMark        // ?
	kindDouble      // ??, an operator of Postgres
	kindNamed       // :name
	kindDollar      // $1
	kindStop        // ;
	kindOther       // one character of something else
	kindRun         // a comment whose content MySQL runs
	kindBroken      // a string, name or comment that does not end
)

// A token is a piece of a statement: src[start:end].
type token struct {
	kind       kind
	start, end int
}

// A lexer cuts SQL into tokens. It knows as much of each engine as is needed to tell what is
// code from what is text: quotes, comments, casts, slices.
type lexer struct {
	src    string
	engine Engine
	pos    int
}

// byteOrderMark is white space for SQLite, wherever it begins a token.
const byteOrderMark = "\ufeff"

// next returns the next token; kindEnd again and again at the end.
func (l *lexer) next() token {
	start := l.pos
	if start >= len(l.src) {
		return token{kindEnd, start, start}
	}
	k := l.scan(l.src[start])
	return token{k, start, l.pos}
}

func (l *lexer) text(t token) string { return l.src[t.start:t.end] }

// at returns the byte n after the position, 0 behind the end.
func (l *lexer) at(n int) byte {
	if l.pos+n < len(l.src) {
		return l.src[l.pos+n]
	}
	return 0
}

func (l *lexer) scan(c byte) kind {
	switch {
	case isSpace(c):
		l.while(isSpace)
		return kindSpace
	case c == '-' && l.dashes(), c == '#' && l.engine == MySQL:
		l.line()
		return kindSpace
	case c == '/' && l.at(1) == '*':
		return l.comment()
	case l.engine == SQLite && strings.HasPrefix(l.src[l.pos:], byteOrderMark):
		l.pos += len(byteOrderMark)
		return kindSpace
	case isWord(c):
		return l.word()
	case c == '\'':
		return l.quoted('\'', l.engine == MySQL, kindString)
	case c == '"' && l.engine == MySQL:
		return l.quoted('"', true, kindString)
	case c == '"':
		return l.quoted('"', false, kindName)
	case c == '`' && l.engine != Postgres:
		return l.quoted('`', false, kindName)
	case c == '[' && l.engine == SQLite:
		return l.bracket()
	case c == '$' && l.engine == Postgres:
		return l.dollar()
	case (c == '$' || c == '@' || c == '#' || c == ':') && l.engine == SQLite:
		return l.variable()
	}
	return l.punctuation(c)
}

func (l *lexer) punctuation(c byte) kind {
	l.pos++
	switch c {
	case ';':
		return kindStop
	case '?':
		if l.at(0) == '?' {
			l.pos++
			return kindDouble
		}
		return kindMark
	case ':':
		return l.colon()
	}
	return kindOther
}

// colon follows a colon: a parameter begins with one, and so do casts, slices and labels.
func (l *lexer) colon() kind {
	switch {
	case l.at(0) == ':': // a cast
		l.pos++
		return kindOther
	case !isLetter(l.at(0)) || l.pos >= 2 && joins(l.src[l.pos-2]):
		return kindOther
	}
	l.while(isWord)
	return kindNamed
}

// variable reads a parameter as SQLite does, to which those of Tcl belong: $a::b(any'thing). They are
// left to the engine, which has no values for them; so is a lone sign.
func (l *lexer) variable() kind {
	start := l.pos + 1
	first := l.at(0) == ':' && isLetter(l.at(1))
	l.pos = start
	l.while(isNameByte)
	plain := first
	for l.at(0) == ':' && l.at(1) == ':' {
		plain = false
		l.pos += 2
		l.while(isNameByte)
	}
	if l.at(0) == '(' && strings.Trim(l.src[start:l.pos], ":") != "" {
		plain = false
		l.while(func(c byte) bool { return !isSpace(c) && c != ')' })
		l.pos = min(l.pos+1, len(l.src))
	}
	if plain {
		return kindNamed
	}
	return kindOther
}

// joins says whether a colon after c belongs to c: arr[1:n], a "cast"::text, label:.
func joins(c byte) bool { return isWord(c) || strings.IndexByte(`)]":$`, c) >= 0 }

// dashes says whether a comment begins. MySQL wants a space after the dashes: 5--3 is 8.
func (l *lexer) dashes() bool {
	if l.at(1) != '-' {
		return false
	}
	return l.engine != MySQL || l.pos+2 >= len(l.src) || isSpace(l.at(2)) || l.at(2) < ' '
}

func (l *lexer) line() {
	if n := strings.IndexByte(l.src[l.pos:], '\n'); n >= 0 {
		l.pos += n + 1
		return
	}
	l.pos = len(l.src)
}

// comment reads a block comment; in Postgres they nest.
func (l *lexer) comment() kind {
	run := l.engine == MySQL && runs(l.src[l.pos:])
	depth := 0
	for l.pos < len(l.src) {
		switch {
		case l.at(0) == '/' && l.at(1) == '*' && (depth == 0 || l.engine == Postgres):
			depth++
			l.pos += 2
		case l.at(0) == '*' && l.at(1) == '/':
			l.pos += 2
			if depth--; depth > 0 {
				continue
			}
			if run {
				return kindRun
			}
			return kindSpace
		default:
			l.pos++
		}
	}
	if l.engine == SQLite { // which takes the end of the text for the end of the comment
		return kindSpace
	}
	return kindBroken
}

// runs says that MySQL, or MariaDB, reads what is in a comment, if it is new enough.
func runs(comment string) bool {
	return strings.HasPrefix(comment, "/*!") || strings.HasPrefix(comment, "/*M!")
}

// word reads a name or number, and the string that may follow a prefix as in E'…'.
func (l *lexer) word() kind {
	start := l.pos
	l.while(isNameByte)
	if l.at(0) != '\'' {
		return kindWord
	}
	switch prefix := l.src[start:l.pos]; {
	case l.engine == Postgres && strings.EqualFold(prefix, "e"):
		return l.escaped()
	case len(prefix) == 1 && strings.Contains("bBnNxX", prefix), strings.HasPrefix(prefix, "_"):
		return l.quoted('\'', l.engine == MySQL, kindString)
	}
	return kindWord
}

// escaped reads E'…' with what continues it: after a new line another quote goes on with the same
// string, where backslashes count as they did before.
func (l *lexer) escaped() kind {
	for {
		if k := l.quoted('\'', true, kindString); k == kindBroken {
			return k
		}
		end := l.pos
		for isSpace(l.at(0)) || l.at(0) == '-' && l.at(1) == '-' {
			if l.at(0) == '-' {
				l.line()
			} else {
				l.pos++
			}
		}
		if l.at(0) != '\'' || !strings.ContainsAny(l.src[end:l.pos], "\n\r") {
			l.pos = end
			return kindString
		}
	}
}

// quoted reads to the closing quote. A doubled quote is one of the text.
func (l *lexer) quoted(quote byte, backslash bool, k kind) kind {
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch c := l.src[l.pos]; {
		case c == '\\' && backslash:
			l.pos++
		case c != quote:
		case l.at(1) == quote:
			l.pos++
		default:
			l.pos++
			return k
		}
	}
	l.pos = len(l.src)
	return kindBroken
}

func (l *lexer) bracket() kind {
	n := strings.IndexByte(l.src[l.pos:], ']')
	if n < 0 {
		l.pos = len(l.src)
		return kindBroken
	}
	l.pos += n + 1
	return kindName
}

// dollar reads $1 or $tag$ … $tag$.
func (l *lexer) dollar() kind {
	if c := l.at(1); c >= '0' && c <= '9' {
		l.pos++
		l.while(func(c byte) bool { return c >= '0' && c <= '9' })
		return kindDollar
	}
	end := l.pos + 1
	for end < len(l.src) && isWord(l.src[end]) {
		end++
	}
	if end >= len(l.src) || l.src[end] != '$' {
		l.pos++
		return kindOther
	}
	tag := l.src[l.pos : end+1]
	n := strings.Index(l.src[end+1:], tag)
	if n < 0 {
		l.pos = len(l.src)
		return kindBroken
	}
	l.pos = end + 1 + n + len(tag)
	return kindString
}

func (l *lexer) while(ok func(byte) bool) {
	for l.pos < len(l.src) && ok(l.src[l.pos]) {
		l.pos++
	}
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' || c == '\v'
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= utf8.RuneSelf
}

func isWord(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' }

func isNameByte(c byte) bool { return isWord(c) || c == '$' }
