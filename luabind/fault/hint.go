package fault

import (
	"fmt"
	"regexp"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"rws/server/suggest"
)

// hint says what to do about a culprit; "" when we don't know. frames are those that
// ran, the one with the culprit first among the Lua ones.
func hint(frames []frame, c *culprit) string {
	f, at := firstLua(frames)
	if at < 0 {
		return ""
	}
	if text := selfHint(frames, at, c); text != "" {
		return text
	}
	if c.symbol != nil {
		if text := foreignNil(c); text != "" {
			return text
		}
		if c.value == lua.LNil {
			if text := missing(f, c); text != "" {
				return text
			}
			if text := origin(f, c.symbol); text != "" {
				return text
			}
		}
	}
	if text := general(f, c); text != "" {
		return text
	}
	return notPassed(frames, at, c)
}

// notPassed explains a parameter that the caller gave no value for.
func notPassed(frames []frame, at int, c *culprit) string {
	f := frames[at]
	if c.symbol == nil || c.symbol.kind != local || c.value != lua.LNil || at+1 >= len(frames) || frames[at+1].isGo() || tailCalls(f) > 0 {
		return ""
	}
	if slot := c.symbol.slot; slot >= parameters(f.fn.Proto) || lastWrite(f.fn.Proto, f.pc, slot) >= 0 {
		return ""
	}
	return fmt.Sprintf("`%s` is a parameter, and the call at line %d of %s passes nil for it", c.symbol.name, frames[at+1].line, frames[at+1].file())
}

func firstLua(frames []frame) (frame, int) {
	for i, f := range frames {
		if !f.isGo() {
			return f, i
		}
	}
	return frame{}, -1
}

// selfHint finds a method that was called with a dot: its self is not the object.
func selfHint(frames []frame, at int, c *culprit) string {
	if c.use == passed && c.arg == 1 && c.callee.kind == field {
		return dotHint(frames[at], c)
	}
	f := frames[at]
	if c.symbol == nil || f.fn.Proto.NumParameters == 0 || len(f.fn.Proto.DbgLocals) == 0 || f.fn.Proto.DbgLocals[0].Name != "self" {
		return ""
	}
	if root := c.symbol.root(); root.kind != local || root.name != "self" || root.slot != 0 {
		return ""
	}
	if at+1 >= len(frames) || tailCalls(f) > 0 {
		return ""
	}
	called := frames[at+1].callee()
	if called == nil || called.kind != field || called.index != nil {
		return ""
	}
	return fmt.Sprintf("call it as `%s:%s(…)` (colon) at line %d: with a dot, self is the first argument",
		called.parent.text(), called.name, frames[at+1].line)
}

// dotHint is for a Go function whose first argument should be the object it belongs to.
func dotHint(f frame, c *culprit) string {
	object, ok := f.lookup(c.callee.parent)
	if !ok || c.callee.parent.kind == constant {
		return ""
	}
	switch object := object.(type) {
	case *lua.LTable: // a library, as string or table, unless it has methods
		mt, ok := object.Metatable.(*lua.LTable)
		if !ok {
			return ""
		}
		index := mt.RawGetString("__index")
		if fn, ok := index.(*lua.LFunction); index == lua.LNil || ok && fn.IsG {
			return "" // a library, or a module of rws
		}
	case *lua.LUserData, lua.LString:
	default:
		return ""
	}
	if c.value == object {
		return ""
	}
	return ColonHint(c.callee.parent.text(), c.callee.name)
}

// foreignNil knows the names that other languages have for nil.
func foreignNil(c *culprit) string {
	if root := c.symbol.root(); root.kind == global && c.value == lua.LNil {
		switch root.name {
		case "null", "undefined", "None", "NULL":
			return fmt.Sprintf("`%s` is an undeclared variable: Lua has nil, and rws.null stands for null in JSON", root.name)
		case "this":
			return "Lua has no `this`: define the function with a colon and use self"
		}
	}
	return ""
}

// missing explains a name that does not exist: a global, or a field of something that
// does. Only values that are plain tables can be looked into.
func missing(f frame, c *culprit) string {
	s := c.symbol
	if s.kind == field && s.index == nil && c.use != called {
		if n, ok := s.key.(lua.LNumber); ok && n == 0 {
			return fmt.Sprintf("lists begin at 1: the first element is %s[1]", s.parent.text())
		}
	}
	switch s.kind {
	case global:
		return missingGlobal(f, c)
	case field, method:
		return missingField(f, c)
	}
	return ""
}

func missingGlobal(f frame, c *culprit) string {
	name := c.symbol.name
	names := append(f.variables(), keysOf(f.fn.Env)...)
	if slices.Contains(names, name) {
		return "" // it is there, and nil
	}
	if line := declaredAt(f, name); line > f.line {
		return fmt.Sprintf("`%s` is declared further down, at line %d: move it above its first use", name, line)
	} else if line > 0 {
		return fmt.Sprintf("`%s` is declared at line %d, inside a block or function that has ended", name, line)
	}
	if near := suggest.Closest(name, names); near != "" {
		return fmt.Sprintf("did you mean `%s`?", near)
	}
	if c.use == called {
		return fmt.Sprintf("there is no function `%s`: declare it above this line, or require the file that has it", name)
	}
	return fmt.Sprintf("there is no variable `%s`", name)
}

func missingField(f frame, c *culprit) string {
	s := c.symbol
	if s.index != nil {
		return ""
	}
	object, ok := f.object(s)
	if !ok {
		return ""
	}
	if text := laterLua(s, c, object, f.L); text != "" {
		return text
	}
	_, isText := object.(lua.LString)
	if isText {
		object = f.L.G.Global.RawGetString("string")
	}
	near := suggest.Closest(s.name, members(object))
	switch {
	case near == "":
		return ""
	case isText && s.parent.kind == constant:
		return fmt.Sprintf("did you mean `(%s):%s`?", s.parent.text(), near)
	case isText:
		return fmt.Sprintf("did you mean `%s:%s`?", s.parent.text(), near)
	}
	return fmt.Sprintf("did you mean `%s`?", joined(s, object, near))
}

// laterLua knows functions that versions of Lua after 5.1 have in a library.
func laterLua(s *symbol, c *culprit, object lua.LValue, L *lua.LState) string {
	if c.use != called {
		return ""
	}
	switch object {
	case L.G.Global.RawGetString("table"):
		return map[string]string{
			"unpack": "Lua 5.1 has it as a global: write unpack(…)",
			"pack":   `Lua 5.1 has no table.pack: write { … }, and select("#", …) for how many there are`,
			"move":   "Lua 5.1 has no table.move: copy with a loop, for i = 1, #from do to[i] = from[i] end",
		}[s.name]
	case L.G.Global.RawGetString("math"):
		return map[string]string{
			"tointeger": "Lua 5.1 has no integers of their own: write math.floor(x)",
			"type":      "Lua 5.1 has no integers of their own: x == math.floor(x) tells whether x is whole",
		}[s.name]
	}
	return ""
}

// variables returns the names of the locals and upvalues that f sees.
func (f frame) variables() []string {
	var names []string
	for r := range int(f.fn.Proto.NumUsedRegisters) {
		name := localName(f.fn.Proto, f.pc, r)
		if name == "" {
			break
		}
		names = append(names, name)
	}
	return append(names, f.fn.Proto.DbgUpvalues...)
}

// declaredAt returns the first line of f's file that declares a local of this name, 0
// when there is none.
func declaredAt(f frame, name string) int {
	text, ok := stateOf(f.L).sources[f.file()]
	if !ok {
		return 0
	}
	declaration := regexp.MustCompile(`(?m)^[^\n]*?\blocal\s+(?:function\s+)?(?:\w+\s*,\s*)*` + regexp.QuoteMeta(name) + `\b`)
	at := declaration.FindStringIndex(text)
	if at == nil {
		return 0
	}
	return newSource(text).lineOf(at[0])
}

// object returns the value that s is a member of. For a method the failing call still
// has it as its first argument.
func (f frame) object(s *symbol) (lua.LValue, bool) {
	if in, ok := f.instruction(); s.kind == method && ok && (in.op() == lua.OP_CALL || in.op() == lua.OP_TAILCALL) {
		return f.local(in.a() + 1), true
	}
	return f.lookup(s.parent)
}

// nameTable returns the methods (true) and fields (false) of an object of rws.
func nameTable(ud *lua.LUserData) *lua.LTable {
	mt, ok := ud.Metatable.(*lua.LTable)
	if !ok {
		return nil
	}
	names, _ := mt.RawGetString("__names").(*lua.LTable)
	return names
}

// joined writes a member with the separator its object wants.
func joined(s *symbol, object lua.LValue, name string) string {
	separator := "."
	if _, isTable := object.(*lua.LTable); s.kind == method || !isTable {
		separator = ":"
	}
	if ud, ok := object.(*lua.LUserData); ok {
		if names := nameTable(ud); names != nil && names.RawGetString(name) == lua.LFalse {
			separator = "."
		}
	}
	return s.parent.text() + separator + name
}

// members returns the names of an object's fields and methods.
func members(v lua.LValue) []string {
	var names []string
	for range maxPath {
		var mt lua.LValue = lua.LNil
		switch o := v.(type) {
		case *lua.LTable:
			names = append(names, keysOf(o)...)
			mt = o.Metatable
		case *lua.LUserData:
			mt = o.Metatable
			names = append(names, keysOf(nameTable(o))...)
		}
		t, ok := mt.(*lua.LTable)
		if !ok {
			break
		}
		v = t.RawGetString("__index")
	}
	return names
}

// maxNames bounds how many keys of a table are compared with a misspelt one.
const maxNames = 500

func keysOf(t *lua.LTable) []string {
	if t == nil {
		return nil
	}
	var names []string
	for key, _ := t.Next(lua.LNil); key != lua.LNil && len(names) < maxNames; key, _ = t.Next(key) {
		if s, ok := key.(lua.LString); ok && isName(string(s)) {
			names = append(names, string(s))
		}
	}
	return names
}
