package inspect

import (
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// An atom is one thing a register may hold, if it matters here: a table or something in
// a table that outlives the call, a Lua function, a library function, or a constant.
// Atoms are interned, so equal means identical.
type atom struct {
	id     int
	name   string      // as the script calls it
	table  *lua.LTable // a live table
	object *lua.LUserData
	inside bool  // something in a live table, not known what
	made   *made // a table that the code makes
	fn     *function
	native native
	goFn   *lua.LFunction // a function of Go that Options.Call may know
	key    lua.LValue     // a constant
}

// A function is Lua code with its captured variables.
type function struct {
	proto    *lua.FunctionProto
	name     string
	upvalues []upvalue
	// nested is true when the code looked at makes it: a closure with no life of its
	// own yet. Then via is that of its maker, and version counts changes of upvalues.
	nested  bool
	via     string
	version int
}

// An upvalue is a captured variable.
type upvalue struct {
	name string
	cell *lua.Upvalue // nil when it belongs to the call that is looked at
	held set          // without a cell: what it may hold
}

// inside is the key of an atom for something in a table.
type inside struct {
	table *lua.LTable
	field string
}

func (a *analysis) add(t atom) *atom {
	t.id = a.next
	a.next++
	return &t
}

// value returns the atom for a live value found under a name, nil when it cannot matter.
func (a *analysis) value(v lua.LValue, name string) *atom {
	if v == nil {
		return nil
	}
	if t := a.atoms[v]; t != nil {
		return t
	}
	var t *atom
	switch v := v.(type) {
	case *lua.LTable:
		t = a.add(atom{name: name, table: v})
	case *lua.LFunction:
		t = a.function(v, name)
	case *lua.LUserData:
		if a.field != nil {
			t = a.add(atom{name: name, object: v})
		}
	}
	if t != nil {
		a.atoms[v] = t
	}
	return t
}

func (a *analysis) function(fn *lua.LFunction, name string) *atom {
	if fn.IsG {
		if n := a.natives[fn]; n != 0 {
			return a.add(atom{name: name, native: n})
		}
		if a.goCall != nil {
			return a.add(atom{name: name, goFn: fn})
		}
		return nil
	}
	f := &function{proto: fn.Proto, name: name}
	for n, cell := range fn.Upvalues {
		f.upvalues = append(f.upvalues, upvalue{name: upvalueName(fn.Proto, n), cell: cell})
	}
	return a.add(atom{name: name, fn: f})
}

// constant returns the atom of a constant.
func (a *analysis) constant(v lua.LValue) *atom {
	switch v := v.(type) {
	case lua.LString:
	case lua.LNumber:
		if v != v {
			return nil // never found again in a map
		}
	default:
		return nil
	}
	t := a.atoms[v]
	if t == nil {
		t = a.add(atom{key: v})
		a.atoms[v] = t
	}
	return t
}

// something returns the atom for what is in a table under a field that holds nothing
// yet, or that is computed.
func (a *analysis) something(t *atom, field string) *atom {
	k := inside{t.table, field}
	in := a.insides[k]
	if in == nil {
		in = a.add(atom{name: t.name + field, inside: true})
		a.insides[k] = in
	}
	return in
}

// A set is what a register may hold; empty means nothing that matters.
type set []*atom

// maxSet bounds a set: what comes later is dropped.
const maxSet = 16

func one(t *atom) set {
	if t == nil {
		return nil
	}
	return set{t}
}

// union returns s with the atoms of t, s itself when it has them all.
func (s set) union(t set) set {
	if len(s) == 0 {
		return t
	}
	out := s
	for _, x := range t {
		if len(out) < maxSet && !slices.Contains(out, x) {
			out = append(slices.Clip(out), x)
		}
	}
	return out
}

// identity is a text that only equal lists of sets share, "" for nothing that matters.
func identity(sets []set) string {
	var b strings.Builder
	for i, s := range sets {
		for _, t := range s {
			if t.made != nil && !t.made.full {
				continue
			}
			b.WriteString(strconv.Itoa(i))
			b.WriteByte(':')
			b.WriteString(strconv.Itoa(t.id))
			b.WriteByte(' ')
		}
	}
	return b.String()
}
