package fault

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/vm"
)

// Capture turns what was raised, its argument, into a userdata that holds an *Error
// with the place, the frames and the variables of the innermost one. It is made for
// vm.Options.OnError. An *Error that was raised before stays the same one, with its
// place and its identity. It calls no Lua code, and takes some 10 µs (BenchmarkCapture).
func Capture(L *lua.LState) (n int) {
	v := L.Get(1)
	defer func() {
		if r := recover(); r != nil { // the script's error matters more than ours
			L.Push(Value(L, &Error{Message: v.String(), Cause: fmt.Errorf("describing the error: %v", r)}))
			n = 1
		}
	}()
	frames := stack(L)
	v = asserted(L, v, frames)
	if e, ok := From(v); ok {
		e.complete(L, frames)
		L.Push(v)
		return 1
	}
	e := fromValue(L, v, frames)
	e.complete(L, frames)
	ud := Value(L, e).(*lua.LUserData)
	if t, ok := v.(*lua.LTable); ok {
		e.raised, ud.Env = t, t // see raised
	}
	L.Push(ud)
	return 1
}

// asserted returns what was given to assert as its message: gopher-lua makes text of
// it, which loses an error object.
func asserted(L *lua.LState, v lua.LValue, frames []frame) lua.LValue {
	if s := stateOf(L); len(frames) == 0 || frames[0].fn == nil || s.assert == nil || frames[0].fn != s.assert {
		return v
	}
	switch message := frames[0].argument(2).(type) {
	case *lua.LTable, *lua.LUserData:
		return message
	}
	return v
}

// complete adds what the moment of the error knows and e does not.
func (e *Error) complete(L *lua.LState, frames []frame) {
	if e.At == "" || !isScript(e.At) {
		e.At = ""
		f, ok := innermost(frames)
		if !ok { // a function of Go on a thread of its own, as in rws.try(db.one, db, …)
			f, ok = innermost(below(L))
		}
		if ok {
			e.At = fmt.Sprintf("%s:%d", f.file(), f.line)
		}
	}
	if len(e.Frames) == 0 {
		e.Frames = describe(append(frames, below(L)...))
		if at := max(e.culprit(), 0); at < len(e.Frames) {
			e.Frames[at].Locals = localsAt(L, frames, e.Frames[at].place())
		}
	}
	if e.Code == "argument" && e.Hint == "" {
		if _, c := explain(frames, e.Message); c != nil && c.value == lua.LNil {
			e.Hint, e.mark = hint(frames, c), c.markOf()
		}
	}
}

func innermost(frames []frame) (frame, bool) {
	for _, f := range frames {
		if !f.isGo() && isScript(f.file()) {
			return f, true
		}
	}
	return frame{}, false
}

// below returns the calls beneath a protected call, which runs on a thread of its own.
func below(L *lua.LState) []frame {
	if isolate(L) == nil {
		return nil
	}
	if r := vm.Current(L); r != nil && r.Thread() != nil && r.Thread() != L {
		return walk(r.Thread(), 0)
	}
	return nil
}

func localsAt(L *lua.LState, frames []frame, place string) []Local {
	for _, f := range frames {
		if !f.isGo() && fmt.Sprintf("%s:%d", f.file(), f.line) == place {
			return locals(L, f)
		}
	}
	return nil
}

// What an error says that was raised with nothing.
const (
	noMessage     = "an error without a message"
	noMessageHint = `write error("what went wrong")`
)

// fromValue makes an *Error of anything else that can be raised.
func fromValue(L *lua.LState, v lua.LValue, frames []frame) *Error {
	switch v := v.(type) {
	case lua.LString:
		return fromText(L, string(v), frames)
	case *lua.LTable:
		return fromTable(L, v)
	case *lua.LNilType:
		return &Error{Message: noMessage, Value: "nil", Hint: noMessageHint}
	}
	text := showPlain(L, v)
	return &Error{Message: text, Value: text}
}

func fromText(L *lua.LState, text string, frames []frame) *Error {
	at, message := splitPlace(text, func(file string) bool {
		return isLuaFile(file) || slices.ContainsFunc(frames, func(f frame) bool { return !f.isGo() && f.file() == file })
	})
	e := &Error{At: at, Message: message}
	if e.interrupted(L) {
		return e
	}
	e.levelOf(L, frames)
	switch {
	case message == "":
		e.Message, e.Hint = noMessage, noMessageHint
	case isOverflow(message):
		e.overflow()
	case at == "" && isPanic(L, text, frames):
		e.internal()
	default:
		e.explain(frames)
	}
	return e
}

// explain puts the message into better words, if the error is the interpreter's and
// happened here: a text from a pcall elsewhere says nothing about these frames.
func (e *Error) explain(frames []frame) {
	f, at := firstLua(frames)
	if at < 0 || e.At != fmt.Sprintf("%s:%d", f.file(), f.line) || at > 1 {
		e.Message, _ = explain(nil, e.Message)
		return
	}
	if at == 1 && isRaise(f.L, frames[0]) {
		e.Message, _ = explain(nil, e.Message)
		return
	}
	message, c := explain(frames, e.Message)
	e.Message = message
	if c != nil {
		e.Hint, e.mark = hint(frames, c), c.markOf()
	}
}

// levelOf corrects the place of error(message, level): gopher-lua takes level 2, the
// caller, for level 1. A message that is missing is explained too.
func (e *Error) levelOf(L *lua.LState, frames []frame) {
	if len(frames) == 0 || !isRaise(L, frames[0]) {
		return
	}
	if e.At != "" && strings.HasPrefix(e.Message, "bad argument #1 to ") && strings.HasSuffix(e.Message, "(value expected)") {
		e.Message, e.Hint = "an error without a message", `write error("what went wrong")`
		return
	}
	n, ok := frames[0].argument(2).(lua.LNumber)
	if !ok || n < 2 || n >= lua.LNumber(len(frames)) || e.At == "" {
		return
	}
	if f, ok := innermost(frames[int(n):]); ok {
		e.At = fmt.Sprintf("%s:%d", f.file(), f.line)
	}
}

// isRaise reports whether f is Lua's own error function.
func isRaise(L *lua.LState, f frame) bool {
	s := stateOf(L)
	return f.fn != nil && s.raise != nil && f.fn == s.raise
}

// isPanic tells the text of a Go panic from one that was raised without a place: that
// is only done by error(message, 0).
func isPanic(L *lua.LState, text string, frames []frame) bool {
	if strings.HasPrefix(text, " ") { // RaiseError without any Lua code below
		return false
	}
	return len(frames) > 0 && !isRaise(L, frames[0])
}

// interrupted handles the end of a run, which the interpreter raises as text.
func (e *Error) interrupted(L *lua.LState) bool {
	if isolate(L) == nil {
		return false
	}
	r := vm.Current(L)
	if r == nil || r.Cause() == nil || e.Message != r.Cause().Error() {
		return false
	}
	e.Cause, e.Code = r.Cause(), "canceled"
	if errors.Is(e.Cause, vm.ErrDeadline) {
		e.Code = "timeout"
	} else if _, ok := errors.AsType[*vm.StallError](e.Cause); ok {
		e.Code = "stall"
	} else if vm.IsMemory(e.Cause) {
		e.Code = "memory"
	}
	return true
}

var placePattern = pattern(`^([^\n]{1,300}?:\d+): ?`)

// splitPlace cuts the places off the front of a text and returns the last, which is the
// oldest: error() puts its own before the one of an error that was caught.
func splitPlace(text string, isFile func(string) bool) (at, message string) {
	for {
		m := placePattern().FindStringSubmatch(text)
		if m == nil {
			break
		}
		file := m[1][:strings.LastIndexByte(m[1], ':')]
		if !isFile(file) {
			break
		}
		at, text = m[1], text[len(m[0]):]
	}
	return at, strings.TrimPrefix(text, " ")
}

// fromTable makes an *Error of error { code = …, message = …, status = …, fields = … }.
func fromTable(L *lua.LState, t *lua.LTable) *Error {
	e := &Error{Value: show(L, "", t)}
	text := func(key string) string {
		if v := t.RawGetString(key); lua.LVCanConvToString(v) {
			return v.String()
		}
		return ""
	}
	e.Code, e.Message, e.Hint = text("code"), text("message"), text("hint")
	if n, ok := t.RawGetString("status").(lua.LNumber); ok && n >= 100 && n <= 999 {
		e.Status = int(n)
	}
	if fields, ok := t.RawGetString("fields").(*lua.LTable); ok {
		var err error
		if e.Fields, err = Fields(fields); err != nil && e.Hint == "" {
			e.Hint = "fields: " + err.Error()
		}
	}
	switch {
	case e.Message != "":
		e.At, e.Message = splitPlace(e.Message, isLuaFile)
	case e.Code != "":
		e.Message = e.Code
	default:
		e.Message = noMessage + ": " + e.Value
		e.Hint = cmp.Or(e.Hint, `write error { message = "what went wrong" }; code, status and hint may be added`)
	}
	return e
}
