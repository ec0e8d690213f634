package template

import (
	"fmt"

	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/nodes"
)

// function is what templates call; a Func of the data is wrapped in one.
type function func(args []*exec.Value, named map[string]*exec.Value) (*exec.Value, error)

type param struct {
	name  string
	value nodes.Expression // nil when there is no default
}

// macro is {% macro name(params) %}, or the body of {% call %}.
type macro struct {
	name   string
	unit   *unit
	line   int
	params []param
	rest   string // name of *rest
	named  string // name of **named
	body   []statement
}

func (m *macro) exec(f *frame) error {
	f.scope.set(m.name, exec.AsValue(m.bind(f)))
	return nil
}

// bind makes the macro callable. It sees the variables of the place where it
// was defined.
func (m *macro) bind(f *frame) function {
	defined := *f
	return func(args []*exec.Value, named map[string]*exec.Value) (*exec.Value, error) {
		sub := defined
		sub.scope = defined.scope.child()
		sub.out = &buffer{limit: f.run.engine.opts.MaxOutput}
		if err := m.arguments(&sub, args, named); err != nil {
			return nil, err
		}
		if err := f.run.deeper(func() error { return sub.statements(m.body) }); err != nil {
			return nil, err
		}
		return sub.captured(sub.out)
	}
}

// arguments sets the parameters in the scope of f.
func (m *macro) arguments(f *frame, args []*exec.Value, named map[string]*exec.Value) error {
	if len(args) > len(m.params) && m.rest == "" {
		return fmt.Errorf("macro %s takes %d arguments, got %d", m.name, len(m.params), len(args))
	}
	given := min(len(args), len(m.params))
	used := 0
	for i, p := range m.params {
		v, byName := named[p.name]
		if byName {
			used++
		}
		var err error
		switch {
		case byName && i < given:
			return fmt.Errorf("macro %s got %s twice", m.name, p.name)
		case i < given:
			v = args[i]
		case !byName && p.value != nil:
			if v, err = f.eval(p.value); err != nil {
				return err
			}
		case !byName:
			v = exec.AsValue(nil)
		}
		f.scope.set(p.name, v)
	}
	if m.rest != "" {
		f.scope.set(m.rest, exec.AsValue(exec.ValuesList(args[given:])))
	}
	return m.leftover(f, named, used)
}

// leftover handles named arguments that are no parameters: "caller" comes from
// a call block, others go to **named.
func (m *macro) leftover(f *frame, named map[string]*exec.Value, used int) error {
	caller, ok := named["caller"]
	if ok && !m.has("caller") {
		f.scope.set("caller", caller)
		used++
	}
	if m.named == "" && used < len(named) {
		for name := range named {
			if name != "caller" && !m.has(name) {
				return fmt.Errorf("macro %s has no parameter %q%s", m.name, name, instead(name, m.names()))
			}
		}
	}
	if m.named == "" {
		return nil
	}
	rest := map[string]any{}
	for name, v := range named {
		if name != "caller" && !m.has(name) {
			rest[name] = v
		}
	}
	f.scope.set(m.named, exec.AsValue(rest))
	return nil
}

func (m *macro) has(name string) bool {
	for _, p := range m.params {
		if p.name == name {
			return true
		}
	}
	return false
}

func (m *macro) names() []string {
	var names []string
	for _, p := range m.params {
		names = append(names, p.name)
	}
	return names
}

// callBlock is {% call macro(args) %}body{% endcall %}: the macro gets the body
// as caller().
type callBlock struct {
	caller *macro
	call   *nodes.Call
}

func (c *callBlock) exec(f *frame) error {
	v, err := f.call(c.call, exec.AsValue(c.caller.bind(f)))
	if err != nil {
		return err
	}
	s, err := f.print(v)
	if err != nil {
		return err
	}
	return f.out.write(s)
}
