package template

import (
	"errors"
	"fmt"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/nodes"
)

// maxRange bounds range(), lists that are added, and numbers given to filters
// and methods that pad or fill.
const maxRange = 100_000

// call calls a macro, a function of the data or a method of a value. caller is
// the body of a call block, or nil.
func (f *frame) call(n *nodes.Call, caller *exec.Value) (*exec.Value, error) {
	fn, of, err := f.callee(n)
	if err != nil {
		return nil, err
	}
	args, named, err := f.arguments(n.Args, n.Kwargs)
	if err != nil {
		return nil, err
	}
	if caller != nil {
		named["caller"] = caller
	}
	switch fn := fn.Interface().(type) {
	case function:
		v, err := fn(args, named)
		return orNil(v), err
	case Func:
		return callGo(fn, args, named)
	case *position:
		if fn.again == nil || len(args) != 1 {
			return nil, errors.New("loop(…) wants one list, in a loop that is marked \"recursive\"")
		}
		return fn.again(args[0])
	}
	if of != nil {
		return method(of, n.Func.(*nodes.GetAttribute).Attribute, args, named)
	}
	if fn.IsNil() {
		return nil, fmt.Errorf("%s is not defined, so it cannot be called", describe(n.Func))
	}
	return nil, fmt.Errorf("%s is %s, which cannot be called", describe(n.Func), kind(fn))
}

// callee evaluates what is called; of is the value left of a dot.
func (f *frame) callee(n *nodes.Call) (fn, of *exec.Value, err error) {
	dot, ok := n.Func.(*nodes.GetAttribute)
	if !ok || dot.Attribute == "" {
		fn, err = f.eval(n.Func)
		return fn, nil, err
	}
	if of, err = f.eval(dot.Node); err != nil {
		return nil, nil, err
	}
	if of.IsNil() {
		return nil, nil, fmt.Errorf("cannot call %q of %s, which is not defined", dot.Attribute, describe(dot.Node))
	}
	return orNil(property(of, dot.Attribute)), of, nil
}

func (f *frame) arguments(positional []nodes.Expression, keyword map[string]nodes.Expression) ([]*exec.Value, map[string]*exec.Value, error) {
	args := make([]*exec.Value, len(positional))
	named := make(map[string]*exec.Value, len(keyword))
	var err error
	for i, e := range positional {
		if args[i], err = f.eval(e); err != nil {
			return nil, nil, err
		}
	}
	for name, e := range keyword {
		if named[name], err = f.eval(e); err != nil {
			return nil, nil, err
		}
	}
	return args, named, nil
}

func callGo(fn Func, args []*exec.Value, named map[string]*exec.Value) (*exec.Value, error) {
	list := make([]any, len(args))
	var err error
	for i, a := range args {
		if list[i], err = goValue(a); err != nil {
			return nil, err
		}
	}
	if len(named) > 0 {
		options, err := goValue(&namespace{named})
		if err != nil {
			return nil, err
		}
		list = append(list, options)
	}
	result, err := fn(list...)
	if err != nil {
		return nil, err
	}
	return value(result), nil
}

// method calls what gonja knows for strings, and keys, values, items and get of
// maps. Nothing changes the data.
func method(of *exec.Value, name string, args []*exec.Value, named map[string]*exec.Value) (*exec.Value, error) {
	if of.IsDict() {
		if v, ok, err := dictMethod(of, name, args); ok || err != nil {
			return v, err
		}
	}
	if of.IsString() {
		if m, ok := builtins.Methods.Str.Get(name); ok {
			params := &exec.VarArgs{Args: args, KwArgs: named}
			if err := modest(params); err != nil {
				return nil, err
			}
			result, err := m(of.Val.String(), exec.AsValue(of.Val.String()), params)
			return value(result), err
		}
	}
	hint := ""
	if of.IsList() {
		hint = "; a list is made longer by adding another, as in {% set list = list + [x] %}"
	}
	return nil, fmt.Errorf("%s has no method %q%s", kind(of), name, hint)
}

func dictMethod(of *exec.Value, name string, args []*exec.Value) (v *exec.Value, ok bool, err error) {
	list := exec.ValuesList{}
	switch name {
	case "get":
		if len(args) == 0 || len(args) > 2 {
			return nil, true, errors.New("get wants a key and perhaps a default")
		}
		key, err := plainText(args[0])
		if err != nil {
			return nil, true, err
		}
		v := property(of, key)
		if v == nil && len(args) == 2 {
			v = args[1]
		}
		return orNil(v), true, nil
	case "keys":
		for _, p := range pairs(of) {
			list = append(list, p[0])
		}
	case "values":
		for _, p := range pairs(of) {
			list = append(list, p[1])
		}
	case "items":
		for _, p := range pairs(of) {
			list = append(list, exec.AsValue(exec.ValuesList(p[:])))
		}
	default:
		return nil, false, nil
	}
	return exec.AsValue(list), true, nil
}

// modest refuses numbers with which padding would fill the memory.
func modest(params *exec.VarArgs) error {
	for _, a := range params.Args {
		if err := modestValue(a); err != nil {
			return err
		}
	}
	for _, a := range params.KwArgs {
		if err := modestValue(a); err != nil {
			return err
		}
	}
	return nil
}

func modestValue(v *exec.Value) error {
	if n, ok := number(v); ok && n.float > maxRange {
		return fmt.Errorf("%s is too large, the limit is %d", kind(v), maxRange)
	}
	return nil
}

// filter applies filters from left to right.
func (f *frame) filter(v *exec.Value, calls []*nodes.FilterCall) (*exec.Value, error) {
	for _, c := range calls {
		args, named, err := f.arguments(c.Args, c.Kwargs)
		if err != nil {
			return nil, err
		}
		if c.Name == "markdown" {
			named = map[string]*exec.Value{contextName: exec.AsValue(f.run.ctx)}
		}
		v, err = applyFilter(f.evaluator(), c.Name, v, &exec.VarArgs{Args: args, KwArgs: named})
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

func applyFilter(e *exec.Evaluator, name string, v *exec.Value, params *exec.VarArgs) (*exec.Value, error) {
	fn, ok := e.Environment.Filters.Get(name)
	if !ok {
		return nil, fmt.Errorf("there is no filter %q%s", name, instead(name, filterNames))
	}
	if s, ok := v.Interface().(Safe); ok {
		v = exec.AsSafeValue(string(s))
	}
	if padding[name] {
		if err := modest(params); err != nil {
			return nil, fmt.Errorf("filter %q: %w", name, err)
		}
	}
	if textual[name] && !v.IsString() {
		s, err := plainText(v)
		if err != nil {
			return nil, fmt.Errorf("filter %q: %w", name, err)
		}
		v = exec.AsValue(s)
	}
	keep := e.Config.AutoEscape && v.Safe && marking[name]
	if keep {
		params = escapedArguments(params)
	}
	out := orNil(fn(e, v, params))
	if keep && out.IsString() {
		out = exec.AsSafeValue(out.String())
	}
	if err, ok := out.Interface().(error); ok {
		return nil, fmt.Errorf("filter %q: %w", name, innermost(err))
	}
	return out, nil
}

// escapedArguments returns arguments of which the texts can be put into HTML.
func escapedArguments(p *exec.VarArgs) *exec.VarArgs {
	escaped := func(v *exec.Value) *exec.Value {
		if !v.IsString() || isSafe(v) {
			return v
		}
		return exec.AsValue(escape(v.String()))
	}
	out := &exec.VarArgs{KwArgs: make(map[string]*exec.Value, len(p.KwArgs))}
	for _, v := range p.Args {
		out.Args = append(out.Args, escaped(v))
	}
	for name, v := range p.KwArgs {
		out.KwArgs[name] = escaped(v)
	}
	return out
}

func (f *frame) test(n *nodes.TestExpression) (*exec.Value, error) {
	v, err := f.eval(n.Expression)
	if err != nil {
		return nil, err
	}
	args, named, err := f.arguments(n.Test.Args, n.Test.Kwargs)
	if err != nil {
		return nil, err
	}
	switch n.Test.Name {
	case "defined":
		return exec.AsValue(!v.IsNil()), nil
	case "undefined", "none":
		return exec.AsValue(v.IsNil()), nil
	case "in", "eq", "equalto", "==", "ne", "!=":
		if len(args) != 1 {
			return nil, fmt.Errorf("test %q wants one value to compare with", n.Test.Name)
		}
	}
	switch n.Test.Name {
	case "in":
		yes, err := contains(args[0], v)
		return exec.AsValue(yes), err
	case "eq", "equalto", "==":
		return exec.AsValue(equal(v, args[0])), nil
	case "ne", "!=":
		return exec.AsValue(!equal(v, args[0])), nil
	}
	out := f.evaluator().ExecuteTestByName(n.Test.Name, v, &exec.VarArgs{Args: args, KwArgs: named})
	if err, ok := out.Interface().(error); ok {
		return nil, fmt.Errorf("test %q: %w", n.Test.Name, innermost(err))
	}
	return out, nil
}

// evaluator is what gonja's filters and tests want to be called with.
func (f *frame) evaluator() *exec.Evaluator {
	if f.escape {
		return escaping
	}
	return verbatim
}

var (
	escaping = newEvaluator(true)
	verbatim = newEvaluator(false)
)

func newEvaluator(escape bool) *exec.Evaluator {
	c := config.New()
	c.AutoEscape = escape
	return &exec.Evaluator{Config: c, Environment: &exec.Environment{
		Context: exec.EmptyContext(), Filters: filters, Tests: builtins.Tests, Methods: builtins.Methods,
	}}
}

// globals are the functions that every template knows.
var globals = &scope{vars: map[string]*exec.Value{
	"range":     exec.AsValue(function(rangeOf)),
	"dict":      exec.AsValue(function(dictOf)),
	"namespace": exec.AsValue(function(namespaceOf)),
}}

func rangeOf(args []*exec.Value, named map[string]*exec.Value) (*exec.Value, error) {
	var n [3]int
	for i, a := range args {
		at, ok := whole(a)
		if !ok || i > 2 {
			return nil, errors.New("range wants one to three whole numbers: range(end), range(start, end), range(start, end, step)")
		}
		n[i] = at
	}
	start, end, step := 0, n[0], 1
	switch {
	case len(args) == 0 || len(named) > 0:
		return nil, errors.New("range wants one to three whole numbers")
	case len(args) > 1:
		start, end = n[0], n[1]
	}
	if len(args) == 3 {
		step = n[2]
	}
	if step == 0 {
		return nil, errors.New("the step of a range is 0")
	}
	list := exec.ValuesList{}
	for i := start; step > 0 && i < end || step < 0 && i > end; i += step {
		if len(list) == maxRange {
			return nil, fmt.Errorf("a range has more than %d numbers", maxRange)
		}
		list = append(list, exec.AsValue(int64(i)))
	}
	return exec.AsValue(list), nil
}

func dictOf(args []*exec.Value, named map[string]*exec.Value) (*exec.Value, error) {
	if len(args) > 0 {
		return nil, errors.New("dict wants named values, as in dict(a=1)")
	}
	d := &exec.Dict{}
	for _, p := range pairsOf(named) {
		d.Pairs = append(d.Pairs, &exec.Pair{Key: p[0], Value: p[1]})
	}
	return exec.AsValue(d), nil
}

func namespaceOf(args []*exec.Value, named map[string]*exec.Value) (*exec.Value, error) {
	if len(args) > 0 {
		return nil, errors.New("namespace wants named values, as in namespace(found=false)")
	}
	fields := make(map[string]*exec.Value, len(named))
	for name, v := range named {
		fields[name] = v
	}
	return exec.AsValue(&namespace{fields}), nil
}
