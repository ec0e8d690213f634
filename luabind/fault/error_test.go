package fault_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	"go.uber.org/goleak"

	"rws/luabind/fault"
	"rws/luabind/vm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// check runs a script whose asserts are the promises; a failing one fails the test.
func check(t *testing.T, script string) {
	t.Helper()
	w := newWorld(t)
	if e := w.run(script); e != nil {
		t.Error(e.Text(w.source, whole))
	}
}

func TestAnErrorInLua(t *testing.T) {
	check(t, `
		local ok, err = try(function() fail() end)
		assert(not ok)
		assert(tostring(err) == "app.lua:2: db:one: no such table: users", tostring(err))
		assert("x " .. err == "x app.lua:2: db:one: no such table: users")
		assert(err.code == "not_found" and err.message == "db:one: no such table: users")
		assert(err.at == "app.lua:2" and err.status == 404)
		assert(err.fields == nil and err.hint == nil and err.other == nil)
		assert(err.traceback == "app.lua:2: db:one: no such table: users\n\tapp.lua:2 in function at line 2\n\tapp.lua:2 in main chunk", err.traceback)
	`)
}

func TestAnErrorWithoutCodeOrStatus(t *testing.T) {
	check(t, `
		local ok, err = try(function() error("plain") end)
		assert(err.code == nil and err.status == 500 and err.message == "plain")
	`)
}

func TestARaisedTableKeepsItsFields(t *testing.T) {
	check(t, `
		local ok, err = try(function()
			error { code = "invalid", message = "check", status = 422, retry = 5, fields = { b = "is bad", a = { code = "min", message = "small" } } }
		end)
		assert(err.code == "invalid" and err.message == "check" and err.status == 422 and err.retry == 5)
		assert(#err.fields == 2 and err.fields[1].path == "a" and err.fields[1].code == "min" and err.fields[1].message == "small")
		assert(err.fields[2].path == "b" and err.fields[2].code == "invalid" and err.fields[2].message == "is bad")
		assert(err.at == "app.lua:3", err.at)
	`)
}

func TestAnErrorStaysTheSame(t *testing.T) {
	check(t, `
		local first, ok, second, third
		ok, first = try(function() fail() end)
		ok, second = try(function() error(first) end)
		ok, third = try(function() assert(nil, first) end)
		assert(rawequal(first, second) and rawequal(first, third) and first == second)
		assert(second.at == "app.lua:3")
		local ok, other = try(function() fail() end)
		assert(first ~= other)
	`)
}

func TestEqualityIsThatOfTheError(t *testing.T) {
	w := newWorld(t)
	e := &fault.Error{Message: "one"}
	err := w.isolate.Do(&vm.Run{}, func(L *lua.LState) error {
		if !L.Equal(fault.Value(L, e), fault.Value(L, e)) {
			t.Error("two values of one error differ")
		}
		if L.Equal(fault.Value(L, e), fault.Value(L, &fault.Error{Message: "one"})) {
			t.Error("two errors with one text are equal")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestErrorsCrossGo(t *testing.T) {
	w := newWorld(t)
	e := w.run("error { code = 'gone', message = 'it left', status = 410 }")
	wrapped := fmt.Errorf("handling: %w", e)
	if got := fault.FromError(wrapped); got != e || got.Status != 410 || got.Value == "" {
		t.Errorf("FromError(%v) = %#v", wrapped, got)
	}
	cause := io.ErrUnexpectedEOF
	if got := fault.FromError(cause); !errors.Is(got, cause) || got.Message != "unexpected EOF" || got.At != "" {
		t.Errorf("FromError(%v) = %#v", cause, got)
	}
	if fault.FromError(nil) != nil {
		t.Error("FromError(nil) is an error")
	}
	if got := fault.FromError(&lua.ApiError{Type: lua.ApiErrorRun, Object: lua.LString("lib/a.lua:7: bad")}); got.At != "lib/a.lua:7" || got.Message != "bad" {
		t.Errorf("an ApiError became %#v", got)
	}
}

func TestFramesAreOfLuaCodeAndFew(t *testing.T) {
	w := newWorld(t)
	e := w.run("local function down(n)\n  if n == 0 then fail() end\n  local v = down(n - 1)\n  return v\nend\ndown(50)")
	if len(e.Frames) != 20 {
		t.Errorf("%d frames, want 20", len(e.Frames))
	}
	for i, f := range e.Frames {
		if f.File != "app.lua" || f.Function != "down" || (len(f.Locals) > 0) != (i == 0) {
			t.Errorf("frame %d is %+v", i, f)
		}
	}
}

func TestCodeOfTheProgramIsNotTheScripts(t *testing.T) {
	w := newWorld(t)
	err := w.isolate.Do(&vm.Run{}, func(L *lua.LState) error {
		fn, err := fault.Load(L, "=rws/list.lua", "function each(list)\n  return list.x.y\nend\nfunction forbid()\n  fail()\nend")
		if err != nil {
			return err
		}
		_, err = vm.Call(L, fn)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for script, want := range map[string]string{
		"local n = 1\neach({})": "app.lua:2: attempt to index `list.x` (nil), field \"y\"",
		"\n\nforbid()":          "app.lua:3: db:one: no such table: users",
	} {
		e := w.run(script)
		if e.Error() != want || len(e.Frames) != 1 || e.Frames[0].File != "app.lua" {
			t.Errorf("%q gave %q with frames %+v, want %q", script, e, e.Frames, want)
		}
	}
}

func TestTheEndOfARunIsTold(t *testing.T) {
	w := newWorld(t)
	for code, run := range map[string]*vm.Run{"stall": {Stall: time.Millisecond}, "timeout": {Stall: -1}} {
		if code == "timeout" {
			run.SetDeadline(time.Now().Add(time.Millisecond))
		}
		err := w.isolate.Do(run, func(L *lua.LState) error {
			fn, err := w.load(L, "app.lua", "local token = 'x'\nwhile true do end")
			if err != nil {
				return err
			}
			_, err = vm.Call(L, fn)
			return err
		})
		e := fault.FromError(err)
		if e.Code != code || e.At != "app.lua:2" || !errors.Is(e, run.Cause()) {
			t.Errorf("%s: %#v", code, e)
		}
	}
}

func TestLogRecords(t *testing.T) {
	w := newWorld(t)
	e := w.run("local function f(password)\n  fail(password)\nend\nlocal secret = 'hunter2'\nf(secret)")
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Error("failed", "err", e)
	for _, want := range []string{
		"err.code=not_found", `err.at=app.lua:2`, `err.message="db:one: no such table: users"`,
		`err.trace="app.lua:2 in f < app.lua:5 in main chunk"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the record lacks %s: %s", want, &out)
		}
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("the record has a secret: %s", &out)
	}
}

func TestFieldsOfFrames(t *testing.T) {
	if !fault.FrameFields() {
		t.Error("this version of gopher-lua has other fields in lua.Debug: variables lose their names, see frame.go")
	}
}

func TestWithoutFieldsOfFramesErrorsStayPlain(t *testing.T) {
	w := newWorld(t)
	fault.WithoutFrameFields(func() {
		for script, want := range map[string]string{
			"local user\nreturn user.name":              `app.lua:2: attempt to index a nil value, field "name"`,
			"return nothing()":                          "app.lua:1: attempt to call a value that is not a function",
			"local n\nreturn n + 1":                     "app.lua:2: attempt to add a nil value and a number value",
			"local n\nreturn n .. 'x'":                  "app.lua:2: attempt to concatenate a nil value",
			"local n\nreturn n < 1":                     "app.lua:2: attempt to compare nil with a number",
			"local n\nreturn #n":                        "app.lua:2: attempt to get the length of a value that has none",
			"local n\nfor i = 1, n do end":              "app.lua:2: the limit of `for` must be a number",
			"local t, n = {}\nt[n] = 1":                 "app.lua:2: a table can't have nil as a key",
			"ipairs(nil)":                               "app.lua:1: bad argument #1 to `ipairs`: table expected, got nil",
			"local function f() fail() end return f(1)": "app.lua:1: db:one: no such table: users",
		} {
			if e := w.run(script); e.Error() != want {
				t.Errorf("%q gave %q, want %q", script, e, want)
			}
		}
	})
}

// The value of an argument is that of the call, whatever holds it, and nothing is made of its name.
func TestAnArgumentHasItsValue(t *testing.T) {
	w := newWorld(t)
	for script, want := range map[string]string{
		"list = {}\nstring.rep(list, 2)":         "app.lua:2: bad argument #1 to `string.rep`: string expected, got `list` (table)",
		"local list = {}\nstring.rep('x', list)": "app.lua:2: bad argument #2 to `string.rep`: number expected, got `list` (table)",
		"local t = { n = {} }\n('x'):rep(t.n)":   "app.lua:2: bad argument #1 to `(\"x\"):rep`: number expected, got `t.n` (table)",
		"list = nil\nstring.rep(list, 2)":        "app.lua:2: bad argument #1 to `string.rep`: string expected, got `list` (nil)",
	} {
		e := w.run(script)
		if e.Error() != want {
			t.Errorf("%q gave %q, want %q", script, e, want)
		}
		if e.Hint != "" && !strings.Contains(want, "(nil)") {
			t.Errorf("%q has the hint %q", script, e.Hint)
		}
	}
}

func TestColonHint(t *testing.T) {
	if got := fault.ColonHint("app", "get"); got != "use `app:get` (colon)" {
		t.Error(got)
	}
}

func TestFilesCompiledByOthers(t *testing.T) {
	w := newWorld(t)
	err := w.isolate.Do(&vm.Run{}, func(L *lua.LState) error {
		fn, err := L.Load(strings.NewReader("local function f(a)\n  if a then local x = a end\n  if a then local y = nil return y.z end\nend\nf(1)"), "app.lua")
		if err != nil {
			return err
		}
		_, err = vm.Call(L, fn)
		return err
	})
	// The wrong name, x, would be worse than none.
	if e := fault.FromError(err); e.Error() != `app.lua:3: attempt to index a nil value, field "z"` || len(e.Frames[0].Locals) != 1 {
		t.Errorf("%q %+v", e, e.Frames)
	}
}

func TestTextOptions(t *testing.T) {
	w := newWorld(t)
	e := w.run("local a = 1\nlocal b = 2\nlocal c = 3\nlocal t\nreturn t.x")
	for want, o := range map[string]fault.TextOptions{
		"app.lua:5: attempt to index `t` (nil), field \"x\"\n\n> 5 | return t.x\n             ^\n":                                                 {Context: -1},
		"app.lua:5: attempt to index `t` (nil), field \"x\"\n\n  4 | local t\n> 5 | return t.x\n             ^\n  t = nil   c = 3\n":               {Context: 1, Locals: true, Width: 24},
		"\x1b[1mapp.lua:5:\x1b[0m \x1b[1;31mattempt to index `t` (nil), field \"x\"\x1b[0m\n\n> 5 | return t.x\n             \x1b[1;31m^\x1b[0m\n": {Context: -1, Color: true},
	} {
		if got := e.Text(w.source, o); got != want {
			t.Errorf("%+v gave\n%q, want\n%q", o, got, want)
		}
	}
	if got := e.Text(nil, fault.TextOptions{}); got != e.Error()+"\n" {
		t.Errorf("without a source: %q", got)
	}
}

func TestLineEndsOfAllSystems(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", "\r"} {
		w := newWorld(t)
		e := w.run("local t" + end + "t.x = 1" + end)
		want := "app.lua:2: attempt to index `t` (nil), field \"x\"\n\n  1 | local t\n> 2 | t.x = 1\n      ^\n"
		if got := e.Text(w.source, fault.TextOptions{}); got != want {
			t.Errorf("%q: %q, want %q", end, got, want)
		}
		e = w.run("local a = 1" + end + "local b = = 2" + end)
		want = "app.lua:2: unexpected `=`\n\n  1 | local a = 1\n> 2 | local b = = 2\n                ^\n"
		if got := e.Text(w.source, fault.TextOptions{}); got != want {
			t.Errorf("%q: %q, want %q", end, got, want)
		}
	}
}

func TestNothingReachesTheTerminal(t *testing.T) {
	w := newWorld(t)
	e := w.run("local evil = '\x1b[2J\u202e'\nerror(evil .. '\x07')")
	if got := e.Text(w.source, whole); strings.ContainsAny(got, "\x1b\x07\u202e") {
		t.Errorf("%q", got)
	}
}

func TestCaptureCallsNoLua(t *testing.T) {
	check(t, `
		local called = 0
		local t = setmetatable({}, { __tostring = function() called = called + 1 return "x" end, __index = function() called = called + 1 end })
		local ok, err = try(function() local mine = t error("x") end)
		assert(not ok and called == 0)
	`)
}

func TestErrorsOfMetamethodsOfValues(t *testing.T) {
	w := newWorld(t)
	err := w.isolate.Do(&vm.Run{}, func(L *lua.LState) error {
		ud, mt := L.NewUserData(), L.NewTable()
		mt.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int { panic("no") }))
		ud.Metatable = mt
		L.SetGlobal("touchy", ud)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	e := w.run("local t = touchy\nlocal n\nreturn n.x")
	if !slices.Contains(e.Frames[0].Locals, fault.Local{Name: "t", Value: "userdata"}) || e.At != "app.lua:3" {
		t.Errorf("%q %+v", e, e.Frames)
	}
}

func BenchmarkCapture(b *testing.B) {
	for name, script := range map[string]string{
		"interpreter": "return function(c)\n  local id = c.params.id\n  local user = db:one('x')\n  return user.name\nend",
		"raised":      "return function(c)\n  local id = c.params.id\n  fail(id)\nend",
		"none":        "return function(c)\n  local id = c.params.id\n  return id\nend",
	} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			err := w.isolate.Do(&vm.Run{Stall: -1}, func(L *lua.LState) error {
				fn, err := w.load(L, "app.lua", script)
				if err != nil {
					return err
				}
				handler, err := vm.Call(L, fn)
				if err != nil {
					return err
				}
				c, params := L.NewTable(), L.NewTable()
				c.RawSetString("params", params)
				b.ReportAllocs()
				for b.Loop() {
					_, _ = vm.Call(L, handler, c)
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
