package template

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

func parseBlock(t *tag) (node, error) {
	name, err := t.ident("the block")
	if err != nil {
		return nil, err
	}
	required := false
	for t.args.Current(tokens.Name) != nil {
		switch w := t.args.Pop().Val; w {
		case "scoped": // a block sees the variables around it in any case
		case "required":
			required = true
		default:
			return nil, fmt.Errorf("a block is \"scoped\" or \"required\", not %q", w)
		}
	}
	if _, taken := t.c.unit.blocks[name]; taken {
		return nil, fmt.Errorf("there is another block %q in this file", name)
	}
	t.c.unit.blocks[name] = nil // a block of the same name inside is refused
	if err := t.finished(); err != nil {
		return nil, err
	}
	loops := t.c.loops
	t.c.loops = 0
	body, _, args, err := t.until("endblock")
	t.c.loops = loops
	if err != nil {
		return nil, err
	}
	if end := args.Match(tokens.Name); end != nil && end.Val != name {
		return nil, fmt.Errorf("block %q ends with the name %q", name, end.Val)
	}
	if !args.End() {
		return nil, args.Error("this does not belong here", args.Current())
	}
	t.c.unit.blocks[name] = body
	return &block{name, required}, nil
}

// reference is how extends, include and import name a template.
type reference struct {
	line int
	name nodes.Expression
}

// template parses the name of another file and notes literal ones for Check.
func (t *tag) template() (*reference, error) {
	e, err := t.expr()
	if err != nil {
		return nil, err
	}
	if s, ok := e.(*nodes.String); ok {
		t.c.unit.refs = append(t.c.unit.refs, literal{name: s.Val, line: t.line})
	}
	return &reference{t.line, e}, nil
}

func parseExtends(t *tag) (node, error) {
	if t.c.unit.extends != nil {
		return nil, errors.New("a template extends one other, and this is its second extends")
	}
	var err error
	t.c.unit.extends, err = t.template()
	return nil, err
}

// context parses "with context" and "without context".
func (t *tag) context() (without bool, err error) {
	switch {
	case t.args.MatchName("with") != nil:
		return false, t.word("context")
	case t.args.MatchName("without") != nil:
		return true, t.word("context")
	}
	return false, nil
}

func parseInclude(t *tag) (node, error) {
	refs := len(t.c.unit.refs)
	ref, err := t.template()
	if err != nil {
		return nil, err
	}
	n := &include{ref: ref}
	if t.args.MatchName("ignore") != nil {
		if err := t.word("missing"); err != nil {
			return nil, err
		}
		n.optional = true
		for i := range t.c.unit.refs[refs:] {
			t.c.unit.refs[refs+i].optional = true
		}
	}
	n.without, err = t.context()
	return n, err
}

func parseImport(t *tag) (node, error) {
	ref, err := t.template()
	if err != nil {
		return nil, err
	}
	if err := t.word("as"); err != nil {
		return nil, err
	}
	n := &importing{ref: ref}
	if n.as, err = t.ident("the import"); err != nil {
		return nil, err
	}
	n.without, err = t.context()
	return n, err
}

func parseFrom(t *tag) (node, error) {
	ref, err := t.template()
	if err != nil {
		return nil, err
	}
	if err := t.word("import"); err != nil {
		return nil, err
	}
	n := &importing{ref: ref}
	for {
		name, err := t.ident("a macro")
		if err != nil {
			return nil, err
		}
		as := name
		if t.args.MatchName("as") != nil {
			if as, err = t.ident("a macro"); err != nil {
				return nil, err
			}
		}
		n.names = append(n.names, [2]string{name, as})
		if t.args.Match(tokens.Comma) == nil {
			break
		}
	}
	n.without, err = t.context()
	return n, err
}

// parameters parses "a, b=1, *rest, **named)" after the opening parenthesis.
func (t *tag) parameters(m *macro) error {
	for t.args.Match(tokens.RightParenthesis) == nil {
		var target *string
		switch {
		case t.args.Match(tokens.Multiply) != nil:
			target = &m.rest
		case t.args.Match(tokens.Power) != nil:
			target = &m.named
		}
		name, err := t.ident("a parameter")
		if err != nil {
			return err
		}
		if target != nil {
			*target = name
		} else if err := t.parameter(m, name); err != nil {
			return err
		}
		if t.args.Match(tokens.Comma) == nil && t.args.Current(tokens.RightParenthesis) == nil {
			return t.args.Error(`"," or ")" expected`, t.args.Current())
		}
	}
	return nil
}

func (t *tag) parameter(m *macro, name string) error {
	if slices.ContainsFunc(m.params, func(p param) bool { return p.name == name }) {
		return fmt.Errorf("parameter %q is there twice", name)
	}
	p := param{name: name}
	var err error
	if t.args.Match(tokens.Assign) != nil {
		p.value, err = t.expr()
	}
	m.params = append(m.params, p)
	return err
}

func parseMacro(t *tag) (node, error) {
	m := &macro{line: t.line, unit: t.c.unit}
	var err error
	if m.name, err = t.ident("the macro"); err != nil {
		return nil, err
	}
	if t.args.Match(tokens.LeftParenthesis) == nil {
		return nil, t.args.Error(`"(" expected`, t.args.Current())
	}
	if err := t.parameters(m); err != nil {
		return nil, err
	}
	return m, t.macroBody(m)
}

func (t *tag) macroBody(m *macro) (err error) {
	loops := t.c.loops
	t.c.loops = 0
	m.body, err = t.closed()
	t.c.loops = loops
	return err
}

func parseCall(t *tag) (node, error) {
	n := &callBlock{caller: &macro{name: "caller", line: t.line, unit: t.c.unit}}
	if t.args.Match(tokens.LeftParenthesis) != nil {
		if err := t.parameters(n.caller); err != nil {
			return nil, err
		}
	}
	e, err := t.expr()
	if err != nil {
		return nil, err
	}
	call, ok := e.(*nodes.Call)
	if !ok {
		return nil, errors.New("tag \"call\" wants the call of a macro, such as {% call box() %}")
	}
	n.call = call
	return n, t.macroBody(n.caller)
}
