package inspect

import (
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// elementsSeen bounds how many elements of a table a computed key may mean.
const elementsSeen = 64

// computed is how a computed key shows in a name.
const computed = "[…]"

// meta returns a metamethod of t, nil when it has none.
func meta(t *lua.LTable, event string) lua.LValue {
	mt, ok := t.Metatable.(*lua.LTable)
	if !ok {
		return nil
	}
	if v := mt.RawGetString(event); v != lua.LNil {
		return v
	}
	return nil
}

// global returns what the global of that name holds.
func (f *frame) global(name string) set {
	if f.env == nil {
		return nil
	}
	return one(f.value(f.env.RawGetString(name), name))
}

// index returns what the tables hold under the key.
func (f *frame) index(tables, key set) set {
	var out set
	for _, t := range tables {
		switch {
		case t.made != nil:
			out = out.union(t.made.get(key))
		case t.inside:
			out = out.union(one(t))
		case t.object != nil:
			out = out.union(f.ofObject(t, key))
		case t.table != nil && len(key) == 0:
			out = out.union(f.elements(t))
		case t.table != nil:
			for _, k := range key {
				out = out.union(f.field(t, k))
			}
		}
	}
	return out
}

// ofObject returns the tables that an object has under the key.
func (f *frame) ofObject(t *atom, key set) (out set) {
	for _, k := range key {
		if name, ok := k.key.(lua.LString); ok {
			if table := f.analysis.field(t.object, string(name)); table != nil {
				out = out.union(one(f.value(table, f.label(t, name))))
			}
		}
	}
	return out
}

// field returns what a live table holds under a key, which is a constant or nothing
// that can be told.
func (f *frame) field(t, key *atom) set {
	if key.key == nil {
		return f.elements(t)
	}
	label := f.label(t, key.key)
	holder := t.table
	for range maxMeta {
		if v := holder.RawGet(key.key); v != lua.LNil {
			return one(f.value(v, label))
		}
		switch next := meta(holder, "__index").(type) {
		case nil:
			return one(f.something(t, label[len(t.name):]))
		case *lua.LTable:
			holder = next
		default:
			if fn := f.value(next, t.name); fn != nil && fn.fn != nil {
				return first(f.enter(fn.fn, []set{one(t), one(key)}, f))
			}
			return nil
		}
	}
	return nil
}

func first(results []set) set {
	if len(results) == 0 {
		return nil
	}
	return results[0]
}

// label is how the script calls a field of t.
func (f *frame) label(t *atom, key lua.LValue) string {
	if s, ok := key.(lua.LString); ok {
		return t.name + "." + string(s)
	}
	return t.name + "[" + key.String() + "]"
}

// elements returns what a live table may hold under a computed key: the functions and
// tables it holds now, and something unknown unless it holds other things only.
func (f *frame) elements(t *atom) set {
	values := entries(t.table, elementsSeen)
	out := set(nil)
	unknown := len(values) == 0
	for _, v := range values {
		if e := f.value(v, t.name+computed); e != nil {
			unknown = unknown || e.table != nil
			out = out.union(one(e))
		}
	}
	if unknown {
		out = one(f.something(t, computed)).union(out)
	}
	return out
}

// assign does tables[key] = value.
func (f *frame) assign(tables, key, value set) {
	for _, t := range tables {
		if t.made != nil {
			f.put(t.made, key, value)
			continue
		}
		if isClassIndex(t, key, value) || f.inLibrary(tables, key) {
			continue
		}
		f.assignOne(t, key, value)
	}
}

// isClassIndex tells whether the assignment is class.__index = class, as constructors
// of classes do each time they run.
func isClassIndex(t *atom, key, value set) bool {
	return len(key) == 1 && key[0].key == lua.LString("__index") && slices.Contains(value, t)
}

func (f *frame) assignOne(t *atom, key, value set) {
	for range maxMeta {
		if t.table == nil || t.table == f.env {
			break
		}
		handler := meta(t.table, "__newindex")
		if handler == nil {
			break
		}
		next := f.value(handler, t.name)
		if next == nil || next.native != 0 {
			return // written in Go: it knows what it does
		}
		if next.fn != nil {
			f.enter(next.fn, []set{one(t), key, value}, f)
			return
		}
		t = next
	}
	f.change(t, key)
}

// inLibrary reports a change of the library, if nothing else can be what is changed.
func (f *frame) inLibrary(tables, key set) bool {
	if len(tables) != 1 || tables[0].table == nil || len(key) != 1 || key[0].key == nil {
		return false
	}
	table := tables[0].table
	if table == f.env {
		table = nil
	}
	name, ok := f.library(table, key[0].key.String())
	if ok {
		f.report(LibraryWrite, name)
	}
	return ok
}

// change reports that what t holds is changed.
func (f *frame) change(t *atom, key set) {
	switch {
	case t.table != nil && t.table == f.env:
		name := t.name + computed
		if len(key) == 1 && key[0].key != nil {
			name = key[0].key.String()
		}
		f.report(GlobalWrite, name)
	case t.object != nil:
		for _, field := range f.ofObject(t, key) {
			f.report(TableWrite, field.name)
		}
	case t.table != nil || t.inside:
		f.report(TableWrite, t.name)
	}
}
