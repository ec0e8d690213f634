package vm

import (
	"fmt"
	"math"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// checkFormat raises where string.format of C Lua would: gopher-lua hands the format to
// fmt.Sprintf, which writes "%!d(string=x)" into the result instead.
func checkFormat(L *lua.LState) {
	format := L.CheckString(1)
	arg, total := 1, len(format)
	for rest := format; ; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			return
		}
		if strings.HasPrefix(after, "%") {
			rest = after[1:]
			continue
		}
		spec := strings.TrimLeft(after, "-+ #0123456789.")
		if spec == "" {
			L.RaiseError("string.format: the format %q ends with an unfinished %%", format)
		}
		if len(after)-len(spec) > 8 {
			L.RaiseError("string.format: %%%s is too long", after[:len(after)-len(spec)+1])
		}
		arg++
		if problem := misfit(L, spec[0], arg); problem != "" {
			L.RaiseError("string.format: argument %d for %%%c: %s", arg, spec[0], problem)
		}
		total += formatted(L.Get(arg), spec[0]) + width(after)
		checkLength(L, "string.format", total)
		rest = spec[1:]
	}
}

// formatted is the least number of bytes that v takes.
func formatted(v lua.LValue, verb byte) int {
	if s, ok := v.(lua.LString); ok && (verb == 's' || verb == 'q') {
		return len(s)
	}
	return 0
}

// width is the least number of bytes that a conversion says to take.
func width(spec string) int {
	spec = strings.TrimLeft(spec, "-+ #0")
	n := 0
	for ; spec != "" && '0' <= spec[0] && spec[0] <= '9'; spec = spec[1:] {
		n = 10*n + int(spec[0]-'0')
	}
	return n
}

// misfit says why argument n does not fit a conversion, "" when it does.
func misfit(L *lua.LState, verb byte, n int) string {
	if strings.IndexByte("diuoxXceEfgGqs", verb) < 0 {
		return "there is no such conversion; %s, %d, %f, %g, %x and %q are the usual ones"
	}
	if n > L.GetTop() {
		return "it is missing"
	}
	if verb == 's' || verb == 'q' {
		return ""
	}
	number, ok := L.Get(n).(lua.LNumber)
	if s, text := L.Get(n).(lua.LString); text {
		number, ok = toNumber(string(s))
	}
	if !ok {
		return "a number expected, got " + L.Get(n).Type().String()
	}
	if strings.IndexByte("eEfgG", verb) < 0 && number != lua.LNumber(math.Trunc(float64(number))) {
		return fmt.Sprintf("a whole number expected, got %s; %%.0f rounds, %%g shows it", number)
	}
	return ""
}

// toNumber converts as Lua does: text that looks like a number is one.
func toNumber(s string) (lua.LNumber, bool) {
	var f float64
	var tail string
	n, _ := fmt.Sscanf(s+" x", "%g %s", &f, &tail)
	return lua.LNumber(f), n == 2 && tail == "x"
}
