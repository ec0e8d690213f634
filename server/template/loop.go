package template

import (
	"fmt"
	"slices"

	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/nodes"
)

// loop is {% for names in over if filter %}.
type loop struct {
	names     []string
	over      nodes.Expression
	filter    nodes.Expression
	recursive bool
	body      []statement
	empty     []statement
}

func (l *loop) exec(f *frame) error {
	over, err := f.eval(l.over)
	if err != nil {
		return err
	}
	return l.each(f, over, 0)
}

// each runs the loop over one value; depth counts recursive calls of loop().
func (l *loop) each(f *frame, over *exec.Value, depth int) error {
	list, err := l.items(f, over)
	if err != nil {
		return err
	}
	sub := *f
	sub.scope = f.scope.child()
	if len(list) == 0 {
		return sub.statements(l.empty)
	}
	at := &position{list: list, depth: depth}
	if l.recursive {
		at.again = func(v *exec.Value) (*exec.Value, error) { return l.again(f, v, depth+1) }
	}
	for i, v := range list {
		at.i = i
		clear(sub.scope.vars)
		sub.scope.set("loop", exec.AsValue(at))
		if err := sub.scope.assign(l.names, v); err != nil {
			return err
		}
		if err := f.run.step(); err != nil {
			return err
		}
		switch err := sub.statements(l.body); err {
		case nil, errContinue:
		case errBreak:
			return nil
		default:
			return err
		}
	}
	return nil
}

func (l *loop) again(f *frame, v *exec.Value, depth int) (*exec.Value, error) {
	sub := *f
	sub.out = &buffer{limit: f.run.engine.opts.MaxOutput}
	if err := f.run.deeper(func() error { return l.each(&sub, v, depth) }); err != nil {
		return nil, err
	}
	return f.captured(sub.out)
}

// items lists what the loop goes over: pairs of a map if there are two names.
func (l *loop) items(f *frame, over *exec.Value) ([]*exec.Value, error) {
	if over.IsDict() && len(l.names) == 2 {
		over = exec.AsValue(pairs(over))
	}
	list, err := items(over)
	if err != nil || l.filter == nil {
		return list, err
	}
	sub := *f
	sub.scope = f.scope.child()
	kept := list[:0:0]
	for _, v := range list {
		if err := sub.scope.assign(l.names, v); err != nil {
			return nil, err
		}
		yes, err := sub.eval(l.filter)
		if err != nil {
			return nil, err
		}
		if yes.IsTrue() {
			kept = append(kept, v)
		}
	}
	return kept, nil
}

// position is the variable "loop".
type position struct {
	list  []*exec.Value
	i     int
	depth int
	again func(*exec.Value) (*exec.Value, error)
	last  []*exec.Value // arguments of the last loop.changed()
}

func (p *position) field(name string) *exec.Value {
	n := len(p.list)
	switch name {
	case "index":
		return exec.AsValue(p.i + 1)
	case "index0":
		return exec.AsValue(p.i)
	case "revindex":
		return exec.AsValue(n - p.i)
	case "revindex0":
		return exec.AsValue(n - p.i - 1)
	case "first":
		return exec.AsValue(p.i == 0)
	case "last":
		return exec.AsValue(p.i == n-1)
	case "length":
		return exec.AsValue(n)
	case "depth":
		return exec.AsValue(p.depth + 1)
	case "depth0":
		return exec.AsValue(p.depth)
	case "previtem":
		return p.item(p.i - 1)
	case "nextitem":
		return p.item(p.i + 1)
	case "cycle":
		return exec.AsValue(function(p.cycle))
	case "changed":
		return exec.AsValue(function(p.changed))
	}
	return nil
}

func (p *position) item(i int) *exec.Value {
	if i < 0 || i >= len(p.list) {
		return nil
	}
	return p.list[i]
}

func (p *position) cycle(args []*exec.Value, _ map[string]*exec.Value) (*exec.Value, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("loop.cycle wants the values to go through")
	}
	return args[p.i%len(args)], nil
}

func (p *position) changed(args []*exec.Value, _ map[string]*exec.Value) (*exec.Value, error) {
	same := p.last != nil && slices.EqualFunc(args, p.last, equal)
	p.last = args
	return exec.AsValue(!same), nil
}
