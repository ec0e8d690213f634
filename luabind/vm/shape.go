package vm

import (
	"maps"
	"reflect"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// A Shape makes tables that have the same names as keys, as rows of a result do. Setting a key
// of a table takes 3 allocations in gopher-lua, most of them for the order of the keys, which is
// the same in each row: of 20 rows with 5 columns that is 340 allocations of 660. A shape keeps
// the order and copies it (BenchmarkShape).
type Shape struct {
	names  []string
	keys   []lua.LValue
	places map[lua.LValue]int // of keys, in keys
}

// table mirrors lua.LTable, whose fields are not exported. Where the mirror does not fit
// (another version of the library) keys are set one by one. TestShapeLayout says so.
type table struct {
	Metatable lua.LValue
	array     []lua.LValue
	dict      map[lua.LValue]lua.LValue
	strdict   map[string]lua.LValue
	keys      []lua.LValue
	k2i       map[lua.LValue]int
}

var tableFits = mirrors(reflect.TypeFor[lua.LTable](), reflect.TypeFor[table](), "Metatable", "array", "dict", "strdict", "keys", "k2i")

// NewShape returns the shape of tables with these names, which must differ.
func NewShape(names []string) *Shape {
	s := &Shape{names: names, keys: make([]lua.LValue, len(names)), places: make(map[lua.LValue]int, len(names))}
	for i, name := range names {
		s.keys[i] = lua.LString(name)
		s.places[s.keys[i]] = i
	}
	return s
}

// Names are the keys, in order.
func (s *Shape) Names() []string { return s.names }

// New returns a table whose keys are the names that have a value other than nil. value is asked
// for each place, in order.
func (s *Shape) New(L *lua.LState, value func(place int) lua.LValue) *lua.LTable {
	t := L.CreateTable(0, len(s.names))
	Made(L, t)
	if !tableFits {
		for i, name := range s.names {
			t.RawSetString(name, value(i))
		}
		return t
	}
	inside := (*table)(unsafe.Pointer(t))
	for i, name := range s.names {
		if v := value(i); v != lua.LNil {
			inside.strdict[name] = v
		}
	}
	if len(s.names) > 0 {
		inside.keys = s.keys[:len(s.keys):len(s.keys)] // a key that is added makes a copy
		inside.k2i = maps.Clone(s.places)
	}
	return t
}
