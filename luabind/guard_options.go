package luabind

import (
	"errors"
	"reflect"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
)

// guardOptions is bind.Options for what protects something: an option that is there must say
// something. An empty list would switch a check off, and a zero would be taken for the default. A
// field whose zero is a value has the tag zero:"true".
func guardOptions[T any](L *lua.LState, name string, n int) T {
	o := bind.Options[T](L, name, n)
	if t, ok := L.Get(n).(*lua.LTable); ok {
		if err := saysSomething(t, reflect.TypeFor[T]()); err != nil {
			raiseOption(L, name, err)
		}
	}
	return o
}

// saysSomething fails for the first option, by the order of the fields of kind, that says nothing.
func saysSomething(t *lua.LTable, kind reflect.Type) error {
	for _, f := range reflect.VisibleFields(kind) {
		v := t.RawGetString(f.Tag.Get("json"))
		if v == lua.LNil || f.Tag.Get("zero") != "" {
			continue
		}
		if inner, ok := v.(*lua.LTable); ok && f.Type.Kind() == reflect.Struct {
			if key, _ := inner.Next(lua.LNil); key == lua.LNil {
				return atOption(f.Tag.Get("json"), errEmptyTable)
			}
			if err := saysSomething(inner, f.Type); err != nil {
				return err
			}
			continue
		}
		if why := nothingIn(f.Type, v); why != nil {
			return atOption(f.Tag.Get("json"), why)
		}
	}
	return nil
}

var (
	errEmptyList  = errors.New("the list is empty; a variable of env that is not set gives nothing: leave the option out for no check, or say assert(env.NAME, \"NAME is not set\")")
	errEmptyTable = errors.New("the table is empty; leave it out for the defaults")
	errEmptyText  = errors.New("it is empty; leave it out for none")
	errZero       = errors.New("it must be more than nothing; leave it out for the default")
)

// nothingIn says why a value of an option of the type is none, nil if it is one.
func nothingIn(kind reflect.Type, v lua.LValue) error {
	switch v := v.(type) {
	case *lua.LTable:
		return nothingInList(v)
	case lua.LString:
		return nothingInText(kind, string(v))
	case lua.LNumber:
		if v == 0 {
			return errZero
		}
	}
	return nil
}

func nothingInList(t *lua.LTable) error {
	if key, _ := t.Next(lua.LNil); key == lua.LNil {
		return errEmptyList
	}
	for n := 1; n <= t.Len(); n++ {
		if t.RawGetInt(n) == lua.LString("") {
			return errEmptyText
		}
	}
	return nil
}

func nothingInText(kind reflect.Type, text string) error {
	if text == "" {
		return errEmptyText
	}
	switch kind {
	case reflect.TypeFor[time.Duration]():
		if d, err := bind.ParseDuration(text); err == nil && d == 0 {
			return errZero
		}
	case reflect.TypeFor[bind.Size]():
		if n, err := bind.ParseSize(text); err == nil && n == 0 {
			return errZero
		}
	}
	return nil
}
