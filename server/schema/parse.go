package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ParseField parses the spec of the field called name. The error is a [*SyntaxError].
func ParseField(name, spec string) (*Field, error) {
	return ParseNested(name, spec, nil)
}

// ParseNested is [ParseField] for a spec whose innermost type is object, which gets the members of o:
// "object", "object?", "[object] 1..50". A nil o means any members.
func ParseNested(name, spec string, o *Object) (*Field, error) {
	p := &parser{field: name, spec: spec, object: o}
	f, err := p.parse()
	if err != nil {
		return nil, err
	}
	return f, nil
}

// wordEnd are the characters that end a bare word.
const wordEnd = " \t\r\n?=|[],'\""

type parser struct {
	field, spec string
	pos         int
	object      *Object
}

func (p *parser) parse() (*Field, error) {
	if p.field == "" {
		return nil, p.fail(0, "the field has no name")
	}
	if !isText(p.field) || !isText(p.spec) {
		return nil, p.fail(0, "name and spec must be valid UTF-8 without NUL")
	}
	f, err := p.value(1)
	if err != nil {
		return nil, err
	}
	f.Name = p.field
	f.Optional = p.accept('?')
	if at := p.pos; p.accept('=') {
		if err := p.defaultValue(f, at); err != nil {
			return nil, err
		}
	}
	if p.peek() != 0 {
		return nil, p.trailing(f)
	}
	return f, nil
}

// value parses a type with its format and range; depth counts the brackets around it.
func (p *parser) value(depth int) (*Field, error) {
	var f *Field
	var err error
	if at := p.start(); p.accept('[') {
		f, err = p.list(at, depth)
	} else {
		f, err = p.scalar()
	}
	if err != nil {
		return nil, err
	}
	if err := p.bounds(f); err != nil {
		return nil, err
	}
	f.blank = f.acceptsBlank()
	return f, nil
}

func (p *parser) list(at, depth int) (*Field, error) {
	if depth >= MaxDepth {
		return nil, p.fail(at, "lists are nested deeper than %d", MaxDepth)
	}
	items, err := p.value(depth + 1)
	if err != nil {
		return nil, err
	}
	if !p.accept(']') {
		return nil, p.unclosed(items, at)
	}
	return &Field{Type: TypeList, Items: items, info: listInfo}, nil
}

func (p *parser) unclosed(items *Field, at int) error {
	switch p.peek() {
	case '?':
		return p.fail(p.pos, `the items of a list cannot be optional; for an optional list put "?" after "]"`)
	case '=':
		return p.fail(p.pos, `the items of a list have no default; put the default of the list after "]": = [a, b]`)
	case 0:
		return p.fail(at, `"[" without "]"`)
	}
	return p.trailing(items)
}

func (p *parser) scalar() (*Field, error) {
	at := p.start()
	name, _, _ := strings.Cut(p.peekWord(), "/") // a pattern may follow at once
	p.pos += len(name)
	info := types[Type(name)]
	if info == nil {
		return nil, p.unknownType(at, name)
	}
	f := &Field{Type: Type(name), info: info}
	if p.object != nil && f.Type != TypeObject {
		return nil, p.fail(at, `it has members, so its type must be "object" or "[object]", not %q`, name)
	}
	f.Object = p.object
	switch f.Type {
	case TypeString:
		return f, p.pattern(f)
	case TypeEnum:
		return f, p.choices(f)
	case TypeFile:
		return f, p.media(f)
	}
	return f, nil
}

func (p *parser) unknownType(at int, name string) error {
	switch {
	case name == "" && p.peek() == 0:
		return p.fail(at, `a type is missing, such as "string 1..80" or "int"`)
	case name == "":
		return p.fail(at, `a spec starts with its type, such as "string 1..80" or "int?"; found %q`, p.rest())
	case elsewhere[name] != "":
		return p.fail(at, "unknown type %q (did you mean %q?)", name, elsewhere[name])
	case strings.Contains(name, ".."):
		return p.fail(at, `the type comes before the range: "int %s"`, name)
	}
	names := typeNames()
	hint := didYouMean(name, slices.Values(names))
	if hint == "" {
		hint = "; types are " + strings.Join(names, ", ") + " and [T] for lists"
	}
	return p.fail(at, "unknown type %q%s", name, hint)
}

func (p *parser) pattern(f *Field) error {
	at := p.start()
	if !p.accept('/') {
		return nil
	}
	var b strings.Builder
	for ; p.pos < len(p.spec) && p.spec[p.pos] != '/'; p.pos++ {
		if p.spec[p.pos] == '\\' && p.pos+1 < len(p.spec) {
			if p.pos++; p.spec[p.pos] != '/' {
				b.WriteByte('\\')
			}
		}
		b.WriteByte(p.spec[p.pos])
	}
	if !p.acceptHere('/') {
		return p.fail(at, `the pattern has no closing "/"`)
	}
	if b.Len() == 0 {
		return p.fail(at, "the pattern is empty; leave it out to accept any text")
	}
	re, err := regexp.Compile(b.String())
	if err != nil {
		return p.fail(at, "pattern: %s (patterns are RE2, see https://github.com/google/re2/wiki/Syntax)",
			strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	f.Pattern, f.pattern = b.String(), re
	return nil
}

func (p *parser) choices(f *Field) error {
	for {
		at := p.start()
		choice, err := p.choice()
		if err != nil {
			return err
		}
		if slices.Contains(f.Enum, choice) {
			return p.fail(at, "the enum has %q twice", choice)
		}
		f.Enum = append(f.Enum, choice)
		if !p.accept('|') {
			return nil
		}
	}
}

func (p *parser) choice() (string, error) {
	at := p.start()
	if c := p.peek(); c == '\'' || c == '"' {
		return p.quoted()
	}
	word := p.word()
	switch {
	case word == "" && at > 0 && strings.HasSuffix(strings.TrimRight(p.spec[:at], wordSpace), "|"):
		return "", p.fail(at, `a value is missing after "|"; the empty text is ''`)
	case word == "":
		return "", p.fail(at, `an enum needs its values: "enum a|b|c"`)
	case strings.Contains(word, ".."):
		return "", p.fail(at, `an enum lists its values: "enum a|b|c"; for a range use "int %s", or quote the value`, word)
	}
	return word, nil
}

func (p *parser) media(f *Field) error {
	for {
		at := p.start()
		word := p.peekWord()
		if len(f.MediaTypes) == 0 && (word == "" || looksLikeRange(word)) {
			return nil
		}
		p.pos += len(word)
		kind, sub, ok := strings.Cut(strings.ToLower(word), "/")
		if !ok || !isMediaName(kind) || sub != "*" && !isMediaName(sub) {
			return p.fail(at, `%q is not a media type such as "image/png" or "image/*"`, word)
		}
		f.MediaTypes = append(f.MediaTypes, kind+"/"+sub)
		if !p.accept('|') {
			return nil
		}
	}
}

// isMediaName is a restricted-name of RFC 6838 §4.2.
func isMediaName(s string) bool {
	if s == "" || len(s) > 127 || !isAlnum(s[0]) {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte("!#$&-^_.+", s[i]) < 0 {
			return false
		}
	}
	return true
}

// trailing explains what stands behind a complete spec.
func (p *parser) trailing(f *Field) error {
	at := p.start()
	switch word := p.peekWord(); {
	case p.peek() == ']':
		return p.fail(at, `"]" without "["`)
	case p.peek() == '?' && f.HasDefault:
		return p.fail(at, `"?" comes before the default, and a field with a default needs none`)
	case p.peek() == '?':
		return p.fail(at, `one "?" is enough`)
	case f.HasDefault:
		return p.fail(at, "%q after the default; quote a default that has white space or quotes in it", p.rest())
	case p.peek() == '[':
		return p.fail(at, "a list is written with its items' type in brackets: [%s]", f)
	case p.peek() == '/' && f.Type == TypeString:
		return p.fail(at, "one pattern, and before the range: string /^[a-z]+$/ 1..20")
	case p.peek() == '/':
		return p.fail(at, "only a string has a pattern: string %s", p.rest())
	case looksLikeRange(word) && (f.Min != "" || f.Max != ""):
		return p.fail(at, "a second range %q", word)
	case looksLikeRange(word):
		return p.fail(at, `the range %q comes before "?"`, word)
	case f.Type == TypeEnum:
		return p.fail(at, `%q after the values; separate values with "|" and quote those with white space`, p.rest())
	case f.Type == TypeFile && p.peek() == ',':
		return p.fail(at, `separate media types with "|": file image/png|image/jpeg`)
	case strings.ContainsAny(word[:min(len(word), 1)], "<>"):
		return p.fail(at, `a range is written "1.." (at least 1), "..5" (at most 5) or "1..5"`)
	case word == "optional" || word == "nullable" || word == "null":
		return p.fail(at, `%q is written "?"`, word)
	case word == "default":
		return p.fail(at, `a default is written "= value"`)
	case word == "required":
		return p.fail(at, `every field without "?" and default is required; leave %q out`, word)
	}
	return p.fail(at, `unexpected %q; the order is: type [format] [min..max] [?] [= default]`, p.rest())
}

const wordSpace = " \t\r\n"

// start skips white space and is the position after it.
func (p *parser) start() int {
	p.pos = len(p.spec) - len(strings.TrimLeft(p.spec[p.pos:], wordSpace))
	return p.pos
}

// peek is the next character after white space, 0 at the end.
func (p *parser) peek() byte {
	if p.start() == len(p.spec) {
		return 0
	}
	return p.spec[p.pos]
}

func (p *parser) accept(c byte) bool {
	p.start()
	return p.acceptHere(c)
}

func (p *parser) acceptHere(c byte) bool {
	if p.pos == len(p.spec) || p.spec[p.pos] != c {
		return false
	}
	p.pos++
	return true
}

func (p *parser) peekWord() string {
	rest := p.spec[p.start():]
	if i := strings.IndexAny(rest, wordEnd); i >= 0 {
		return rest[:i]
	}
	return rest
}

func (p *parser) word() string {
	w := p.peekWord()
	p.pos += len(w)
	return w
}

func (p *parser) rest() string { return strings.TrimRight(p.spec[p.pos:], wordSpace) }

func (p *parser) fail(at int, format string, args ...any) error {
	return &SyntaxError{p.field, p.spec, at, fmt.Sprintf(format, args...)}
}
