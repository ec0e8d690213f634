package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nikolalohinski/gonja/v2/exec"
)

// value wraps what the data and functions hold.
func value(v any) *exec.Value {
	switch v := v.(type) {
	case *exec.Value:
		return orNil(v)
	case Safe:
		return exec.AsSafeValue(string(v))
	}
	return exec.AsValue(v)
}

func orNil(v *exec.Value) *exec.Value {
	if v == nil {
		return exec.AsValue(nil)
	}
	return v
}

// wrapped unpacks an element of a list or map.
func wrapped(v reflect.Value) *exec.Value {
	if !v.IsValid() || !v.CanInterface() {
		return exec.AsValue(nil)
	}
	return value(v.Interface())
}

// fielder is a value of ours that has fields; nil is "no such field".
type fielder interface {
	field(name string) *exec.Value
}

// namespace is the one kind of value whose fields a template can set.
type namespace struct{ fields map[string]*exec.Value }

func (n *namespace) field(name string) *exec.Value { return n.fields[name] }

// property reads a named field, nil when there is none.
func property(of *exec.Value, name string) *exec.Value {
	switch m := of.Interface().(type) {
	case map[string]any:
		if v, ok := m[name]; ok {
			return value(v)
		}
		return nil
	case fielder:
		return m.field(name)
	case *exec.Dict:
		for _, p := range m.Pairs {
			if s, err := plainText(p.Key); err == nil && s == name {
				return p.Value
			}
		}
		return nil
	}
	if getter, ok := of.Interface().(exec.AttributeGetter); ok { // results of groupby
		if v, found := getter.GetAttribute(name); found {
			return v
		}
		return nil
	}
	if m := of.Val; m.Kind() == reflect.Map && m.Type().Key().Kind() == reflect.String {
		return wrapped(m.MapIndex(reflect.ValueOf(name).Convert(m.Type().Key())))
	}
	return nil
}

// element reads by position; a negative one counts from the end.
func element(of *exec.Value, i int) *exec.Value {
	if of.IsString() {
		list, _ := items(of)
		of = exec.AsValue(exec.ValuesList(list))
	}
	if !of.IsList() {
		return nil
	}
	if i < 0 {
		i += of.Val.Len()
	}
	if i < 0 || i >= of.Val.Len() {
		return nil
	}
	return wrapped(of.Val.Index(i))
}

// items lists what a loop goes over: elements, keys of a map, characters.
func items(v *exec.Value) ([]*exec.Value, error) {
	switch x := v.Interface().(type) {
	case nil:
		return nil, nil
	case exec.ValuesList:
		return x, nil
	case []any:
		list := make([]*exec.Value, len(x))
		for i, e := range x {
			list[i] = value(e)
		}
		return list, nil
	case *position:
		return x.list, nil
	}
	var list []*exec.Value
	switch {
	case v.IsDict():
		for _, p := range pairs(v) {
			list = append(list, p[0])
		}
	case v.IsList():
		for i := range v.Val.Len() {
			list = append(list, wrapped(v.Val.Index(i)))
		}
	case v.IsString():
		for _, r := range v.String() {
			list = append(list, exec.AsValue(string(r)))
		}
	default:
		return nil, fmt.Errorf("cannot loop over %s", kind(v))
	}
	return list, nil
}

// pairs lists keys and values of a map, sorted by key, those of a literal as
// they stand there.
func pairs(v *exec.Value) [][2]*exec.Value {
	var list [][2]*exec.Value
	if d, ok := v.Interface().(*exec.Dict); ok {
		for _, p := range d.Pairs {
			list = append(list, [2]*exec.Value{p.Key, p.Value})
		}
		return list
	}
	for _, key := range v.Keys() {
		list = append(list, [2]*exec.Value{key, wrapped(v.Val.MapIndex(key.Val))})
	}
	return list
}

func isSafe(v *exec.Value) bool {
	if v.Safe {
		return true
	}
	_, ok := v.Interface().(Safe)
	return ok
}

func escape(s string) string { return html.EscapeString(s) }

// print is the text of a value on the page.
func (f *frame) print(v *exec.Value) (string, error) {
	s, err := plainText(v)
	if err != nil || !f.escape || isSafe(v) {
		return s, err
	}
	return escape(s), nil
}

// plainText is the text of a value before escaping.
func plainText(v *exec.Value) (string, error) {
	switch x := v.Interface().(type) {
	case nil:
		return "", nil
	case string:
		return x, nil
	case Safe:
		return string(x), nil
	case bool:
		return strconv.FormatBool(x), nil
	case error:
		return "", x
	case fmt.Stringer:
		if !v.IsDict() && !v.IsList() {
			return x.String(), nil
		}
	}
	switch n, ok := number(v); {
	case ok && n.isInt:
		return strconv.FormatInt(n.int, 10), nil
	case ok:
		return floatText(n.float), nil
	case v.IsString():
		return v.Val.String(), nil
	case v.IsDict(), v.IsList():
		return jsonText(v)
	}
	if v.IsCallable() {
		return "", errors.New("a function cannot be printed: call it with ()")
	}
	return "", fmt.Errorf("%s cannot be printed", kind(v))
}

// floatText prints whole numbers as such, as JSON and JavaScript do.
func floatText(x float64) string {
	if size := math.Abs(x); size != 0 && (size < 1e-6 || size >= 1e21) {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func jsonText(v *exec.Value) (string, error) {
	x, err := goValue(v)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // that is up to the caller
	err = enc.Encode(x)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// maxValues bounds how many values one printed, encoded or passed value holds:
// a list of itself twice over, made in a loop, doubles each time.
const maxValues = 1_000_000

// goValue turns values of the engine into plain Go ones, for JSON and for Go
// functions. Data that holds itself ends in an error.
func goValue(v any) (any, error) {
	left := maxValues
	return unwrap(v, 0, &left)
}

func unwrap(v any, depth int, left *int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("a value nests more than %d deep", maxDepth)
	}
	if *left--; *left < 0 {
		return nil, fmt.Errorf("a value holds more than %d others", maxValues)
	}
	switch x := v.(type) {
	case nil, string, Safe, bool, int64, float64:
		return v, nil
	case *exec.Value:
		if s, ok := x.Interface().(string); ok && x.Safe {
			return Safe(s), nil
		}
		return unwrap(x.Interface(), depth, left)
	case *namespace:
		return unwrapMap(pairsOf(x.fields), depth, left)
	}
	wrap := exec.AsValue(v)
	switch {
	case wrap.IsDict():
		return unwrapMap(pairs(wrap), depth, left)
	case wrap.IsList():
		list, err := items(wrap)
		if err != nil {
			return nil, err
		}
		out := make([]any, len(list))
		for i, e := range list {
			if out[i], err = unwrap(e, depth+1, left); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if n, ok := number(wrap); ok && n.isInt {
		return n.int, nil
	} else if ok {
		return n.float, nil
	}
	return v, nil
}

func unwrapMap(list [][2]*exec.Value, depth int, left *int) (any, error) {
	out := make(map[string]any, len(list))
	for _, p := range list {
		key, err := plainText(p[0])
		if err != nil {
			return nil, err
		}
		if out[key], err = unwrap(p[1], depth+1, left); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func pairsOf(fields map[string]*exec.Value) [][2]*exec.Value {
	var list [][2]*exec.Value
	for _, name := range sortedKeys(fields) {
		list = append(list, [2]*exec.Value{exec.AsValue(name), fields[name]})
	}
	return list
}

// kind names the type of a value in an error message.
func kind(v *exec.Value) string {
	switch x := v.Interface().(type) {
	case nil:
		return "an undefined value"
	case *namespace:
		return "a namespace"
	case *position:
		return "the loop"
	case self:
		return "self"
	case string, Safe:
		return fmt.Sprintf("the string %q", shorten(v.String(), 30))
	case bool:
		return fmt.Sprintf("the boolean %t", x)
	}
	switch {
	case v.IsNumber():
		s, _ := plainText(v)
		return "the number " + s
	case v.IsDict():
		return "a map"
	case v.IsList():
		return "a list of " + strconv.Itoa(v.Val.Len())
	case v.IsString():
		return fmt.Sprintf("the string %q", shorten(v.String(), 30))
	case v.IsCallable():
		return "a function"
	}
	return fmt.Sprintf("a value of Go type %T", v.Interface())
}

// length counts characters, elements or keys.
func length(v *exec.Value) (int, error) {
	switch {
	case v.IsNil():
		return 0, nil
	case v.IsString():
		return utf8.RuneCountInString(v.Val.String()), nil
	case v.IsDict(), v.IsList():
		return v.Len(), nil
	}
	return 0, fmt.Errorf("%s has no length", kind(v))
}
