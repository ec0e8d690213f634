package bind

import (
	"fmt"
	"math"
	"reflect"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// maxInteger is the largest integer a Lua number holds exactly.
const maxInteger = 1<<53 - 1

// Opt is an argument that may be left out or nil.
type Opt[T any] struct {
	Value T
	Set   bool
}

// Or returns the value, or def when there is none.
func (o Opt[T]) Or(def T) T {
	if o.Set {
		return o.Value
	}
	return def
}

// A taker converts a Lua value into a Go value.
type taker[T any] struct {
	convert func(L *lua.LState, v lua.LValue) (T, error)
}

// at converts argument n of the call or raises. Methods count their object as argument
// 0, so that numbers are those the script's author sees.
func (t taker[T]) at(L *lua.LState, name string, n int) T {
	v, err := t.convert(L, L.Get(n))
	if err != nil {
		ArgError(L, name, n-receiver(name), "%s", err.Error())
	}
	return v
}

// receiver is 1 for names of methods.
func receiver(name string) int {
	for i := range len(name) {
		if name[i] == ':' {
			return 1
		}
	}
	return 0
}

// take returns the converter to T. It panics on a type it does not know, which happens
// when rws starts and never at a request.
func take[T any](sig string) taker[T] {
	var zero T
	convert := takeAny(reflect.TypeFor[T](), any(&zero))
	if convert == nil {
		panic(fmt.Sprintf("binding %s: no conversion to %T", sig, zero))
	}
	return taker[T]{convert.(func(*lua.LState, lua.LValue) (T, error))}
}

// takeAny returns a func(*lua.LState, lua.LValue) (T, error) for the T that p points to.
func takeAny(t reflect.Type, p any) any {
	switch p := p.(type) {
	case *string:
		return takeString
	case *[]byte:
		return func(L *lua.LState, v lua.LValue) ([]byte, error) { s, err := takeString(L, v); return []byte(s), err }
	case *bool:
		return func(_ *lua.LState, v lua.LValue) (bool, error) {
			if b, ok := v.(lua.LBool); ok {
				return bool(b), nil
			}
			return false, expected("boolean", v)
		}
	case *float64:
		return func(_ *lua.LState, v lua.LValue) (float64, error) {
			if n, ok := v.(lua.LNumber); ok {
				return float64(n), nil
			}
			return 0, expected("number", v)
		}
	case *int:
		return func(L *lua.LState, v lua.LValue) (int, error) { n, err := takeInteger(L, v); return int(n), err }
	case *int64:
		return takeInteger
	case *time.Duration:
		return takeDuration
	case *Size:
		return takeSize
	case *lua.LValue:
		return func(_ *lua.LState, v lua.LValue) (lua.LValue, error) { return v, nil }
	case **lua.LTable:
		return func(_ *lua.LState, v lua.LValue) (*lua.LTable, error) {
			if t, ok := v.(*lua.LTable); ok {
				return t, nil
			}
			return nil, expected("table", v)
		}
	case **lua.LFunction:
		return func(_ *lua.LState, v lua.LValue) (*lua.LFunction, error) {
			if f, ok := v.(*lua.LFunction); ok {
				return f, nil
			}
			return nil, expected("function", v)
		}
	case *[]string:
		return takeStrings
	case *map[string]string:
		return takeStringMap
	case selfTaker:
		return p.taker()
	}
	return nil
}

// A selfTaker brings its own converter, as Opt and Self do.
type selfTaker interface{ taker() any }

func (*Opt[T]) taker() any {
	var zero T
	inner, ok := takeAny(reflect.TypeFor[T](), any(&zero)).(func(*lua.LState, lua.LValue) (T, error))
	if !ok {
		return nil
	}
	return func(L *lua.LState, v lua.LValue) (Opt[T], error) {
		if v == lua.LNil {
			return Opt[T]{}, nil
		}
		x, err := inner(L, v)
		return Opt[T]{x, true}, err
	}
}

// Object is a userdata argument whose value is a *T.
type Object[T any] struct{ P *T }

func (*Object[T]) taker() any {
	name := reflect.TypeFor[T]().Name()
	return func(_ *lua.LState, v lua.LValue) (Object[T], error) {
		if ud, ok := v.(*lua.LUserData); ok {
			if p, ok := ud.Value.(*T); ok {
				return Object[T]{p}, nil
			}
		}
		return Object[T]{}, expected(name, v)
	}
}

// expected says which type was wanted.
func expected(want string, v lua.LValue) error {
	return fmt.Errorf("%s expected, got %s", want, describe(v))
}

// describe names a value for an error: its type, and what it is when that is short.
func describe(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		if len(v) <= 40 {
			return fmt.Sprintf("the string %q", string(v))
		}
	case lua.LNumber, lua.LBool:
		return fmt.Sprintf("the %s %s", v.Type(), v)
	}
	return v.Type().String()
}

func takeString(_ *lua.LState, v lua.LValue) (string, error) {
	switch v := v.(type) {
	case lua.LString:
		return string(v), nil
	case lua.LNumber:
		return v.String(), nil
	}
	return "", expected("string", v)
}

// takeText is takeString for an option: a number there is a mistake.
func takeText(_ *lua.LState, v lua.LValue) (string, error) {
	if s, ok := v.(lua.LString); ok {
		return string(s), nil
	}
	return "", expected("string", v)
}

func takeInteger(_ *lua.LState, v lua.LValue) (int64, error) {
	n, ok := v.(lua.LNumber)
	if !ok {
		return 0, expected("integer", v)
	}
	if n != lua.LNumber(math.Trunc(float64(n))) || math.Abs(float64(n)) > maxInteger {
		return 0, expected("integer", v)
	}
	return int64(n), nil
}

func takeDuration(_ *lua.LState, v lua.LValue) (time.Duration, error) {
	switch v := v.(type) {
	case lua.LString:
		return ParseDuration(string(v))
	case lua.LNumber:
		return ParseDuration(v.String())
	}
	return 0, expected(`duration such as "30s"`, v)
}

func takeSize(_ *lua.LState, v lua.LValue) (Size, error) {
	switch v := v.(type) {
	case lua.LString:
		return ParseSize(string(v))
	case lua.LNumber:
		return ParseSize(v.String())
	}
	return 0, expected(`size such as "10mb"`, v)
}

// takeStrings accepts a list of strings or one string.
func takeStrings(L *lua.LState, v lua.LValue) ([]string, error) {
	if _, ok := v.(*lua.LTable); !ok {
		s, err := takeString(L, v)
		if err != nil {
			return nil, expected("list of strings", v)
		}
		return []string{s}, nil
	}
	t := v.(*lua.LTable)
	list := make([]string, 0, t.Len())
	for n := 1; n <= t.Len(); n++ {
		s, err := takeString(L, t.RawGetInt(n))
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", n, err)
		}
		list = append(list, s)
	}
	return list, nil
}

func takeStringMap(L *lua.LState, v lua.LValue) (map[string]string, error) {
	t, ok := v.(*lua.LTable)
	if ud, is := v.(*lua.LUserData); is {
		t = View(L, ud)
		ok = t != nil
	}
	if !ok {
		return nil, expected("table", v)
	}
	m := make(map[string]string)
	var bad error
	t.ForEach(func(k, v lua.LValue) {
		s, err := takeString(L, v)
		if err != nil && bad == nil {
			bad = fmt.Errorf("field %q: %w", k.String(), err)
		}
		m[k.String()] = s
	})
	return m, bad
}

// A giver converts a Go result into Lua values and returns how many it pushed.
type giver[T any] struct {
	push func(L *lua.LState, v T) int
}

// result pushes v, or raises err under the function's name.
func (g giver[T]) result(L *lua.LState, name string, v T, err error) int {
	if err != nil {
		Raise(L, name, err)
	}
	return g.push(L, v)
}

// give returns the converter from T; it panics on a type it does not know.
func give[T any](sig string) giver[T] {
	var zero T
	push := giveAny(any(&zero))
	if push == nil {
		panic(fmt.Sprintf("binding %s: no conversion from %T", sig, zero))
	}
	return giver[T]{push.(func(*lua.LState, T) int)}
}

func giveAny(p any) any {
	switch p.(type) {
	case *None:
		return func(*lua.LState, None) int { return 0 }
	case *string:
		return func(L *lua.LState, v string) int { L.Push(lua.LString(v)); return 1 }
	case *[]byte:
		return func(L *lua.LState, v []byte) int { L.Push(lua.LString(v)); return 1 }
	case *bool:
		return func(L *lua.LState, v bool) int { L.Push(lua.LBool(v)); return 1 }
	case *float64:
		return func(L *lua.LState, v float64) int { L.Push(lua.LNumber(v)); return 1 }
	case *int:
		return func(L *lua.LState, v int) int { L.Push(lua.LNumber(v)); return 1 }
	case *int64:
		return func(L *lua.LState, v int64) int { L.Push(lua.LNumber(v)); return 1 }
	case *[]string:
		return func(L *lua.LState, v []string) int { L.Push(Strings(L, v)); return 1 }
	case *lua.LValue:
		return func(L *lua.LState, v lua.LValue) int { L.Push(v); return 1 }
	case *any:
		return func(L *lua.LState, v any) int { L.Push(FromGo(L, v)); return 1 }
	case *Pusher:
		return func(L *lua.LState, v Pusher) int { return v(L) }
	}
	return nil
}

// A Pusher is a result that is made when the lock is held again, as a userdata.
type Pusher func(L *lua.LState) int

// Arg converts argument n of the function called name, or raises. It looks the converter
// up at each call; functions on a hot path are bound by type instead.
func Arg[T any](L *lua.LState, name string, n int) T { return take[T](name).at(L, name, n) }
