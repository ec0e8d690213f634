package bind

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/server/suggest"
)

// Options reads argument n, a table of options, into a T: a struct whose fields carry
// their names as `json:"name"`. nil leaves T zero. A key that T does not have and a
// value of the wrong type raise with the place of the call. Fields may be of type
// string, bool, int, int64, float64, time.Duration, Size, []string, map[string]string,
// *lua.LFunction, *lua.LTable, lua.LValue, another such struct, or a pointer to one of
// the plain types, which stays nil when the option is absent.
//
// The plan for T is made once; reading costs some 0.4 µs, which suits configuration and
// not a hot path.
func Options[T any](L *lua.LState, name string, n int) T {
	var options T
	v := L.Get(n)
	if v == lua.LNil {
		return options
	}
	t, ok := v.(*lua.LTable)
	if !ok {
		ArgError(L, name, n-receiver(name), "%s", expected("table of options", v).Error())
	}
	if err := Decode(L, t, &options); err != nil {
		fault.Raise(L, &fault.Error{Code: "option", Message: name + ": " + err.Error()})
	}
	return options
}

// Decode reads the fields of t into the struct that p points to, as Options does.
func Decode(L *lua.LState, t *lua.LTable, p any) error {
	v := reflect.ValueOf(p).Elem()
	return planOf(v.Type()).decode(L, t, v, "")
}

// Names returns the option names of the struct type of p, in order of declaration.
func Names(p any) []string {
	t := reflect.TypeOf(p)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return planOf(t).names
}

// A plan is how a struct is read from a table.
type plan struct {
	names  []string
	fields map[string]field
}

type field struct {
	index []int
	set   func(L *lua.LState, v lua.LValue, to reflect.Value, path string) error
}

var plans sync.Map // reflect.Type -> *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{fields: make(map[string]field)}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue
		}
		set := setter(f.Type)
		if set == nil {
			panic(fmt.Sprintf("option %s.%s: no conversion to %s", t, f.Name, f.Type))
		}
		p.names = append(p.names, name)
		p.fields[name] = field{f.Index, set}
	}
	actual, _ := plans.LoadOrStore(t, p)
	return actual.(*plan)
}

func (p *plan) decode(L *lua.LState, t *lua.LTable, to reflect.Value, path string) error {
	var bad error
	t.ForEach(func(k, v lua.LValue) {
		if bad != nil {
			return
		}
		name, ok := k.(lua.LString)
		if !ok {
			bad = fmt.Errorf("option %s[%s]: options have names, as { name = value }", path, k)
			return
		}
		f, ok := p.fields[string(name)]
		if !ok {
			bad = fmt.Errorf("unknown option %q%s", path+string(name), suggest.DidYouMean(string(name), p.names))
			if suggest.Closest(string(name), p.names) == "" {
				bad = fmt.Errorf("unknown option %q; there are %s", path+string(name), strings.Join(slices.Sorted(slices.Values(p.names)), ", "))
			}
			return
		}
		if err := f.set(L, v, to.FieldByIndex(f.index), path+string(name)+"."); err != nil {
			bad = fmt.Errorf("option %q: %w", path+string(name), err)
		}
	})
	return bad
}

type setFunc = func(L *lua.LState, v lua.LValue, to reflect.Value, path string) error

// setter returns how a field of type t is set, nil for types that can't be options.
func setter(t reflect.Type) setFunc {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return converted(takeDuration)
	case reflect.TypeFor[Size]():
		return converted(takeSize)
	case reflect.TypeFor[lua.LValue]():
		return func(_ *lua.LState, v lua.LValue, to reflect.Value, _ string) error {
			to.Set(reflect.ValueOf(v))
			return nil
		}
	case reflect.TypeFor[*lua.LFunction]():
		return converted(take[*lua.LFunction]("option").convert)
	case reflect.TypeFor[*lua.LTable]():
		return converted(take[*lua.LTable]("option").convert)
	case reflect.TypeFor[[]string]():
		return converted(takeStrings)
	case reflect.TypeFor[map[string]string]():
		return converted(takeStringMap)
	case reflect.TypeFor[string]():
		return converted(takeText)
	case reflect.TypeFor[bool]():
		return converted(take[bool]("option").convert)
	case reflect.TypeFor[int]():
		return converted(take[int]("option").convert)
	case reflect.TypeFor[int64]():
		return converted(takeInteger)
	case reflect.TypeFor[float64]():
		return converted(take[float64]("option").convert)
	}
	switch t.Kind() {
	case reflect.Pointer:
		inner := setter(t.Elem())
		if inner == nil {
			return nil
		}
		return func(L *lua.LState, v lua.LValue, to reflect.Value, path string) error {
			p := reflect.New(t.Elem())
			to.Set(p)
			return inner(L, v, p.Elem(), path)
		}
	case reflect.Struct:
		return func(L *lua.LState, v lua.LValue, to reflect.Value, path string) error {
			table, ok := v.(*lua.LTable)
			if !ok {
				return expected("table", v)
			}
			return planOf(t).decode(L, table, to, path)
		}
	}
	return nil
}

func converted[T any](take func(*lua.LState, lua.LValue) (T, error)) setFunc {
	return func(L *lua.LState, v lua.LValue, to reflect.Value, _ string) error {
		x, err := take(L, v)
		if err == nil {
			to.Set(reflect.ValueOf(x))
		}
		return err
	}
}
