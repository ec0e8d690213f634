package router

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type partKind uint8

const (
	textPart partKind = iota
	paramPart
	restPart
	optionalPart
)

// part is a node of the parsed pattern.
type part struct {
	kind  partKind
	text  string // the text, or the name of a parameter
	typ   Type
	parts []part // of an optional part
	pos   int    // offset in the pattern
}

// maxDepth bounds nested optional parts; deeper ones are a mistake.
const maxDepth = 8

// special characters mean something in a pattern; a backslash before one makes it text.
const special = `:*(){}?\`

type parser struct {
	src   string
	pos   int
	depth int
	names map[string]bool
}

func parse(pattern string) ([]part, error) {
	p := &parser{src: pattern, names: map[string]bool{}}
	if strings.HasPrefix(pattern, "(/") {
		return nil, p.fail(0, `must start with "/"; put the slash before the optional part, as in "/(:lang/)about"`)
	}
	if !strings.HasPrefix(pattern, "/") {
		return nil, p.fail(0, `must start with "/"`)
	}
	return p.sequence()
}

func (p *parser) fail(offset int, format string, args ...any) error {
	return &PatternError{Pattern: p.src, Pos: offset + 1, Problem: fmt.Sprintf(format, args...)}
}

// sequence reads parts up to the end or, inside an optional part, up to its ")".
func (p *parser) sequence() ([]part, error) {
	var parts []part
	for p.pos < len(p.src) {
		if p.src[p.pos] == ')' && p.depth > 0 {
			return parts, nil
		}
		next, err := p.part()
		if err != nil {
			return nil, err
		}
		parts = append(parts, next)
	}
	return parts, nil
}

func (p *parser) part() (part, error) {
	switch c := p.src[p.pos]; c {
	case ':':
		return p.param()
	case '*':
		return p.rest()
	case '(':
		return p.optional()
	case '\\':
		return p.escaped()
	case '{':
		return part{}, p.braces()
	case '?':
		return part{}, p.question()
	case ')', '}':
		return part{}, p.fail(p.pos, `%q closes nothing; write "\%c" for the character itself`, string(c), c)
	}
	return p.text()
}

func (p *parser) param() (part, error) {
	start := p.pos
	p.pos++
	name := p.name()
	if name == "" {
		return part{}, p.fail(start, `":" needs a name of letters, digits and "_", as in ":id"; write "\:" for a colon`)
	}
	if p.pos < len(p.src) && p.src[p.pos] >= utf8.RuneSelf {
		return part{}, p.fail(p.pos, `a name has only the letters a to z, digits and "_"`)
	}
	if err := p.claim(name, start); err != nil {
		return part{}, err
	}
	typ, err := p.typ()
	return part{kind: paramPart, text: name, typ: typ, pos: start}, err
}

func (p *parser) name() string {
	start := p.pos
	for p.pos < len(p.src) && isName(p.src[p.pos], p.pos == start) {
		p.pos++
	}
	return p.src[start:p.pos]
}

func (p *parser) claim(name string, start int) error {
	if p.names[name] {
		return p.fail(start, "parameter %q appears twice; each needs its own name", name)
	}
	p.names[name] = true
	return nil
}

// typ reads "{int}" after a name; no braces are no type.
func (p *parser) typ() (Type, error) {
	if p.pos == len(p.src) || p.src[p.pos] != '{' {
		return None, nil
	}
	start := p.pos
	size := strings.IndexByte(p.src[start:], '}')
	if size < 0 {
		return None, p.fail(start, `"{" without "}"`)
	}
	p.pos += size + 1
	word := p.src[start+1 : start+size]
	var names []string
	for _, t := range types {
		if t.String() == word {
			return t, nil
		}
		names = append(names, t.String())
	}
	return None, p.fail(start, "unknown type {%s}; the types are {%s}%s", word, strings.Join(names, "}, {"), didYouMean(word, names))
}

func (p *parser) rest() (part, error) {
	start := p.pos
	p.pos++
	name := p.name()
	if name == "" {
		name = "*"
	}
	if p.pos < len(p.src) && p.src[p.pos] == '{' {
		return part{}, p.fail(p.pos, `a wildcard takes no type`)
	}
	return part{kind: restPart, text: name, pos: start}, p.claim(name, start)
}

func (p *parser) optional() (part, error) {
	start := p.pos
	if p.depth++; p.depth > maxDepth {
		return part{}, p.fail(start, "optional parts nest deeper than %d", maxDepth)
	}
	p.pos++
	parts, err := p.sequence()
	if err != nil {
		return part{}, err
	}
	if p.pos == len(p.src) {
		return part{}, p.fail(start, `"(" without ")"; write "\(" for the character itself`)
	}
	if len(parts) == 0 {
		return part{}, p.fail(start, "an optional part is empty")
	}
	p.pos++
	p.depth--
	return part{kind: optionalPart, parts: parts, pos: start}, nil
}

func (p *parser) escaped() (part, error) {
	start := p.pos
	if start+1 == len(p.src) || strings.IndexByte(special, p.src[start+1]) < 0 {
		return part{}, p.fail(start, `"\" stands only before one of %s`, special)
	}
	p.pos += 2
	return part{kind: textPart, text: p.src[start+1 : start+2], pos: start}, nil
}

// text reads up to the next special character. It is compared with the decoded path.
func (p *parser) text() (part, error) {
	start := p.pos
	for p.pos < len(p.src) {
		r, size := utf8.DecodeRuneInString(p.src[p.pos:])
		if strings.ContainsRune(special, r) {
			break
		}
		if r == utf8.RuneError && size == 1 {
			return part{}, p.fail(p.pos, "is not valid UTF-8")
		}
		if unicode.IsControl(r) {
			return part{}, p.fail(p.pos, "contains a control character; a path with one is always refused")
		}
		if r == '%' && len(p.src) > p.pos+2 && isHex(p.src[p.pos+1]) && isHex(p.src[p.pos+2]) {
			return part{}, p.fail(p.pos, "write the character itself instead of %q; a path is decoded before it is matched", p.src[p.pos:p.pos+3])
		}
		p.pos += size
	}
	return part{kind: textPart, text: p.src[start:p.pos], pos: start}, nil
}

// braces teaches our way to write what other routers write as {id}, {id:[0-9]+} or {rest...}.
func (p *parser) braces() error {
	start := p.pos
	size := strings.IndexByte(p.src[start:], '}')
	if size < 0 {
		return p.fail(start, `"{" without "}"; a parameter is ":id", with a type ":id{int}"`)
	}
	p.pos++
	name := p.name()
	written := p.src[start : start+size+1]
	switch {
	case name == "":
		return p.fail(start, `%q is no parameter; write ":id", with a type ":id{int}"`, written)
	case strings.HasSuffix(written, "...}"):
		return p.fail(start, `write "*%s" instead of %q`, name, written)
	case written == "{"+name+"}":
		return p.fail(start, `write ":%s" instead of %q`, name, written)
	}
	return p.fail(start, `write ":%s" instead of %q; a type follows as in ":%s{int}"`, name, written, name)
}

// question teaches our way to write an optional segment, "/:id?" elsewhere.
func (p *parser) question() error {
	after := p.src[p.pos+1:]
	if after != "" && after[0] != '/' && after[0] != ')' {
		return p.fail(p.pos, `a pattern matches only the path; leave out the query, or write "\?" for the character itself`)
	}
	slash := strings.LastIndexByte(p.src[:p.pos], '/')
	segment := p.src[slash:p.pos]
	if segment == "/" {
		return p.fail(p.pos, `"?" makes nothing optional; put the optional part in parentheses, as in "/posts(/:page)"`)
	}
	return p.fail(p.pos, `write "(%s)" instead of "%s?"`, segment, segment)
}
