package template

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/exec"
)

// filterItems lists the pairs of a map, as dictsort does, in the order that loops have.
// gonja's knows no maps that the template has written itself.
func filterItems(_ *exec.Evaluator, in *exec.Value, _ *exec.VarArgs) *exec.Value {
	if in.IsNil() || in.IsList() {
		return in
	}
	if !in.IsDict() {
		return fault(fmt.Errorf("it wants a map, this is %s", kind(in)))
	}
	return tuples(pairs(in))
}

// filterDictsort lists the pairs of a map in order: dictsort(case_sensitive=false, by="key",
// reverse=false).
func filterDictsort(_ *exec.Evaluator, in *exec.Value, p *exec.VarArgs) *exec.Value {
	names := []string{"case_sensitive", "by", "reverse"}
	given := make(map[string]*exec.Value, len(names))
	for i, v := range p.Args {
		if i == len(names) {
			return fault(errors.New("it wants at most case_sensitive, by and reverse"))
		}
		given[names[i]] = v
	}
	for name, v := range p.KwArgs {
		if !slices.Contains(names, name) {
			return fault(fmt.Errorf("it has no argument %q", name))
		}
		given[name] = v
	}
	part := 0
	if by := given["by"]; by != nil && !by.IsNil() {
		if part = slices.Index([]string{"key", "value"}, by.String()); part < 0 {
			return fault(fmt.Errorf("by is \"key\" or \"value\", not %s", kind(by)))
		}
	}
	if !in.IsDict() {
		return fault(fmt.Errorf("it wants a map, this is %s", kind(in)))
	}
	exact := given["case_sensitive"] != nil && given["case_sensitive"].IsTrue()
	list := slices.Clone(pairs(in))
	slices.SortStableFunc(list, func(a, b [2]*exec.Value) int { return order(a[part], b[part], exact) })
	if reverse := given["reverse"]; reverse != nil && reverse.IsTrue() {
		slices.Reverse(list)
	}
	return tuples(list)
}

// order puts numbers before texts.
func order(a, b *exec.Value, exact bool) int {
	x, isNumber := number(a)
	y, both := number(b)
	switch {
	case isNumber && both:
		return cmp.Compare(x.float, y.float)
	case isNumber:
		return -1
	case both:
		return 1
	}
	s, _ := plainText(a)
	t, _ := plainText(b)
	if !exact {
		s, t = strings.ToLower(s), strings.ToLower(t)
	}
	return strings.Compare(s, t)
}

// tuples makes pairs a list of lists of two.
func tuples(list [][2]*exec.Value) *exec.Value {
	out := make(exec.ValuesList, len(list))
	for i, p := range list {
		out[i] = exec.AsValue(exec.ValuesList{p[0], p[1]})
	}
	return exec.AsValue(out)
}
