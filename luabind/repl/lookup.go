package repl

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/luadoc"
)

// A target is what a path of names leads to: a live value, and the name under which the
// library documents it. Either may be missing.
type target struct {
	value lua.LValue
	doc   string // "rws.http", "rws.DB", "rws.DB.one"
}

// A lookup follows names without running Lua code or metamethods. It works with the
// isolate's lock held.
type lookup struct {
	scope *scope
	docs  *luadoc.Package // may be nil
	known map[lua.LValue]string
}

func (s *Session) lookup() *lookup {
	sc := s.scope.Load()
	return &lookup{scope: sc, docs: s.host.Docs(), known: libraryNames(sc.globals)}
}

// libraryNames returns the tables and functions of the library by identity, so that
// `local http = rws.http` is still known as rws.http.
func libraryNames(globals *lua.LTable) map[lua.LValue]string {
	known := make(map[lua.LValue]string)
	var add func(name string, v lua.LValue, depth int)
	add = func(name string, v lua.LValue, depth int) {
		switch v := v.(type) {
		case *lua.LFunction:
			if v.IsG && known[v] == "" {
				known[v] = name
			}
		case *lua.LTable:
			if known[v] != "" || depth == 0 {
				return
			}
			known[v] = name
			v.ForEach(func(k, x lua.LValue) {
				if key, ok := k.(lua.LString); ok {
					add(name+"."+string(key), x, depth-1)
				}
			})
		}
	}
	add("rws", globals.RawGetString("rws"), 4)
	globals.ForEach(func(k, v lua.LValue) {
		if _, isFunction := v.(*lua.LFunction); isFunction {
			add(k.String(), v, 0)
		}
	})
	for _, name := range []string{"string", "table", "math", "os", "coroutine", "debug"} {
		add(name, globals.RawGetString(name), 2)
	}
	return known
}

// path follows names from the first, a variable.
func (l *lookup) path(names []string) (target, bool) {
	if len(names) == 0 || names[0] == "" {
		return target{}, false
	}
	t := l.named(l.scope.index(names[0]), names[0])
	for _, name := range names[1:] {
		next, ok := l.member(t, name)
		if !ok {
			return target{}, false
		}
		t = next
	}
	return t, t.value != lua.LNil || t.doc != ""
}

// named returns the target for a value that scripts reach by a name.
func (l *lookup) named(v lua.LValue, name string) target {
	t := target{value: v, doc: l.documented(v)}
	if _, isData := v.(*lua.LTable); t.doc == "" && !isData && v != lua.LNil && l.docs != nil {
		if _, ok := l.docs.Lookup(name); ok {
			t.doc = name
		}
	}
	return t
}

// documented returns the name of a value's documentation.
func (l *lookup) documented(v lua.LValue) string {
	if ud, ok := v.(*lua.LUserData); ok {
		return className(ud)
	}
	switch v.(type) {
	case *lua.LTable, *lua.LFunction:
		return l.known[v]
	}
	return ""
}

// className is the class of a userdata: bind gives it to the metatable as __metatable.
func className(ud *lua.LUserData) string {
	mt, ok := ud.Metatable.(*lua.LTable)
	if !ok {
		return ""
	}
	name, _ := mt.RawGetString("__metatable").(lua.LString)
	return string(name)
}

// member returns a field of a value as far as it can be known without asking the value.
func (l *lookup) member(t target, name string) (target, bool) {
	next := target{value: lua.LNil}
	if number, ok := strings.CutPrefix(name, "["); ok {
		if n, err := strconv.ParseFloat(strings.TrimSuffix(number, "]"), 64); err == nil {
			if table, ok := t.value.(*lua.LTable); ok {
				next.value = table.RawGet(lua.LNumber(n))
			}
		}
		return next, next.value != lua.LNil
	}
	if table, ok := t.value.(*lua.LTable); ok {
		next.value = rawField(table, name)
		next.doc = l.documented(next.value)
	}
	if _, ok := t.value.(lua.LString); ok {
		if library, ok := l.scope.globals.RawGetString("string").(*lua.LTable); ok {
			next.value = library.RawGetString(name)
			next.doc = l.documented(next.value)
		}
	}
	if next.doc == "" && t.doc != "" && l.docs != nil {
		if s, ok := l.docs.Lookup(t.doc + "." + name); ok {
			next.doc = l.classOf(s, t.doc+"."+name)
		}
	}
	return next, next.value != lua.LNil || next.doc != ""
}

// classOf returns the class that a documented field holds, else the name itself.
func (l *lookup) classOf(s luadoc.Symbol, name string) string {
	if f, ok := s.(*luadoc.Field); ok {
		class := strings.TrimSuffix(f.Type, "?")
		if _, ok := l.docs.Lookup(class); ok {
			return class
		}
	}
	return name
}

// rawField looks into a table and into the tables that __index names.
func rawField(t *lua.LTable, name string) lua.LValue {
	for range 8 {
		if v := t.RawGetString(name); v != lua.LNil {
			return v
		}
		mt, ok := t.Metatable.(*lua.LTable)
		if !ok {
			return lua.LNil
		}
		if t, ok = mt.RawGetString("__index").(*lua.LTable); !ok {
			return lua.LNil
		}
	}
	return lua.LNil
}

// symbol returns the documentation of a target.
func (l *lookup) symbol(t target) (luadoc.Symbol, bool) {
	if l.docs == nil || t.doc == "" {
		return nil, false
	}
	return l.docs.Lookup(t.doc)
}

// splitPath splits "db:one" and "rws.json.encode" into names.
func splitPath(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == ':' })
}
