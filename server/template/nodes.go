package template

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/nodes"
)

// text is what stands between tags.
type text string

func (t text) exec(f *frame) error { return f.out.write(string(t)) }

// group is a body without a scope of its own.
type group []statement

func (g group) exec(f *frame) error { return f.statements(g) }

// output is {{ value if condition else other }}.
type output struct{ choice }

func (o output) exec(f *frame) error {
	v, err := f.choose(o.choice)
	if err != nil || v == nil {
		return err
	}
	s, err := f.print(v)
	if err != nil {
		return err
	}
	return f.out.write(s)
}

// choose evaluates a choice.
func (f *frame) choose(c choice) (*exec.Value, error) {
	if c.condition == nil {
		return f.eval(c.value)
	}
	yes, err := f.eval(c.condition)
	switch {
	case err != nil:
		return nil, err
	case yes.IsTrue():
		return f.eval(c.value)
	case c.other != nil:
		return f.eval(c.other)
	}
	return exec.AsValue(nil), nil
}

type do struct{ expr nodes.Expression }

func (d do) exec(f *frame) error {
	_, err := f.eval(d.expr)
	return err
}

type jump string

func (j jump) exec(*frame) error {
	if j == "break" {
		return errBreak
	}
	return errContinue
}

type autoescape struct {
	on   nodes.Expression
	body []statement
}

func (a autoescape) exec(f *frame) error {
	on, err := f.eval(a.on)
	if err != nil {
		return err
	}
	sub := *f
	sub.escape = on.IsTrue()
	return sub.statements(a.body)
}

type branch struct {
	condition nodes.Expression
	body      []statement
}

// branches is if, elif, else. It has no scope of its own.
type branches struct {
	cases []branch
	other []statement
}

func (b branches) exec(f *frame) error {
	for _, c := range b.cases {
		yes, err := f.eval(c.condition)
		if err != nil {
			return err
		}
		if yes.IsTrue() {
			return f.statements(c.body)
		}
	}
	return f.statements(b.other)
}

// set is {% set a, b = value %}, {% set space.field = value %} or, with a
// body, {% set a %}…{% endset %}.
type set struct {
	names   []string
	field   string
	choice  choice
	filters []*nodes.FilterCall
	body    []statement
}

func (s *set) exec(f *frame) error {
	v, err := s.value(f)
	if err != nil {
		return err
	}
	if s.field != "" {
		space, ok := f.scope.get(s.names[0]).Interface().(*namespace)
		if !ok {
			return fmt.Errorf("%s is no namespace: only the fields of one can be set, as in {%% set %s = namespace() %%}", s.names[0], s.names[0])
		}
		space.fields[s.field] = v
		return nil
	}
	return f.scope.assign(s.names, v)
}

func (s *set) value(f *frame) (*exec.Value, error) {
	if s.choice.value != nil {
		return f.choose(s.choice)
	}
	v, err := f.capture(s.body)
	if err != nil {
		return nil, err
	}
	return f.filter(v, s.filters)
}

// assign sets one name, or one for each element of a list.
func (s *scope) assign(names []string, v *exec.Value) error {
	if len(names) == 1 {
		s.set(names[0], v)
		return nil
	}
	parts, err := items(v)
	if err != nil || !v.IsList() || len(parts) != len(names) {
		return fmt.Errorf("%d names want a list of as many values, this is %s", len(names), kind(v))
	}
	for i, name := range names {
		s.set(name, parts[i])
	}
	return nil
}

type with struct {
	names  []string
	values []nodes.Expression
	body   []statement
}

func (w *with) exec(f *frame) error {
	sub := *f
	sub.scope = f.scope.child()
	for i, name := range w.names {
		v, err := f.eval(w.values[i])
		if err != nil {
			return err
		}
		sub.scope.set(name, v)
	}
	return sub.statements(w.body)
}

type filterBlock struct {
	filters []*nodes.FilterCall
	body    []statement
}

func (b filterBlock) exec(f *frame) error {
	v, err := f.capture(b.body)
	if err != nil {
		return err
	}
	if v, err = f.filter(v, b.filters); err != nil {
		return err
	}
	s, err := f.print(v)
	if err != nil {
		return err
	}
	return f.out.write(s)
}

type block struct {
	name     string
	required bool
}

// exec runs the most derived definition. In a page that extends another, a
// block only defines.
func (b *block) exec(f *frame) error {
	if f.out.drop && f.unit.extends != nil {
		return nil
	}
	return f.block(b, 0)
}

// block executes the definition of b found at or after position i of the chain.
func (f *frame) block(b *block, i int) error {
	for ; i < len(f.chain); i++ {
		body, ok := f.chain[i].blocks[b.name]
		if !ok {
			continue
		}
		if b.required && i == len(f.chain)-1 {
			return fmt.Errorf("block %q is required: a template that extends %q must define it", b.name, f.chain[i].name)
		}
		sub := *f
		sub.unit = f.chain[i]
		sub.scope = f.scope.child()
		sub.scope.set("super", exec.AsValue(f.super(b, i+1)))
		return f.run.deeper(func() error { return sub.statements(body) })
	}
	return nil
}

// super renders the definition that the current one replaces.
func (f *frame) super(b *block, i int) function {
	return func([]*exec.Value, map[string]*exec.Value) (*exec.Value, error) {
		sub := *f
		sub.out = &buffer{limit: f.run.engine.opts.MaxOutput}
		if err := sub.block(&block{name: b.name}, i); err != nil {
			return nil, err
		}
		return f.captured(sub.out)
	}
}

// self answers self.name() with the output of a block.
type self struct{ f *frame }

func (s self) field(name string) *exec.Value {
	if !s.f.defines(name) {
		return nil
	}
	return exec.AsValue(s.f.super(&block{name: name}, 0))
}

func (f *frame) defines(block string) bool {
	for _, u := range f.chain {
		if _, ok := u.blocks[block]; ok {
			return true
		}
	}
	return false
}

type include struct {
	ref      *reference
	optional bool
	without  bool
}

func (n *include) exec(f *frame) error {
	u, err := f.other(n.ref)
	if err != nil {
		if n.optional && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	sub := f.enter(u, n.without)
	sub.chain = nil
	return sub.page(u)
}

// importing is {% import file as as %} or {% from file import names %}.
type importing struct {
	ref     *reference
	as      string
	names   [][2]string // in the file, here
	without bool
}

func (n *importing) exec(f *frame) error {
	u, err := f.other(n.ref)
	if err != nil {
		return err
	}
	names, err := f.module(u, n.without)
	if err != nil {
		return err
	}
	if n.as != "" {
		f.scope.set(n.as, exec.AsValue(names))
		return nil
	}
	for _, name := range n.names {
		v, ok := names[name[0]]
		if !ok {
			return fmt.Errorf("template %q has no %q%s", u.name, name[0], instead(name[0], sortedKeys(names)))
		}
		f.scope.set(name[1], value(v))
	}
	return nil
}

// instead names what there is when something is not found.
func instead(name string, candidates []string) string {
	if near := closest(name, candidates); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(candidates) == 0 {
		return ""
	}
	return "; there is " + some(candidates, 8)
}
