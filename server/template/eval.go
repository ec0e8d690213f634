package template

import (
	"fmt"
	"strings"

	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// eval computes an expression. It never returns a nil value without an error,
// nor a value that is an error.
func (f *frame) eval(e nodes.Expression) (*exec.Value, error) {
	switch n := e.(type) {
	case *nodes.None:
		return exec.AsValue(nil), nil
	case *nodes.String:
		return exec.AsValue(n.Val), nil
	case *nodes.Integer:
		return exec.AsValue(int64(n.Val)), nil
	case *nodes.Float:
		return exec.AsValue(n.Val), nil
	case *nodes.Bool:
		return exec.AsValue(n.Val), nil
	case *nodes.Name:
		return f.name(n.Name.Val), nil
	case *nodes.List:
		return f.list(n.Val)
	case *nodes.Tuple:
		return f.list(n.Val)
	case *nodes.Dict:
		return f.dict(n)
	case *nodes.GetAttribute:
		return f.attribute(n)
	case *nodes.GetItem:
		return f.item(n)
	case *nodes.GetSlice:
		return f.slice(n)
	case *nodes.Call:
		return f.call(n, nil)
	case *nodes.Negation:
		v, err := f.eval(n.Term)
		if err != nil {
			return nil, err
		}
		return exec.AsValue(!v.IsTrue()), nil
	case *nodes.UnaryExpression:
		return f.unary(n)
	case *nodes.BinaryExpression:
		return f.binary(n)
	case *nodes.FilteredExpression:
		v, err := f.eval(n.Expression)
		if err != nil {
			return nil, err
		}
		return f.filter(v, n.Filters)
	case *nodes.TestExpression:
		return f.test(n)
	}
	return nil, fmt.Errorf("this expression cannot be computed: %T", e)
}

func (f *frame) name(name string) *exec.Value {
	if v := f.scope.get(name); v != nil {
		return v
	}
	if name == "self" {
		return exec.AsValue(self{f})
	}
	return exec.AsValue(nil)
}

func (f *frame) list(elements []nodes.Expression) (*exec.Value, error) {
	list := make(exec.ValuesList, len(elements))
	for i, e := range elements {
		v, err := f.eval(e)
		if err != nil {
			return nil, err
		}
		list[i] = v
	}
	return exec.AsValue(list), nil
}

func (f *frame) dict(n *nodes.Dict) (*exec.Value, error) {
	d := &exec.Dict{}
	for _, pair := range n.Pairs {
		key, err := f.key(pair.Key)
		if err != nil {
			return nil, err
		}
		v, err := f.eval(pair.Value)
		if err != nil {
			return nil, err
		}
		d.Pairs = append(d.Pairs, &exec.Pair{Key: key, Value: v})
	}
	return exec.AsValue(d), nil
}

// key takes a bare name for its text.
func (f *frame) key(e nodes.Expression) (*exec.Value, error) {
	if n, ok := e.(*nodes.Name); ok {
		return exec.AsValue(n.Name.Val), nil
	}
	return f.eval(e)
}

func (f *frame) attribute(n *nodes.GetAttribute) (*exec.Value, error) {
	of, err := f.eval(n.Node)
	if err != nil {
		return nil, err
	}
	if of.IsNil() {
		return nil, fmt.Errorf("cannot read %q of %s, which is not defined", field(n), describe(n.Node))
	}
	if n.Attribute == "" {
		return orNil(element(of, n.Index)), nil
	}
	return orNil(property(of, n.Attribute)), nil
}

func field(n *nodes.GetAttribute) string {
	if n.Attribute == "" {
		return fmt.Sprint(n.Index)
	}
	return n.Attribute
}

func (f *frame) item(n *nodes.GetItem) (*exec.Value, error) {
	of, err := f.eval(n.Node)
	if err != nil {
		return nil, err
	}
	key, err := f.eval(n.Arg)
	switch {
	case err != nil:
		return nil, err
	case of.IsNil():
		s, _ := plainText(key)
		return nil, fmt.Errorf("cannot read [%s] of %s, which is not defined", s, describe(n.Node))
	case key.IsNil():
		return exec.AsValue(nil), nil
	case of.IsDict() || key.IsString():
		s, err := plainText(key)
		if err != nil {
			return nil, err
		}
		return orNil(property(of, s)), nil
	}
	i, ok := whole(key)
	if !ok {
		return nil, fmt.Errorf("a list is read by number, not by %s", kind(key))
	}
	return orNil(element(of, i)), nil
}

// describe names an expression in an error message.
func describe(e nodes.Expression) string {
	switch n := e.(type) {
	case *nodes.Name:
		return n.Name.Val
	case *nodes.GetAttribute:
		return describe(n.Node) + "." + field(n)
	case *nodes.GetItem:
		return describe(n.Node) + "[…]"
	case *nodes.Call:
		return describe(n.Func) + "(…)"
	}
	return "a value"
}

func (f *frame) slice(n *nodes.GetSlice) (*exec.Value, error) {
	of, err := f.eval(n.Node)
	if err != nil {
		return nil, err
	}
	if of.IsNil() {
		return of, nil
	}
	if !of.IsList() && !of.IsString() {
		return nil, fmt.Errorf("%s has no parts to slice", kind(of))
	}
	list, err := items(of)
	if err != nil {
		return nil, err
	}
	var at [3]*int
	for i, e := range []nodes.Node{n.Start, n.End, n.Step} {
		if at[i], err = f.bound(e); err != nil {
			return nil, err
		}
	}
	part, err := cut(list, at[0], at[1], at[2])
	if err != nil || of.IsList() {
		return exec.AsValue(part), err
	}
	var b strings.Builder
	for _, c := range part {
		b.WriteString(c.String())
	}
	return exec.AsValue(b.String()), nil
}

func (f *frame) bound(e nodes.Node) (*int, error) {
	if e == nil {
		return nil, nil
	}
	v, err := f.eval(e)
	if err != nil || v.IsNil() {
		return nil, err
	}
	i, ok := whole(v)
	if !ok {
		return nil, fmt.Errorf("a slice is given by whole numbers, not by %s", kind(v))
	}
	return &i, nil
}

// cut is Python's list[start:end:step].
func cut(list []*exec.Value, start, end, step *int) (exec.ValuesList, error) {
	n, by := len(list), 1
	if step != nil {
		by = *step
	}
	if by == 0 {
		return nil, fmt.Errorf("the step of a slice is 0")
	}
	from, to, low, high := 0, n, 0, n
	if by < 0 {
		from, to, low, high = n-1, -1, -1, n-1
	}
	place := func(at *int, otherwise int) int {
		if at == nil {
			return otherwise
		}
		i := *at
		if i < 0 {
			i += n
		}
		return max(low, min(i, high))
	}
	part := exec.ValuesList{}
	from, to = place(start, from), place(end, to)
	by = max(-n-1, min(by, n+1)) // a larger step would overflow
	for i := from; by > 0 && i < to || by < 0 && i > to; i += by {
		part = append(part, list[i])
	}
	return part, nil
}

func (f *frame) unary(n *nodes.UnaryExpression) (*exec.Value, error) {
	v, err := f.eval(n.Term)
	if err != nil {
		return nil, err
	}
	x, ok := number(v)
	switch {
	case !ok:
		return nil, fmt.Errorf("the sign %q wants a number, not %s", n.Operator.Val, kind(v))
	case !n.Negative:
		return v, nil
	case x.isInt:
		return exec.AsValue(-x.int), nil
	}
	return exec.AsValue(-x.float), nil
}

func (f *frame) binary(n *nodes.BinaryExpression) (*exec.Value, error) {
	left, err := f.eval(n.Left)
	if err != nil {
		return nil, err
	}
	op := n.Operator.Token.Type
	if op == tokens.And && !left.IsTrue() || op == tokens.Or && left.IsTrue() {
		return left, nil
	}
	right, err := f.eval(n.Right)
	if err != nil {
		return nil, err
	}
	switch op {
	case tokens.And, tokens.Or:
		return right, nil
	case tokens.Tilde:
		return f.join(left, right)
	case tokens.Equals:
		return exec.AsValue(equal(left, right)), nil
	case tokens.Ne:
		return exec.AsValue(!equal(left, right)), nil
	case tokens.LowerThan, tokens.LowerThanOrEqual, tokens.GreaterThan, tokens.GreaterThanOrEqual:
		return compare(op, left, right)
	}
	return f.arithmetic(n.Operator.Token, left, right)
}

// join is "~". If one side is safe the other is escaped, and the result is safe.
func (f *frame) join(left, right *exec.Value) (*exec.Value, error) {
	l, err := plainText(left)
	if err != nil {
		return nil, err
	}
	r, err := plainText(right)
	if err != nil {
		return nil, err
	}
	if len(l)+len(r) > f.run.engine.opts.MaxOutput {
		return nil, fmt.Errorf("a text is longer than %d bytes", f.run.engine.opts.MaxOutput)
	}
	if !isSafe(left) && !isSafe(right) {
		return exec.AsValue(l + r), nil
	}
	if !isSafe(left) {
		l = escape(l)
	}
	if !isSafe(right) {
		r = escape(r)
	}
	return exec.AsSafeValue(l + r), nil
}
