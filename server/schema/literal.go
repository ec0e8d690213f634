package schema

import "strings"

// defaultValue parses what stands after the "=" at position at.
func (p *parser) defaultValue(f *Field, at int) error {
	innermost := f
	for innermost.Type == TypeList {
		innermost = innermost.Items
	}
	switch innermost.Type {
	case TypeFile, TypeObject, TypeAny:
		return p.fail(at, `a field of type %s has no default; write "?" and decide in the handler`, innermost.Type)
	}
	v, err := p.literal(f, wordSpace)
	if err != nil {
		return err
	}
	f.Default, f.HasDefault, f.Optional = v, true, false
	return nil
}

// literal parses one value for f; end are the characters that end a bare word.
func (p *parser) literal(f *Field, end string) (any, error) {
	at := p.start()
	switch c := p.peek(); {
	case f.Type == TypeList && c == '[':
		return p.listLiteral(f, at)
	case f.Type == TypeList:
		return nil, p.fail(at, "the default of a list is a list: = [a, b], or = []")
	case c == 0:
		return nil, p.fail(at, "a value is missing; the empty text is ''")
	}
	s, quoted, err := p.scalarLiteral(end)
	if err != nil {
		return nil, err
	}
	if s == "" && !quoted {
		return nil, p.fail(at, "a value is missing before %q; the empty text is ''", p.rest())
	}
	if quoted && !isTextual(f.Type) {
		return nil, p.fail(at, `the default of %s is not a text; leave the quotes out`, f.Type)
	}
	v, problem := f.fromText(s)
	if problem.code != "" {
		return nil, p.fail(at, "the default %s", problem.message)
	}
	return v, nil
}

func isTextual(t Type) bool { return t != TypeInt && t != TypeNumber && t != TypeBool }

func (p *parser) scalarLiteral(end string) (s string, quoted bool, err error) {
	if c := p.peek(); c == '\'' || c == '"' {
		s, err = p.quoted()
		return s, true, err
	}
	rest := p.spec[p.pos:]
	if i := strings.IndexAny(rest, end); i >= 0 {
		rest = rest[:i]
	}
	p.pos += len(rest)
	return rest, false, nil
}

func (p *parser) listLiteral(f *Field, at int) (any, error) {
	list := []any{}
	p.accept('[')
	for p.peek() != ']' {
		v, err := p.literal(f.Items, wordSpace+",]'\"")
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if p.accept(',') || p.peek() == ']' {
			continue
		}
		if p.peek() == 0 {
			return nil, p.fail(at, `"[" without "]"`)
		}
		return nil, p.fail(p.pos, `%q in a list of values: separate them with "," and quote those with white space`, p.rest())
	}
	p.accept(']')
	if problem := f.count(len(list)); problem.code != "" {
		return nil, p.fail(at, "the default %s", problem.message)
	}
	return list, nil
}

// quoted parses a quoted text.
func (p *parser) quoted() (string, error) {
	at := p.pos
	quote := p.spec[at]
	var b strings.Builder
	for p.pos++; p.pos < len(p.spec); p.pos++ {
		c := p.spec[p.pos]
		switch {
		case c == quote:
			p.pos++
			return b.String(), nil
		case c != '\\':
		case p.pos+1 < len(p.spec) && strings.IndexByte(`'"\`, p.spec[p.pos+1]) >= 0:
			p.pos++
			c = p.spec[p.pos]
		default:
			return "", p.fail(p.pos, `a backslash in quotes stands before a quote or a backslash; write "\\" for one`)
		}
		b.WriteByte(c)
	}
	return "", p.fail(at, "the quote is not closed")
}
