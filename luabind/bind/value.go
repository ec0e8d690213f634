package bind

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/vm"
)

// Names of metatables that every isolate has; see Prepare.
const (
	arrayType = "rws.array"
	nullType  = "rws.null"
)

// nullKey is where an isolate keeps its null.
const nullKey = "rws.null.value"

// Prepare gives an isolate the values that conversions need: the metatable of arrays
// and null. Call it once, on the isolate's first run.
func Prepare(L *lua.LState) {
	L.NewTypeMetatable(arrayType).RawSetString("__metatable", lua.LString("array"))
	null := L.NewUserData()
	mt := L.NewTypeMetatable(nullType)
	mt.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int { L.Push(lua.LString("null")); return 1 }))
	mt.RawSetString("__metatable", lua.LString("null"))
	null.Metatable = mt
	L.G.Registry.RawSetString(nullKey, null)
}

// Null returns rws.null.
func Null(L *lua.LState) lua.LValue { return L.G.Registry.RawGetString(nullKey) }

// IsNull reports whether v is rws.null.
func IsNull(L *lua.LState, v lua.LValue) bool {
	ud, ok := v.(*lua.LUserData)
	return ok && ud == Null(L)
}

// MarkArray makes t, which the caller has made, an array: it encodes as [] also when it is empty.
func MarkArray(L *lua.LState, t *lua.LTable) *lua.LTable {
	vm.Made(L, t)
	t.Metatable = L.GetTypeMetatable(arrayType)
	return t
}

// IsArray reports whether t was marked as an array.
func IsArray(L *lua.LState, t *lua.LTable) bool { return t.Metatable == L.GetTypeMetatable(arrayType) }

// Strings returns list as a Lua array.
func Strings(L *lua.LState, list []string) *lua.LTable {
	t := L.CreateTable(len(list), 0)
	for _, s := range list {
		t.Append(lua.LString(s))
	}
	return MarkArray(L, t)
}

// Integer returns n as a Lua number when that is exact, else as a string of digits.
func Integer(n int64) lua.LValue {
	if n > maxInteger || n < -maxInteger {
		return lua.LString(strconv.FormatInt(n, 10))
	}
	return lua.LNumber(n)
}

// FromGo converts nil, bool, string, numbers, []byte, json.Number, time.Time, slices and maps with
// string keys to Lua values. Integers beyond 2^53 become strings, times RFC 3339. It
// panics on other types, which is a bug in rws.
func FromGo(L *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case nil:
		return lua.LNil
	case lua.LValue:
		return v
	case bool:
		return lua.LBool(v)
	case string:
		return lua.LString(v)
	case []byte:
		return lua.LString(v)
	case int:
		return Integer(int64(v))
	case int64:
		return Integer(v)
	case float64:
		return lua.LNumber(v)
	case time.Duration:
		return lua.LString(v.String())
	case time.Time:
		return lua.LString(v.Format(time.RFC3339Nano))
	case json.Number:
		return lua.LString(v)
	case []string:
		return Strings(L, v)
	case []any:
		t := L.CreateTable(len(v), 0)
		for _, x := range v {
			t.Append(FromGo(L, x))
		}
		return MarkArray(L, t)
	case map[string]any:
		t := L.CreateTable(0, len(v))
		vm.Made(L, t)
		for _, k := range slices.Sorted(maps.Keys(v)) { // the order in which it prints
			t.RawSetString(k, FromGo(L, v[k]))
		}
		return t
	case map[string]string:
		t := L.CreateTable(0, len(v))
		vm.Made(L, t)
		for _, k := range slices.Sorted(maps.Keys(v)) {
			t.RawSetString(k, lua.LString(v[k]))
		}
		return t
	}
	panic(fmt.Sprintf("no Lua value for %T", v))
}

// maxDepthToGo bounds ToGo; a table that contains itself ends there.
const maxDepthToGo = 64

// ToGo converts a Lua value to nil, bool, string, int64 (whole numbers), float64,
// []any or map[string]any. Null becomes nil. Functions, threads and foreign userdata
// are an error that names where they are.
func ToGo(L *lua.LState, v lua.LValue) (any, error) { return toGo(L, v, "", 0) }

func toGo(L *lua.LState, v lua.LValue, path string, depth int) (any, error) {
	switch v := v.(type) {
	case *lua.LNilType:
		return nil, nil
	case lua.LBool:
		return bool(v), nil
	case lua.LString:
		return string(v), nil
	case lua.LNumber:
		return Number(v), nil
	case *lua.LTable:
		if depth == maxDepthToGo {
			return nil, fmt.Errorf("%s: nested more than %d deep, or a table that contains itself", orValue(path), maxDepthToGo)
		}
		return tableToGo(L, v, path, depth)
	case *lua.LUserData:
		if IsNull(L, v) {
			return nil, nil
		}
		if s, ok := v.Value.(fmt.Stringer); ok {
			return s.String(), nil
		}
		if t := View(L, v); t != nil && depth < maxDepthToGo {
			return tableToGo(L, t, path, depth)
		}
	}
	return nil, fmt.Errorf("%s: a %s can't leave Lua", orValue(path), v.Type())
}

// Number returns n as int64 when it is whole and exact, else as float64.
func Number(n lua.LNumber) any {
	if f := float64(n); f == math.Trunc(f) && math.Abs(f) <= maxInteger {
		return int64(f)
	}
	return float64(n)
}

func tableToGo(L *lua.LState, t *lua.LTable, path string, depth int) (any, error) {
	if n := t.Len(); n > 0 || IsArray(L, t) {
		list := make([]any, 0, n)
		for i := 1; i <= n; i++ {
			x, err := toGo(L, t.RawGetInt(i), fmt.Sprintf("%s[%d]", path, i), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, x)
		}
		return list, nil
	}
	m := make(map[string]any)
	var bad error
	t.ForEach(func(k, v lua.LValue) {
		if bad != nil {
			return
		}
		name := k.String()
		x, err := toGo(L, v, join(path, name), depth+1)
		if err != nil {
			bad = err
			return
		}
		m[name] = x
	})
	return m, bad
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func orValue(path string) string {
	if path == "" {
		return "value"
	}
	return path
}

// Keys returns the string keys of t in order.
func Keys(t *lua.LTable) []string {
	var keys []string
	t.ForEach(func(k, _ lua.LValue) {
		if s, ok := k.(lua.LString); ok {
			keys = append(keys, string(s))
		}
	})
	slices.Sort(keys)
	return keys
}
