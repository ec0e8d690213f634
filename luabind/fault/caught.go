package fault

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// interpreters are the messages of gopher-lua that explain knows, behind their place.
var interpreters = pattern(`(?s)^[^\n]{1,300}?:\d+: ?(attempt to (index a non-table object|call a non-function object|compare )|cannot perform |__(len|unm) undefined$|for statement |table index is (nil|NaN)$|bad argument #)`)

// Caught returns what pcall and coroutine.resume give for the error v: the text of an error
// of the interpreter in the words that Capture has for it. All else stays as it is, above all
// what a script raised. skip is how many frames at the top belong to error handling. It is
// made for vm.Options.Caught.
func Caught(L *lua.LState, skip int, v lua.LValue) (better lua.LValue) {
	text, ok := v.(lua.LString)
	if !ok || !interpreters().MatchString(string(text)) {
		return v
	}
	defer func() {
		if recover() != nil {
			better = v // the script's error matters more than our words
		}
	}()
	frames := through(L, walk(L, skip))
	f, at := firstLua(frames)
	if at < 0 || at > 1 || at == 1 && isRaise(L, frames[0]) {
		return v
	}
	e := &Error{}
	e.At, e.Message = splitPlace(string(text), func(file string) bool { return file == f.file() })
	if e.At != fmt.Sprintf("%s:%d", f.file(), f.line) {
		return v
	}
	e.Message, _ = explain(frames, e.Message)
	return lua.LString(e.Error())
}
