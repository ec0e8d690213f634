package template

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// num is a number of either kind; float is set in both cases.
type num struct {
	isInt bool
	int   int64
	float float64
}

func number(v *exec.Value) (num, bool) {
	switch x := v.Interface().(type) {
	case int64:
		return num{true, x, float64(x)}, true
	case int:
		return num{true, int64(x), float64(x)}, true
	case float64:
		return num{false, 0, x}, true
	}
	switch {
	case !v.Val.IsValid():
		return num{}, false
	case v.Val.CanInt():
		return num{true, v.Val.Int(), float64(v.Val.Int())}, true
	case v.Val.CanUint() && v.Val.Uint() <= math.MaxInt64:
		return num{true, int64(v.Val.Uint()), float64(v.Val.Uint())}, true
	case v.Val.CanUint():
		return num{false, 0, float64(v.Val.Uint())}, true
	case v.Val.CanFloat():
		return num{false, 0, v.Val.Float()}, true
	}
	return num{}, false
}

// whole reads an index: Lua numbers arrive as 1.0, too.
func whole(v *exec.Value) (int, bool) {
	n, ok := number(v)
	switch {
	case !ok:
		return 0, false
	case n.isInt:
		return int(n.int), true
	case n.float == math.Trunc(n.float) && math.Abs(n.float) < 1<<53:
		return int(n.float), true
	}
	return 0, false
}

func equal(a, b *exec.Value) bool {
	x, isNum := number(a)
	y, both := number(b)
	if isNum || both {
		return isNum && both && (x.isInt && y.isInt && x.int == y.int || !(x.isInt && y.isInt) && x.float == y.float)
	}
	if a.IsString() && b.IsString() {
		return a.Val.String() == b.Val.String()
	}
	return a.EqualValueTo(b)
}

func compare(op tokens.Type, a, b *exec.Value) (*exec.Value, error) {
	x, isNum := number(a)
	y, both := number(b)
	var order int
	switch {
	case isNum && both && x.isInt && y.isInt:
		order = cmp.Compare(x.int, y.int)
	case isNum && both:
		order = cmp.Compare(x.float, y.float)
	case a.IsString() && b.IsString():
		order = strings.Compare(a.Val.String(), b.Val.String())
	default:
		return nil, fmt.Errorf("cannot order %s and %s", kind(a), kind(b))
	}
	switch op {
	case tokens.LowerThan:
		return exec.AsValue(order < 0), nil
	case tokens.LowerThanOrEqual:
		return exec.AsValue(order <= 0), nil
	case tokens.GreaterThan:
		return exec.AsValue(order > 0), nil
	}
	return exec.AsValue(order >= 0), nil
}

// contains is "in". Nothing is in an undefined value.
func contains(in, what *exec.Value) (bool, error) {
	switch {
	case in.IsNil():
		return false, nil
	case in.IsString():
		s, err := plainText(what)
		return strings.Contains(in.Val.String(), s), err
	case in.IsDict():
		s, err := plainText(what)
		return property(in, s) != nil, err
	}
	list, err := items(in)
	for _, v := range list {
		if equal(v, what) {
			return true, nil
		}
	}
	return false, err
}

// arithmetic computes + - * / // % and **.
func (f *frame) arithmetic(op *tokens.Token, a, b *exec.Value) (*exec.Value, error) {
	x, isNum := number(a)
	y, both := number(b)
	switch {
	case isNum && both && x.isInt && y.isInt:
		return integers(op, x, y)
	case isNum && both:
		return floats(op, x.float, y.float)
	case op.Type == tokens.Addition && a.IsString() && b.IsString():
		return f.join(a, b)
	case op.Type == tokens.Addition && a.IsList() && b.IsList():
		return f.concat(a, b)
	case op.Type == tokens.Multiply && a.IsString() && both:
		return f.repeat(a, b)
	case op.Type == tokens.Addition && (a.IsString() || b.IsString()):
		return nil, fmt.Errorf("cannot add %s and %s; text is joined with ~", kind(a), kind(b))
	}
	return nil, fmt.Errorf("cannot compute %s %s %s", kind(a), op.Val, kind(b))
}

var errZero = errors.New("division by zero")

func integers(op *tokens.Token, a, b num) (*exec.Value, error) {
	switch op.Type {
	case tokens.Addition:
		return exec.AsValue(a.int + b.int), nil
	case tokens.Subtraction:
		return exec.AsValue(a.int - b.int), nil
	case tokens.Multiply:
		return exec.AsValue(a.int * b.int), nil
	case tokens.FloorDivision, tokens.Modulo:
		if b.int == 0 {
			return nil, errZero
		}
		// The remainder has the sign of the divisor, as in Jinja and Lua.
		q, r := a.int/b.int, a.int%b.int
		if r != 0 && (r < 0) != (b.int < 0) {
			q, r = q-1, r+b.int
		}
		if op.Type == tokens.Modulo {
			q = r
		}
		return exec.AsValue(q), nil
	case tokens.Power:
		if p := math.Pow(a.float, b.float); b.int >= 0 && math.Abs(p) < 1<<53 {
			return exec.AsValue(int64(p)), nil
		}
	}
	return floats(op, a.float, b.float)
}

func floats(op *tokens.Token, a, b float64) (*exec.Value, error) {
	switch op.Type {
	case tokens.Addition:
		return exec.AsValue(a + b), nil
	case tokens.Subtraction:
		return exec.AsValue(a - b), nil
	case tokens.Multiply:
		return exec.AsValue(a * b), nil
	case tokens.Power:
		return exec.AsValue(math.Pow(a, b)), nil
	}
	if b == 0 {
		return nil, errZero
	}
	switch op.Type {
	case tokens.Division:
		return exec.AsValue(a / b), nil
	case tokens.FloorDivision:
		return exec.AsValue(math.Floor(a / b)), nil
	case tokens.Modulo:
		return exec.AsValue(a - b*math.Floor(a/b)), nil
	}
	return nil, fmt.Errorf("unknown operator %q", op.Val)
}

func (f *frame) concat(a, b *exec.Value) (*exec.Value, error) {
	left, err := items(a)
	if err != nil {
		return nil, err
	}
	right, err := items(b)
	if err != nil {
		return nil, err
	}
	if len(left)+len(right) > maxRange {
		return nil, fmt.Errorf("a list has more than %d elements", maxRange)
	}
	return exec.AsValue(append(append(exec.ValuesList{}, left...), right...)), nil
}

func (f *frame) repeat(text, times *exec.Value) (*exec.Value, error) {
	n, ok := whole(times)
	if !ok {
		return nil, fmt.Errorf("cannot repeat a text by %s", kind(times))
	}
	s, n := text.Val.String(), max(n, 0)
	if limit := f.run.engine.opts.MaxOutput; len(s) > 0 && n > limit/len(s) {
		return nil, fmt.Errorf("a text is longer than %d bytes", limit)
	}
	return &exec.Value{Val: reflect.ValueOf(strings.Repeat(s, n)), Safe: isSafe(text)}, nil
}
