package fault

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// typeName is the name of the metatable of raised errors.
const typeName = "rws.error"

// stateKey is where an isolate keeps its state.
const stateKey = "rws.fault"

// A state is what the package knows about one isolate.
type state struct {
	// raise and assert are Lua's own error and assert.
	raise, assert lua.LValue
	sources       map[string]string // texts of the files that Load compiled
	chunks        chunks
}

// Install makes the metatable of raised errors. Call it once per isolate, before a
// script can replace Lua's own functions.
func Install(L *lua.LState) {
	s := &state{raise: L.G.Global.RawGetString("error"), assert: L.G.Global.RawGetString("assert"), sources: make(map[string]string)}
	ud := L.NewUserData()
	ud.Value = s
	L.G.Registry.RawSetString(stateKey, ud)

	installLoad(L)
	mt := L.NewTypeMetatable(typeName)
	mt.RawSetString("__index", L.NewFunction(index))
	mt.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LString(check(L, 1).Error()))
		return 1
	}))
	mt.RawSetString("__concat", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LString(L.ToStringMeta(L.Get(1)).String() + L.ToStringMeta(L.Get(2)).String()))
		return 1
	}))
	mt.RawSetString("__eq", L.NewFunction(func(L *lua.LState) int {
		L.Push(lua.LBool(check(L, 1) == check(L, 2)))
		return 1
	}))
	mt.RawSetString("__metatable", lua.LString("error"))
}

// stateOf returns the state of L's isolate, an empty one before Install.
func stateOf(L *lua.LState) *state {
	if ud, ok := L.G.Registry.RawGetString(stateKey).(*lua.LUserData); ok {
		if s, ok := ud.Value.(*state); ok {
			return s
		}
	}
	return &state{}
}

func check(L *lua.LState, n int) *Error {
	if e, ok := From(L.Get(n)); ok {
		return e
	}
	L.ArgError(n, "error expected")
	return nil
}

func index(L *lua.LState) int {
	e := check(L, 1)
	switch key := L.CheckString(2); key {
	case "code":
		pushText(L, e.Code)
	case "message":
		L.Push(lua.LString(e.Message))
	case "at":
		pushText(L, e.At)
	case "hint":
		pushText(L, e.Hint)
	case "status":
		if e.Status == 0 {
			L.Push(lua.LNumber(500))
		} else {
			L.Push(lua.LNumber(e.Status))
		}
	case "traceback":
		L.Push(lua.LString(e.traceback()))
	case "fields":
		L.Push(fieldsTable(L, e.Fields))
	default:
		if text, ok := e.More[key]; ok {
			L.Push(lua.LString(text))
			return 1
		}
		L.Push(raised(L.Get(1)).RawGetString(key))
	}
	return 1
}

// pushText pushes text, nil when there is none.
func pushText(L *lua.LState, text string) {
	if text == "" {
		L.Push(lua.LNil)
	} else {
		L.Push(lua.LString(text))
	}
}

func (e *Error) traceback() string {
	if len(e.Frames) == 0 {
		return e.Error()
	}
	return e.Error() + "\n\t" + e.trace("\n\t")
}

// fieldsTable returns the fields as a list of tables, nil when there are none.
func fieldsTable(L *lua.LState, fields []Field) lua.LValue {
	if len(fields) == 0 {
		return lua.LNil
	}
	list := L.CreateTable(len(fields), 0)
	for _, f := range fields {
		t := L.CreateTable(0, 3)
		t.RawSetString("path", lua.LString(f.Path))
		t.RawSetString("code", lua.LString(f.Code))
		t.RawSetString("message", lua.LString(f.Message))
		list.Append(t)
	}
	return list
}

// raised returns the table that the script raised and v was made of, so that its other
// fields stay readable; an empty one when there was none. It is the environment of the
// userdata, which nothing else uses: an *Error must not hold values of an isolate.
func raised(v lua.LValue) *lua.LTable {
	if ud, ok := v.(*lua.LUserData); ok && ud.Env != nil {
		return ud.Env
	}
	return &lua.LTable{Metatable: lua.LNil}
}

// From returns the *Error in a Lua value.
func From(v lua.LValue) (*Error, bool) {
	ud, ok := v.(*lua.LUserData)
	if !ok {
		return nil, false
	}
	e, ok := ud.Value.(*Error)
	return e, ok
}

// Value returns e as a Lua value. Two values of one *Error are equal in Lua.
func Value(L *lua.LState, e *Error) lua.LValue {
	return &lua.LUserData{Value: e, Env: e.raised, Metatable: L.GetTypeMetatable(typeName)}
}

// Raise raises e at the line that called into Go. It does not return. e must be a new
// one: it receives its place, and later its frames.
func Raise(L *lua.LState, e *Error) {
	if e.At == "" {
		e.At = Where(L)
	}
	L.Error(Value(L, e), 0)
}

// Raisef raises a new Error with a code and a message.
func Raisef(L *lua.LState, code, format string, args ...any) {
	Raise(L, &Error{Code: code, Message: fmt.Sprintf(format, args...)})
}

// Where returns the innermost line of a script that is running, "app.lua:12", or "".
func Where(L *lua.LState) string {
	for level := range maxLevels {
		at := strings.TrimSuffix(L.Where(level), ":")
		if at != "" && at != "[G]" && isScript(at) {
			return at
		}
	}
	return ""
}

// isScript tells the files of a script from Lua code inside the program, whose names
// begin with "=".
func isScript(file string) bool { return !strings.HasPrefix(file, "=") }

// isLuaFile tells whether the text before ":12:" can be a file name.
func isLuaFile(file string) bool { return strings.HasSuffix(file, ".lua") }

// ColonHint is the hint for a method that was called with a dot: use `app:get` (colon).
func ColonHint(object, method string) string {
	return fmt.Sprintf("use `%s:%s` (colon)", object, method)
}

// Called returns how the innermost line of a script calls the function that runs, "rws.sleep", or
// "" when that is not known.
func Called(L *lua.LState) string {
	for _, f := range walk(L, 0) {
		if f.isGo() || !isScript(f.file()) {
			continue
		}
		if called := f.callee(); called != nil && called.kind != result {
			return called.text()
		}
		break
	}
	return ""
}
