package template

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/parser"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// maxBrackets bounds how deep expressions nest: the parser recurses.
const maxBrackets = 100

// statement is a piece of a template that can be executed.
type statement struct {
	line int
	node node
}

// node is what a tag or a stretch of text compiles to. Nodes do not change once
// compiled, so one template can render in many goroutines.
type node interface {
	exec(f *frame) error
}

// compiler turns the source of one file into a unit. It is the set of tags that
// gonja's parser asks for.
type compiler struct {
	unit  *unit
	loops int // for tags around the current one, in this macro
}

// compile parses source. It fails with an [*Error] and never panics.
func compile(name, source string) (u *unit, err error) {
	source = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(source)
	c := &compiler{unit: &unit{name: name, source: source, escape: escapes(name), blocks: map[string][]statement{}}}
	defer func() {
		if p := recover(); p != nil {
			u, err = nil, c.unit.fail(1, fmt.Errorf("the parser cannot read this template: %v", p))
		}
	}()
	stream, err := c.lex(source)
	if err != nil {
		return nil, err
	}
	tree, err := parser.NewParser(name, stream, settings, nil, c).Parse()
	if err != nil {
		return nil, c.fail(err, 1)
	}
	c.unit.body = c.statements(tree.Nodes)
	return c.unit, nil
}

var settings = config.New()

// fail gives an error of the parser its file and line.
func (c *compiler) fail(err error, line int) error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	message, line := syntax(err, line)
	return c.unit.fail(line, errors.New(message))
}

// lex splits the source into tokens and mends what the lexer gets wrong: it
// skips over characters it does not know, takes keywords before a line break
// for names, and counts no line for its own errors. "{{ x }}" becomes the tag
// "print", so that output, too, is a node of ours with a line.
func (c *compiler) lex(source string) (*tokens.Stream, error) {
	var list []*tokens.Token
	depth, end := 0, 0
	for in := tokens.LexAll(source, settings); ; in.Next() {
		t := in.Current()
		if gap := strings.TrimLeft(source[end:max(end, min(t.Pos, len(source)))], " \t\n"); gap != "" && t.Type != tokens.Error {
			return nil, c.unexpected(t.Pos-len(gap), gap)
		}
		end = ending(source, t)
		switch t.Type {
		case tokens.EOF:
			return tokens.NewStream(append(list, t)), nil
		case tokens.Error:
			return nil, c.lexError(t)
		case tokens.Data, tokens.String, tokens.CommentBegin, tokens.CommentEnd, tokens.BlockBegin, tokens.BlockEnd:
			list = append(list, t)
			continue
		case tokens.VariableBegin:
			t.Type = tokens.BlockBegin
			list = append(list, t, &tokens.Token{Type: tokens.Name, Val: "print", Pos: t.Pos, Line: t.Line, Col: t.Col})
			continue
		case tokens.VariableEnd:
			t.Type = tokens.BlockEnd
			list = append(list, t)
			continue
		case tokens.LeftBrace, tokens.LeftBracket, tokens.LeftParenthesis:
			depth++
		case tokens.RightBrace, tokens.RightBracket, tokens.RightParenthesis:
			depth--
		}
		if depth > maxBrackets {
			return nil, c.unit.fail(t.Line, fmt.Errorf("brackets nest more than %d deep", maxBrackets))
		}
		if err := c.mend(t, list); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
}

// keywords are names with a token of their own.
var keywords = map[string]tokens.Type{"and": tokens.And, "or": tokens.Or, "not": tokens.Not, "in": tokens.In, "is": tokens.Is}

func (c *compiler) mend(t *tokens.Token, before []*tokens.Token) error {
	skipped := len(t.Val) - len(strings.TrimLeft(t.Val, "\n \t"))
	t.Line += strings.Count(t.Val[:skipped], "\n")
	t.Val = t.Val[skipped:]
	odd := func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && (t.Type == tokens.Name || !strings.ContainsRune("+-*/%<>=!()[]{},|~:.", r))
	}
	if i := strings.IndexFunc(t.Val, odd); i >= 0 {
		return c.unexpected(t.Pos+skipped+i, t.Val[i:])
	}
	if keyword, ok := keywords[t.Val]; ok && t.Type == tokens.Name && (len(before) == 0 || before[len(before)-1].Type != tokens.Dot) {
		t.Type = keyword
	}
	return nil
}

// ending is the offset behind a token. The value of a string is not its source.
func ending(source string, t *tokens.Token) int {
	if t.Type != tokens.String {
		return t.Pos + len(t.Val)
	}
	i := t.Pos + 1
	for i < len(source) && (source[i] != source[t.Pos] || source[i-1] == '\\' && i > t.Pos+1) {
		i++
	}
	return min(i+1, len(source))
}

func (c *compiler) unexpected(at int, rest string) error {
	r, _ := utf8.DecodeRuneInString(rest)
	line := 1 + strings.Count(c.unit.source[:at], "\n")
	return c.unit.fail(line, fmt.Errorf("unexpected character %q in an expression", r))
}

func (c *compiler) lexError(t *tokens.Token) error {
	line := 1 + strings.Count(c.unit.source[:min(t.Pos, len(c.unit.source))], "\n")
	message := t.Val
	switch {
	case strings.HasPrefix(message, "Un"), strings.HasPrefix(message, "un"), strings.HasPrefix(message, "invalid"), strings.HasPrefix(message, "two"):
		message = plain(message)
	default:
		message = fmt.Sprintf("a string is not closed, near %q", shorten(message, 40))
	}
	return c.unit.fail(line, errors.New(message))
}

// Get returns the parser of a tag, as gonja's parser wants it.
func (c *compiler) Get(name string) (parser.ControlStructureParser, bool) {
	parse, known := tags(name)
	return func(p, args *parser.Parser) (nodes.ControlStructure, error) {
		line := max(args.Current().Line, 1)
		if at := p.Current(); args.End() && at != nil && at.Line > 0 {
			line = at.Line
		}
		if !known {
			return nil, c.unit.fail(line, unknownTag(name))
		}
		t := &tag{c: c, name: name, line: line, body: p, args: args}
		n, err := parse(t)
		if err == nil && !args.End() {
			err = args.Error("this does not belong here", args.Current())
		}
		if err != nil {
			return nil, c.fail(err, line)
		}
		return compiled{line, n}, nil
	}, true
}

func unknownTag(name string) error {
	if name == "else" || name == "elif" || strings.HasPrefix(name, "end") {
		return fmt.Errorf("tag %q stands without its opening tag", name)
	}
	if near := closest(name, tagNames); near != "" {
		return fmt.Errorf("unknown tag %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown tag %q; there are %s", name, strings.Join(tagNames, ", "))
}

// compiled carries a node of ours through gonja's tree.
type compiled struct {
	line int
	node node
}

// String is part of gonja's node interface.
func (c compiled) String() string { return fmt.Sprintf("tag at line %d", c.line) }

// Position is part of gonja's node interface.
func (c compiled) Position() *tokens.Token { return &tokens.Token{Line: c.line} }

// statements takes our nodes out of gonja's tree and joins stretches of text.
func (c *compiler) statements(tree []nodes.Node) []statement {
	var list []statement
	for _, n := range tree {
		switch n := n.(type) {
		case *nodes.Data:
			if s := trimmed(n); s != "" {
				list = append(list, statement{n.Data.Line, text(s)})
			}
		case *nodes.ControlStructureBlock:
			if s, ok := n.ControlStructure.(compiled); ok && s.node != nil {
				list = append(list, statement(s))
			}
		}
	}
	return list
}

// trimmed applies the "-" of the tags around a stretch of text.
func trimmed(n *nodes.Data) string {
	s := n.Data.Val
	if n.Trim.Left {
		s = strings.TrimLeft(s, " \r\n\t")
	}
	if n.Trim.Right {
		s = strings.TrimRight(s, " \r\n\t")
	}
	return s
}
