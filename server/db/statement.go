package db

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// style is how a statement names its parameters.
type style uint8

const (
	styleNone style = iota
	styleMarks
	styleNamed
	styleDollar
)

// A statement is SQL that has been looked at once.
type statement struct {
	source string
	style  style
	text   string   // for the engine; what differs by the arguments is put together in bind
	parts  []string // around the parameters, one more than names
	names  []string // of the parameters in order; "" for ?
	count  int      // of arguments: marks, different names, or the highest $n
	verb   string   // its first word in lower case
	reads  bool     // it may run where nothing can be written
	schema bool     // it may change tables

	lasting lasting // what it leaves behind
	commits string  // why it must not run in a transaction
	copies  string  // why it must not run at all: it speaks the protocol of copy

	writes atomic.Bool // it was found to write although it does not look so
	pace   pace        // see DB.Quick
}

// parse looks at one statement.
func parse(engine Engine, source string) (*statement, error) { return parseAs(engine, source, false) }

func parseAs(engine Engine, source string, fragment bool) (*statement, error) {
	p := parser{st: &statement{source: source}, lexer: lexer{src: source, engine: engine}, body: body{engine: engine}, fragment: fragment}
	if err := p.run(); err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, e
		}
		return nil, &Error{Code: CodeParameters, Statement: source, Err: err}
	}
	return p.st, nil
}

type parser struct {
	lexer
	st       *statement
	part     strings.Builder
	body     body // of what is created
	stopped  bool // a semicolon came
	writes   bool // a word came that changes something
	fragment bool // the parts become part of another statement, and ?? stays
}

func (p *parser) run() error {
	if err := checkNul(p.src); err != nil {
		return err
	}
	for {
		t := p.next()
		if t.kind == kindEnd {
			break
		}
		if p.stopped && t.kind != kindSpace && t.kind != kindStop {
			return fmt.Errorf("there is more than one statement: after the semicolon comes %q; run them one by one, or in a migration, which may have several", excerpt(p.src[t.start:], 30))
		}
		if err := p.token(t); err != nil {
			return err
		}
	}
	p.finish()
	return nil
}

func (p *parser) token(t token) error {
	p.body.see(t.kind, p.text(t))
	switch t.kind {
	case kindBroken:
		return fmt.Errorf("what begins with %q does not end", excerpt(p.text(t), 20))
	case kindRun:
		return &Error{Code: CodeRefused, Statement: p.src, Err: fmt.Errorf("whether the comment %q is run depends on the version of the server: write what is in it without the comment, or leave it out", excerpt(p.text(t), 40))}
	case kindMark:
		if c := p.at(0); c >= '0' && c <= '9' {
			return fmt.Errorf("?%c is not a parameter here: write ? or :name", c)
		}
		return p.parameter(styleMarks, "")
	case kindNamed:
		return p.parameter(styleNamed, p.src[t.start+1:t.end])
	case kindDollar:
		return p.dollarParameter(t)
	case kindDouble:
		if p.engine != Postgres {
			return fmt.Errorf("?? stands for the operator ? of Postgres; %s has none", p.engine)
		}
		if p.fragment {
			p.part.WriteByte('?')
		}
		p.part.WriteByte('?')
		return nil
	case kindStop:
		if !p.body.takes() {
			p.stopped = true
			return nil
		}
	case kindWord:
		p.word(p.text(t))
	}
	if !p.stopped {
		p.part.WriteString(p.text(t))
	}
	if p.fragment && t.kind == kindSpace && !p.stopped {
		p.part.WriteString(p.endOf(p.text(t)))
	}
	return nil
}

// endOf returns what ends a comment that reaches the end of a fragment, where it would take in
// what comes behind the fragment.
func (p *parser) endOf(space string) string {
	switch {
	case p.pos < len(p.src) || isSpace(space[0]) || strings.HasSuffix(space, "\n"):
		return ""
	case space[0] != '/':
		return "\n"
	case len(space) < 4 || !strings.HasSuffix(space, "*/"):
		return "*/"
	}
	return ""
}

func (p *parser) parameter(s style, name string) error {
	if err := p.setStyle(s); err != nil {
		return err
	}
	p.st.parts = append(p.st.parts, p.part.String())
	p.st.names = append(p.st.names, name)
	p.part.Reset()
	return nil
}

// dollarParameter leaves $1 as it is.
func (p *parser) dollarParameter(t token) error {
	n, err := strconv.Atoi(p.src[t.start+1 : t.end])
	if err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%s is not a parameter: they begin with $1 and end with $65535", p.text(t))
	}
	p.st.count = max(p.st.count, n)
	p.part.WriteString(p.text(t))
	return p.setStyle(styleDollar)
}

func (p *parser) setStyle(s style) error {
	if p.st.style != styleNone && p.st.style != s {
		return fmt.Errorf("parameters are written in one way in a statement, either ? or :name, not both")
	}
	p.st.style = s
	return nil
}

// word looks for what the statement does.
func (p *parser) word(word string) {
	first := p.st.verb == ""
	if first {
		p.st.verb = strings.ToLower(word)
	}
	if first {
		return
	}
	if len(word) < 6 || len(word) > 7 || p.writes {
		return
	}
	switch strings.ToLower(word) {
	case "insert", "update", "delete", "replace":
		p.writes = true
	}
}

func (p *parser) finish() {
	st := p.st
	st.parts = append(st.parts, p.part.String())
	runs := effective(p.engine, p.src)
	if len(runs) < len(p.src) {
		st.verb = verbOf(p.engine, runs)
	}
	switch st.verb {
	case "select", "values", "explain":
		st.reads = true
	case "with":
		st.reads = !p.writes
	}
	st.schema = changesSchema(st.verb)
	if !p.fragment {
		st.look(p.engine, p.src, runs)
	}
	if st.style == styleMarks {
		st.count = len(st.names)
	}
	if st.style == styleNamed {
		st.count = len(distinct(st.names))
	}
	st.text = st.render(p.engine, nil)
}

// look finds what the statement does beyond itself. What runs is effective of its source.
func (st *statement) look(engine Engine, source, runs string) {
	st.lasting = lastingCall(engine, source).with(lastingVerb(engine, runs, st.verb))
	if engine == Postgres && st.verb == "copy" {
		st.copies = copies(beginning(engine, runs, len(runs)))
	}
	if engine == MySQL && st.verb != "select" {
		st.commits = commits(engine, beginning(engine, runs, enough))
	}
}

// render joins the parts with what the engine takes for parameters. widths says into how many
// each parameter expands, nil for one each.
func (st *statement) render(engine Engine, widths []int) string {
	if len(st.names) == 0 {
		return st.parts[0]
	}
	var b strings.Builder
	number := 0
	seen := make(map[string]int)
	for i, name := range st.names {
		width := 1
		if widths != nil {
			width = widths[i]
		}
		if width == 0 && st.inList(i) {
			b.WriteString(st.emptyIn(engine, i))
			continue
		}
		b.WriteString(st.parts[i])
		first := number + 1
		if at, ok := seen[name]; ok && name != "" {
			first = at
		} else {
			seen[name] = first
			number += width
		}
		placeholders(&b, engine, first, width)
	}
	b.WriteString(st.parts[len(st.names)])
	return b.String()
}

// verbatim is a statement that is not looked at, but for what must not run. SQLite and Postgres
// run all of a text that has several in it.
func verbatim(engine Engine, source string) (*statement, error) {
	st := &statement{source: source, text: source}
	pieces, err := Split(engine, source)
	if err != nil { // the engine knows better what it is
		pieces = []Piece{{Text: source}}
	}
	if len(pieces) == 0 {
		return st, (&statement{source: source}).refused()
	}
	for i, p := range pieces {
		for _, text := range readings(engine, p.Text) {
			runs := effective(engine, text)
			piece := &statement{source: source, verb: verbOf(engine, runs)}
			piece.look(engine, text, runs)
			if err := piece.refused(); err != nil {
				return st, err
			}
			if i == 0 {
				st.verb = piece.verb
			}
			st.include(piece)
		}
	}
	return st, nil
}

// include adds what a part of the statement does.
func (st *statement) include(piece *statement) {
	st.schema = st.schema || changesSchema(piece.verb)
	st.lasting = st.lasting.with(piece.lasting)
	st.commits = cmp.Or(st.commits, piece.commits)
}

// readings are the texts that a server may take a statement for: MySQL with and without what is in
// comments that it runs if it is new enough, as in dumps.
func readings(engine Engine, text string) []string {
	if engine != MySQL || !strings.Contains(text, "/*!") && !strings.Contains(text, "/*M!") {
		return []string{text}
	}
	var with, without strings.Builder
	l := lexer{src: text, engine: engine}
	for t := l.next(); t.kind != kindEnd; t = l.next() {
		piece := l.text(t)
		if t.kind == kindRun {
			without.WriteByte(' ')
			_, piece, _ = strings.Cut(strings.TrimSuffix(piece, "*/"), "!")
			piece = " " + strings.TrimLeft(piece, "0123456789") + " "
		} else {
			without.WriteString(piece)
		}
		with.WriteString(piece)
	}
	return slices.DeleteFunc([]string{without.String(), with.String()}, func(s string) bool { return strings.TrimSpace(s) == "" })
}

// checkNul refuses U+0000, where SQLite takes a statement to end: "delete from t" would be left of
// one with a condition behind it.
func checkNul(source string) error {
	if i := strings.IndexByte(source, 0); i >= 0 {
		return fmt.Errorf("a character U+0000 comes after %q", excerpt(source[:i], 30))
	}
	return nil
}

func changesSchema(verb string) bool {
	switch verb {
	case "create", "alter", "drop", "rename", "truncate", "attach", "detach":
		return true
	}
	return false
}

// verbOf returns the first word of a statement in lower case; without one, what it begins with.
func verbOf(engine Engine, source string) string {
	l := lexer{src: source, engine: engine}
	first := ""
	for t := l.next(); t.kind != kindEnd; t = l.next() {
		if t.kind == kindWord {
			return strings.ToLower(l.text(t))
		}
		if t.kind != kindSpace && first == "" {
			first = l.text(t)
		}
	}
	return first
}

func placeholders(b *strings.Builder, engine Engine, first, width int) {
	if width == 0 {
		b.WriteString("null")
	}
	for n := range width {
		if n > 0 {
			b.WriteString(", ")
		}
		if engine != Postgres {
			b.WriteByte('?')
			continue
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + n))
	}
}

func distinct(names []string) []string {
	seen := make(map[string]bool, len(names))
	var out []string
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// excerpt is the beginning of a text in one line.
func excerpt(text string, limit int) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return text
}
