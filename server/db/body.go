package db

import "strings"

// A body follows the tokens of a statement to know the semicolons that do not end it: those between
// begin and end of a trigger, function or procedure.
//
// SQLite and Postgres run all statements of a text, so there it holds to their grammars, in which end
// ends a body only as the first word behind a semicolon; begin and end may be names elsewhere. The
// bodies of MySQL have blocks in them, which are counted. That may be wrong where a name is begin, and
// matters only in a script: the server takes one statement at a time and finds its end by itself.
type body struct {
	engine  Engine
	words   int // of the statement so far
	create  bool
	makes   bool   // something that may have a body
	inside  bool   // of it; SQLite: from the beginning of the statement
	closed  bool   // it has ended
	before  string // the word or sign before, in lower case
	parens  int    // that are open, of Postgres
	blocks  int    // of MySQL: begin and case that are open
	endings bool   // of MySQL: the word before was end
}

// takes says whether a semicolon belongs to the body.
func (b *body) takes() bool {
	b.before, b.endings = ";", false
	if b.engine == MySQL {
		return b.blocks > 0
	}
	return b.inside
}

// see takes the next token, all but the semicolons.
func (b *body) see(k kind, text string) {
	switch {
	case k == kindSpace || k == kindStop:
		return
	case k == kindWord:
		b.words++
		b.word(strings.ToLower(text))
		return
	case text == "(":
		b.parens++
	case text == ")":
		b.parens--
	}
	b.before = text
	if b.words == 0 {
		b.words = 1 // a statement that does not begin with a word
	}
}

func (b *body) word(word string) {
	b.create = b.create || b.words == 1 && word == "create"
	if !b.create {
		return
	}
	switch b.engine {
	case SQLite:
		b.sqlite(word)
	case Postgres:
		b.postgres(word)
	default:
		b.mysql(word)
	}
	b.before = word
}

// sqlite: "create [temp] trigger … begin statement; statement; end". There is no semicolon before the
// begin.
func (b *body) sqlite(word string) {
	switch {
	case word == "trigger" && (b.words == 2 && b.before == "create" || b.words == 3 && (b.before == "temp" || b.before == "temporary")):
		b.inside = !b.closed
	case word == "end" && b.before == ";":
		b.inside, b.closed = false, true
	}
}

// postgres: "create [or replace] function … begin atomic statement; statement; end". A parameter in
// parentheses may be called begin and be of a type atomic.
func (b *body) postgres(word string) {
	switch {
	case b.words <= 4 && (word == "function" || word == "procedure"):
		b.makes = true
	case word == "atomic" && b.before == "begin" && b.parens == 0 && b.makes && !b.closed:
		b.inside = true
	case word == "end" && (b.before == ";" || b.before == "atomic"):
		b.inside, b.closed = false, b.closed || b.inside
	}
}

// mysql counts what begins and ends.
func (b *body) mysql(word string) {
	ended := b.endings
	b.endings = false
	switch word {
	case "trigger", "procedure", "function", "event":
		b.makes = b.makes || b.words <= 8
	case "begin", "case":
		if b.makes && !ended {
			b.blocks++
		}
	case "if", "loop", "while", "repeat", "for":
		if ended {
			b.blocks++ // "end if" ended something that was not counted
		}
	case "end":
		if b.blocks > 0 {
			b.blocks--
			b.endings = true
		}
	}
}
