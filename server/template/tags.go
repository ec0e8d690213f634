package template

import (
	"fmt"
	"strings"

	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/parser"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// tag is one "{% name args %}" while it is parsed.
type tag struct {
	c    *compiler
	name string
	line int
	body *parser.Parser // what follows the tag
	args *parser.Parser // what stands inside it
}

// tagNames are the tags an author can write.
var tagNames = []string{
	"autoescape", "block", "break", "call", "continue", "do", "extends", "filter", "for", "from",
	"if", "import", "include", "macro", "print", "raw", "set", "with",
}

// tags returns the parser of a tag.
func tags(name string) (parse func(*tag) (node, error), known bool) {
	switch name {
	case "autoescape":
		return parseAutoescape, true
	case "block":
		return parseBlock, true
	case "break", "continue":
		return parseJump, true
	case "call":
		return parseCall, true
	case "do":
		return parseDo, true
	case "extends":
		return parseExtends, true
	case "filter":
		return parseFilterBlock, true
	case "for":
		return parseFor, true
	case "from":
		return parseFrom, true
	case "if":
		return parseIf, true
	case "import":
		return parseImport, true
	case "include":
		return parseInclude, true
	case "macro":
		return parseMacro, true
	case "print":
		return parsePrint, true
	case "raw":
		return parseRaw, true
	case "set":
		return parseSet, true
	case "with":
		return parseWith, true
	}
	return nil, false
}

// expr parses an expression and checks the filters and tests it names.
func (t *tag) expr() (nodes.Expression, error) {
	return t.exprOf(t.args)
}

func (t *tag) exprOf(p *parser.Parser) (nodes.Expression, error) {
	e, err := p.ParseExpression()
	if err != nil {
		return nil, err
	}
	return e, t.c.verify(e)
}

// choice is "value if condition else other"; condition and other can be nil.
type choice struct {
	value, condition, other nodes.Expression
}

func (t *tag) choice() (choice, error) {
	var c choice
	var err error
	if c.value, err = t.expr(); err != nil || t.args.MatchName("if") == nil {
		return c, err
	}
	if c.condition, err = t.expr(); err != nil || t.args.MatchName("else") == nil {
		return c, err
	}
	c.other, err = t.expr()
	return c, err
}

// word takes a name such as "as" or fails.
func (t *tag) word(w string) error {
	if t.args.MatchName(w) == nil {
		return t.args.Error(fmt.Sprintf("%q expected", w), t.args.Current())
	}
	return nil
}

func (t *tag) ident(what string) (string, error) {
	name := t.args.Match(tokens.Name)
	if name == nil {
		return "", t.args.Error("the name of "+what+" expected", t.args.Current())
	}
	return name.Val, nil
}

// until compiles the body up to one of the end tags and returns which it was
// and a parser for its arguments.
func (t *tag) until(ends ...string) ([]statement, string, *parser.Parser, error) {
	w, args, err := t.body.WrapUntil(ends...)
	if err != nil {
		if s, ok := err.(*parser.SyntaxError); ok && strings.HasPrefix(s.Message, "Unexpected EOF") {
			err = t.c.unit.fail(t.line, fmt.Errorf("tag %q is not closed: {%% %s %%} is missing", t.name, ends[len(ends)-1]))
		}
		return nil, "", nil, err
	}
	return t.c.statements(w.Nodes), w.EndTag, args, nil
}

// closed is until for a tag with one end tag that takes no arguments.
func (t *tag) closed() ([]statement, error) {
	if err := t.finished(); err != nil {
		return nil, err
	}
	body, end, args, err := t.until("end" + t.name)
	if err != nil {
		return nil, err
	}
	if !args.End() {
		return nil, args.Error(fmt.Sprintf("tag %q takes no arguments", end), args.Current())
	}
	return body, nil
}

// finished reports what is left over in the tag, before its body is read.
func (t *tag) finished() error {
	if t.args.End() {
		return nil
	}
	return t.args.Error("this does not belong here", t.args.Current())
}

func parsePrint(t *tag) (node, error) {
	c, err := t.choice()
	return output{c}, err
}

func parseRaw(t *tag) (node, error) {
	body, err := t.closed()
	return group(body), err
}

func parseDo(t *tag) (node, error) {
	e, err := t.expr()
	return do{e}, err
}

func parseJump(t *tag) (node, error) {
	if t.c.loops == 0 {
		return nil, fmt.Errorf("%q stands outside of a loop", t.name)
	}
	return jump(t.name), nil
}

func parseAutoescape(t *tag) (node, error) {
	e, err := t.expr()
	if err != nil {
		return nil, err
	}
	body, err := t.closed()
	return autoescape{e, body}, err
}

func parseIf(t *tag) (node, error) {
	var n branches
	args := t.args
	for {
		condition, err := t.exprOf(args)
		if err != nil {
			return nil, err
		}
		if !args.End() {
			return nil, args.Error("this does not belong into a condition", args.Current())
		}
		body, end, endArgs, err := t.until("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		n.cases = append(n.cases, branch{condition, body})
		if end == "elif" {
			args = endArgs
			continue
		}
		if end == "else" {
			n.other, _, endArgs, err = t.until("endif")
		}
		if err == nil && !endArgs.End() {
			err = endArgs.Error(fmt.Sprintf("tag %q takes no arguments", end), endArgs.Current())
		}
		return n, err
	}
}

func parseFor(t *tag) (node, error) {
	n := &loop{}
	for {
		name, err := t.ident("a loop variable")
		if err != nil {
			return nil, err
		}
		n.names = append(n.names, name)
		if t.args.Match(tokens.Comma) == nil {
			break
		}
	}
	if t.args.Match(tokens.In) == nil {
		return nil, t.args.Error(`"in" expected`, t.args.Current())
	}
	var err error
	if n.over, err = t.expr(); err != nil {
		return nil, err
	}
	if t.args.MatchName("if") != nil {
		if n.filter, err = t.expr(); err != nil {
			return nil, err
		}
	}
	n.recursive = t.args.MatchName("recursive") != nil
	if err := t.finished(); err != nil {
		return nil, err
	}
	t.c.loops++
	body, end, args, err := t.until("else", "endfor")
	t.c.loops--
	if err != nil {
		return nil, err
	}
	n.body = body
	if end == "else" {
		n.empty, _, args, err = t.until("endfor")
	}
	if err == nil && !args.End() {
		err = args.Error(fmt.Sprintf("tag %q takes no arguments", end), args.Current())
	}
	return n, err
}

func parseSet(t *tag) (node, error) {
	n := &set{}
	for {
		name, err := t.ident("a variable")
		if err != nil {
			return nil, err
		}
		n.names = append(n.names, name)
		if t.args.Match(tokens.Comma) == nil {
			break
		}
	}
	var err error
	if len(n.names) == 1 && t.args.Match(tokens.Dot) != nil {
		if n.field, err = t.ident("a field"); err != nil {
			return nil, err
		}
	}
	if t.args.Match(tokens.Assign) != nil {
		n.choice, err = t.choice()
		return n, err
	}
	if len(n.names) > 1 || n.field != "" {
		return nil, t.args.Error(`"=" expected`, t.args.Current())
	}
	if t.args.Match(tokens.Pipe) != nil {
		if n.filters, err = t.filters(); err != nil {
			return nil, err
		}
	}
	n.body, err = t.closed()
	return n, err
}

// filters parses "upper|trim(...)".
func (t *tag) filters() ([]*nodes.FilterCall, error) {
	var list []*nodes.FilterCall
	for {
		f, err := t.args.ParseFilter()
		if err != nil {
			return nil, err
		}
		if err := t.c.verifyFilter(f); err != nil {
			return nil, err
		}
		list = append(list, f)
		if t.args.Match(tokens.Pipe) == nil {
			return list, nil
		}
	}
}

func parseFilterBlock(t *tag) (node, error) {
	filters, err := t.filters()
	if err != nil {
		return nil, err
	}
	body, err := t.closed()
	return filterBlock{filters, body}, err
}

func parseWith(t *tag) (node, error) {
	n := &with{}
	for !t.args.End() {
		name, err := t.ident("a variable")
		if err != nil {
			return nil, err
		}
		if t.args.Match(tokens.Assign) == nil {
			return nil, t.args.Error(`"=" expected`, t.args.Current())
		}
		value, err := t.expr()
		if err != nil {
			return nil, err
		}
		n.names, n.values = append(n.names, name), append(n.values, value)
		if t.args.Match(tokens.Comma) == nil {
			break
		}
	}
	var err error
	n.body, err = t.closed()
	return n, err
}
