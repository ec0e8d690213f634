package bind

import (
	"cmp"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/server/suggest"
)

// A Module is a table of functions that scripts reach by its name, as "rws.http". It
// is data: one list of modules is the whole interface, and the contract test reads it.
type Module struct {
	Name  string
	Funcs []Func
	Types []Type
	// Values makes the module's fields that are not functions.
	Values func(L *lua.LState) map[string]lua.LValue
}

// A Type is a kind of userdata: methods, and fields that are computed when they are
// read. Name is the class in its documentation, as "rws.Response"; As is the variable
// that scripts usually call such an object, for error texts ("c" gives "c:json").
type Type struct {
	Name    string
	As      string
	Methods []Func
	// Fields are read-only unless Set says otherwise.
	Fields map[string]func(L *lua.LState, self any) lua.LValue
	// Set stores a field; it reports false when the field can't be set. Optional.
	Set func(L *lua.LState, self any, key string, v lua.LValue) bool
	// String is what tostring gives. Default: the Name.
	String func(self any) string
	// Index looks up keys that are neither methods nor Fields. Default: a key that
	// nobody knows raises with the nearest name. Optional.
	Index func(L *lua.LState, self any, key string) (lua.LValue, bool)
	// Elsewhere are names of methods that other programs have for those here. Optional.
	Elsewhere map[string]string
	// View is the object as a table, which pairs goes over and JSON and the log show. Optional.
	View func(L *lua.LState, self any) *lua.LTable
	// Meta are further metamethods by name, as "__add". They get their operands in the
	// order the script wrote them, so that either may be the object. Optional.
	Meta map[string]lua.LGFunction
}

// Open makes the module's table and its types in L's isolate.
func (m Module) Open(L *lua.LState) *lua.LTable {
	for _, t := range m.Types {
		t.Open(L)
	}
	table := L.CreateTable(0, len(m.Funcs))
	for _, f := range m.Funcs {
		table.RawSetString(f.Name(), f.Bind(L, m.Name+"."+f.Name()))
	}
	if m.Values != nil {
		for name, v := range m.Values(L) {
			table.RawSetString(name, v)
		}
	}
	return table
}

// here is a hint at the method that is called otherwise elsewhere; "" for none.
func (t Type) here(key string) string {
	name := t.Elsewhere[key]
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (it is %s:%s here)", t.As, name)
}

// Open makes the type's metatable in L's isolate.
func (t Type) Open(L *lua.LState) {
	mt := L.NewTypeMetatable(t.Name)
	methods := L.CreateTable(0, len(t.Methods))
	names := make([]string, 0, len(t.Methods)+len(t.Fields))
	for _, f := range t.Methods {
		methods.RawSetString(f.Name(), f.Bind(L, t.As+":"+f.Name()))
		names = append(names, f.Name())
	}
	for name := range t.Fields {
		names = append(names, name)
	}
	mt.RawSetString("__index", L.NewFunction(func(L *lua.LState) int {
		key := L.CheckString(2)
		if m := methods.RawGetString(key); m != lua.LNil {
			L.Push(m)
			return 1
		}
		self := L.CheckUserData(1).Value
		if f, ok := t.Fields[key]; ok {
			L.Push(f(L, self))
			return 1
		}
		if t.Index != nil {
			if v, ok := t.Index(L, self, key); ok {
				L.Push(v)
				return 1
			}
		}
		fault.Raisef(L, "field", "%s has no field %q%s", t.As, key, cmp.Or(t.here(key), suggest.DidYouMean(key, names)))
		return 0
	}))
	mt.RawSetString("__newindex", L.NewFunction(func(L *lua.LState) int {
		key := L.CheckString(2)
		if t.Set == nil || !t.Set(L, L.CheckUserData(1).Value, key, L.Get(3)) {
			fault.Raisef(L, "field", "%s.%s can't be set", t.As, key)
		}
		return 0
	}))
	mt.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int {
		text := t.Name
		if t.String != nil {
			text = t.String(L.CheckUserData(1).Value)
		}
		L.Push(lua.LString(text))
		return 1
	}))
	if t.View != nil {
		mt.RawSetString("__pairs", L.NewFunction(func(L *lua.LState) int {
			L.Push(t.View(L, L.CheckUserData(1).Value))
			return 1
		}))
	}
	mt.RawSetString("__names", t.names(L))
	for event, f := range t.Meta {
		mt.RawSetString(event, L.NewFunction(f))
	}
	mt.RawSetString("__metatable", lua.LString(t.Name))
}

// names are the methods (true) and the fields (false), for hints.
func (t Type) names(L *lua.LState) *lua.LTable {
	names := L.CreateTable(0, len(t.Methods)+len(t.Fields))
	for name := range t.Fields {
		names.RawSetString(name, lua.LFalse)
	}
	for _, f := range t.Methods {
		names.RawSetString(f.Name(), lua.LTrue)
	}
	return names
}

// View returns the table that stands for a userdata, by its metamethod __pairs, nil when there
// is none.
func View(L *lua.LState, ud *lua.LUserData) *lua.LTable {
	mt, ok := ud.Metatable.(*lua.LTable)
	if !ok {
		return nil
	}
	view, ok := mt.RawGetString("__pairs").(*lua.LFunction)
	if !ok {
		return nil
	}
	L.Push(view)
	L.Push(ud)
	L.Call(1, 1)
	t, _ := L.Get(-1).(*lua.LTable)
	L.Pop(1)
	return t
}

// New returns self as a userdata of the type called name.
func New(L *lua.LState, name string, self any) *lua.LUserData {
	return &lua.LUserData{Value: self, Env: L.Env, Metatable: L.GetTypeMetatable(name)}
}

// Self returns the object a method was called on, or raises what to write instead:
// app.get("/") has no object.
func Self[T any](L *lua.LState, name string) *T {
	if ud, ok := L.Get(1).(*lua.LUserData); ok {
		if p, ok := ud.Value.(*T); ok {
			return p
		}
	}
	object, method, _ := strings.Cut(name, ":")
	fault.Raise(L, &fault.Error{Code: "argument", Message: fmt.Sprintf("use `%s:%s(…)` with a colon: `%s.%s(…)` leaves out the object",
		object, method, object, method)})
	return nil
}

// Method0 binds a method of T without arguments.
func Method0[T, R any](sig string, f func(*T) (R, error)) Func {
	r := give[R](sig)
	return Func{Sig: sig, make: func(name string) lua.LGFunction {
		return func(L *lua.LState) int { v, err := f(Self[T](L, name)); return r.result(L, name, v, err) }
	}}
}

// Method1 binds a method of T with one argument.
func Method1[T, A, R any](sig string, f func(*T, A) (R, error)) Func {
	a, r := take[A](sig), give[R](sig)
	return Func{Sig: sig, make: func(name string) lua.LGFunction {
		return func(L *lua.LState) int {
			v, err := f(Self[T](L, name), a.at(L, name, 2))
			return r.result(L, name, v, err)
		}
	}}
}

// Method2 binds a method of T with two arguments.
func Method2[T, A, B, R any](sig string, f func(*T, A, B) (R, error)) Func {
	a, b, r := take[A](sig), take[B](sig), give[R](sig)
	return Func{Sig: sig, make: func(name string) lua.LGFunction {
		return func(L *lua.LState) int {
			v, err := f(Self[T](L, name), a.at(L, name, 2), b.at(L, name, 3))
			return r.result(L, name, v, err)
		}
	}}
}

// RawMethod binds a method of T that works on the Lua stack; its arguments start at 2.
func RawMethod[T any](sig string, f func(L *lua.LState, self *T) int) Func {
	return Func{Sig: sig, make: func(name string) lua.LGFunction {
		return func(L *lua.LState) int { return f(L, Self[T](L, name)) }
	}}
}

// RawWaitMethod is RawMethod for a method that releases the lock itself, by vm.Wait.
func RawWaitMethod[T any](sig string, f func(L *lua.LState, self *T) int) Func {
	m := RawMethod(sig, f)
	m.Waits = true
	return m
}
