package vm

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"

	lua "github.com/yuin/gopher-lua"
)

// Bounds on what one call may build; each raises with its name when passed.
const (
	// MaxString bounds what makes strings: .., string.rep, table.concat and all that is
	// bound: 64 MB.
	MaxString = 64 << 20
	// maxList is where a table's list part ends (gopher-lua fills the gap of a sparse
	// list with nils, so that t[60000000] = 1 would take a gigabyte).
	maxList = 1 << 22
)

var limitArrays = sync.OnceFunc(func() { lua.MaxArrayIndex = maxList })

// openLibs opens Lua's libraries and replaces what is unsafe in a server.
func (i *Isolate) openLibs() {
	L := i.main
	for _, open := range []struct {
		name string
		fn   lua.LGFunction
	}{
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
		{lua.StringLibName, lua.OpenString},
		{lua.MathLibName, lua.OpenMath},
		{lua.OsLibName, lua.OpenOs},
		{lua.DebugLibName, lua.OpenDebug},
		{lua.CoroutineLibName, lua.OpenCoroutine},
	} {
		L.Push(L.NewFunction(open.fn))
		L.Push(lua.LString(open.name))
		L.Call(1, 0)
	}
	i.openBase(L)
	i.openTable(L)
	i.openString(L)
	i.openOS(L)
	library(L, lua.MathLibName).RawSetString("huge", lua.LNumber(math.Inf(1))) // of gopher-lua: the largest float
	i.openCoroutine(L)
	debug := library(L, "debug")
	for _, name := range []string{"setupvalue", "setlocal", "sethook", "setmetatable", "setfenv", "getregistry", "getmetatable"} {
		debug.RawSetString(name, lua.LNil)
	}
	L.SetTop(0)
}

// field returns the library table called name.
func library(L *lua.LState, name string) *lua.LTable { return L.GetGlobal(name).(*lua.LTable) }

// gone returns a function that says what to use instead.
func gone(L *lua.LState, name, instead string) *lua.LFunction {
	return L.NewFunction(func(L *lua.LState) int {
		L.RaiseError("%s is not available in a server: %s", name, instead)
		return 0
	})
}

func (i *Isolate) openBase(L *lua.LState) {
	for name, instead := range map[string]string{
		"dofile":   `use require "name" or rws.fs.read`,
		"loadfile": `use require "name" or load(rws.fs.read(path))`,
		"module":   "return a table from the file and require it",
	} {
		L.SetGlobal(name, gone(L, name, instead))
	}
	for _, name := range []string{"_printregs", "newproxy"} {
		L.SetGlobal(name, lua.LNil)
	}
	io := L.NewTable()
	for name, instead := range map[string]string{
		"open": "use rws.fs.open(path)", "lines": "use rws.fs.lines(path)", "popen": "a script can't start programs",
		"read": "a server has no standard input", "write": "use print(…) or rws.log.info(…)",
	} {
		io.RawSetString(name, gone(L, "io."+name, instead))
	}
	L.SetGlobal("io", io)
	L.SetGlobal("print", L.NewFunction(i.print))
	L.SetGlobal("pcall", L.NewFunction(pcall))
	L.SetGlobal("xpcall", L.NewFunction(xpcall))
	L.SetGlobal("unpack", L.NewFunction(unpack))
	L.SetGlobal("pairs", L.NewFunction(pairs(L.GetGlobal("pairs").(*lua.LFunction))))
	setfenv := L.GetGlobal("setfenv").(*lua.LFunction).GFunction
	L.SetGlobal("setfenv", L.NewFunction(func(L *lua.LState) int { Writes(L); return setfenv(L) }))
	L.SetGlobal("rawset", L.NewFunction(rawset(L.GetGlobal("rawset").(*lua.LFunction).GFunction)))
	L.SetGlobal("setmetatable", L.NewFunction(setmetatable(L.GetGlobal("setmetatable").(*lua.LFunction).GFunction)))
	L.SetGlobal("collectgarbage", L.NewFunction(collectGarbage))
}

// print writes its arguments as one line in one write.
func (i *Isolate) print(L *lua.LState) int {
	if i.options.Output == nil {
		return 0
	}
	var b strings.Builder
	for n := 1; n <= L.GetTop(); n++ {
		if n > 1 {
			b.WriteByte('\t')
		}
		b.WriteString(L.ToStringMeta(L.Get(n)).String())
	}
	b.WriteByte('\n')
	_, _ = fmt.Fprint(i.options.Output, b.String())
	return 0
}

// pairs is Lua's, which for an object with the metamethod __pairs goes over the table that
// returns.
func pairs(plain *lua.LFunction) lua.LGFunction {
	next := plain.Upvalues[0].Value()
	return func(L *lua.LState) int {
		var t lua.LValue
		if view := L.GetMetaField(L.Get(1), "__pairs"); view != lua.LNil {
			L.Push(view)
			L.Push(L.Get(1))
			L.Call(1, 1)
			t = L.Get(-1)
		} else {
			t = L.CheckTable(1)
		}
		L.Push(next)
		L.Push(t)
		L.Push(lua.LNil)
		return 3
	}
}

// collectGarbage answers "count" in KB; collecting is Go's business, and a request
// that could force it would slow down all others.
func collectGarbage(L *lua.LState) int {
	if L.OptString(1, "collect") != "count" {
		L.Push(lua.LNumber(0))
		return 1
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	L.Push(lua.LNumber(m.HeapAlloc) / 1024)
	return 1
}

func (i *Isolate) openTable(L *lua.LState) {
	t := library(L, "table")
	t.RawSetString("concat", L.NewFunction(Bounded("table.concat", concat)))
	for _, name := range []string{"remove", "sort"} {
		change, called := t.RawGetString(name).(*lua.LFunction).GFunction, "table."+name
		t.RawSetString(name, L.NewFunction(func(L *lua.LState) int {
			Change(L, called, L.CheckTable(1))
			return change(L)
		}))
	}
	insert := t.RawGetString("insert").(*lua.LFunction).GFunction
	t.RawSetString("insert", L.NewFunction(func(L *lua.LState) int {
		Change(L, "table.insert", L.CheckTable(1))
		if L.CheckTable(1).Len() >= maxList-1 {
			L.RaiseError("table.insert: the list has %d elements, more than a script may hold; keep such data in a database", maxList-1)
		}
		return insert(L)
	}))
}

// concat is table.concat with a bound on the result.
func concat(L *lua.LState) int {
	t := L.CheckTable(1)
	sep := L.OptString(2, "")
	from, to := L.OptInt(3, 1), L.OptInt(4, t.Len())
	var b strings.Builder
	for n := from; n <= to; n++ {
		v := t.RawGetInt(n)
		if !lua.LVCanConvToString(v) {
			L.RaiseError("table.concat: element %d is a %s, a string or number was expected", n, v.Type())
		}
		b.WriteString(v.String())
		if n < to {
			b.WriteString(sep)
		}
		if b.Len() > MaxString {
			L.RaiseError("table.concat: the result is longer than %d MB; stream it with c:stream instead", MaxString>>20)
		}
	}
	L.Push(lua.LString(b.String()))
	return 1
}

// openOS keeps the clock and the calendar.
func (i *Isolate) openOS(L *lua.LState) {
	os := library(L, "os")
	date := os.RawGetString("date").(*lua.LFunction).GFunction
	os.RawSetString("date", L.NewFunction(func(L *lua.LState) int {
		if format := L.OptString(1, ""); len(format) > largeString {
			L.RaiseError("os.date: a format of %d bytes; at most %d", len(format), largeString)
		}
		return date(L)
	}))
	for name, instead := range map[string]string{
		"execute": "a script can't start programs", "exit": "the server runs on; end a request with c:fail(status, message)",
		"remove": "use rws.fs.remove(path)", "rename": "use rws.fs.rename(from, to)", "tmpname": "use rws.fs.temp()",
		"getenv": `use env.NAME`, "setenv": "set it in the shell or in .env", "setlocale": "Go has no locale",
	} {
		os.RawSetString(name, gone(L, "os."+name, instead))
	}
}

// openCoroutine makes coroutines obey the isolate's guard rails: a plain one would
// carry a context of its own.
func (i *Isolate) openCoroutine(L *lua.LState) {
	co := library(L, "coroutine")
	create := co.RawGetString("create").(*lua.LFunction).GFunction
	wrap := co.RawGetString("wrap").(*lua.LFunction).GFunction
	begin := i.beginCoroutine(L)
	co.RawSetString("create", L.NewFunction(func(L *lua.LState) int {
		L.Push(begin)
		L.Push(L.CheckFunction(1))
		L.Call(1, 1)
		L.Replace(1, L.Get(-1))
		L.SetTop(1)
		n := i.detached(L, create)
		i.attend(L.Get(-1).(*lua.LState))
		return n
	}))
	yield := co.RawGetString("yield").(*lua.LFunction).GFunction
	co.RawSetString("yield", L.NewFunction(func(L *lua.LState) int {
		r := i.current.Load()
		r.mayYield(L)
		r.yielded = true
		return yield(L)
	}))
	resume := co.RawGetString("resume").(*lua.LFunction).GFunction
	co.RawSetString("resume", L.NewFunction(func(L *lua.LState) int { return i.nested(L, L.CheckThread(1), resume) }))
	co.RawSetString("wrap", L.NewFunction(func(L *lua.LState) int {
		n := i.detached(L, wrap)
		made := L.Get(-1).(*lua.LFunction)
		thread := made.Upvalues[0].Value().(*lua.LState)
		i.attend(thread)
		L.Pop(n)
		L.Push(L.NewClosure(func(L *lua.LState) int { return i.nested(L, thread, made.GFunction) }, thread))
		return 1
	}))
}

// beginCoroutine returns a function that puts around the body of a coroutine what makes its
// errors go through Options.Caught. The interpreter resets L.Panic when the coroutine starts, so
// that it can only be set from within.
func (i *Isolate) beginCoroutine(L *lua.LState) lua.LValue {
	fn, err := L.Load(strings.NewReader("local begin = ... return function(fn) return function(...) begin() return fn(...) end end"), "=coroutine")
	if err != nil {
		panic(err) // a constant
	}
	fn.Env = L.NewTable() // that of what it makes: it is no function of the script, see Changes
	L.Push(fn)
	L.Push(L.NewFunction(func(L *lua.LState) int {
		L.Panic = func(L *lua.LState) {
			panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: i.options.Caught(L, 0, L.Get(-1))})
		}
		return 0
	}))
	L.Call(1, 1)
	v := L.Get(-1)
	L.Pop(1)
	return v
}

// attend puts a new coroutine under the guard rails of the run.
func (i *Isolate) attend(coroutine *lua.LState) {
	coroutine.SetContext(&i.watch)
	i.supervise(i.current.Load(), coroutine)
}

// nested calls resume, which nests the Go stack.
func (i *Isolate) nested(L, coroutine *lua.LState, resume lua.LGFunction) int {
	r := i.current.Load()
	r.resumes(L, coroutine)
	if r.depth >= maxDepth {
		L.RaiseError("stack overflow: coroutines are nested more than %d deep", maxDepth)
	}
	r.depth++
	defer func() { r.depth-- }()
	return resume(L)
}

// detached calls make with L's context put aside, so that the thread it makes doesn't
// derive one from it.
func (i *Isolate) detached(L *lua.LState, make lua.LGFunction) int {
	own := L.Context()
	L.RemoveContext()
	defer L.SetContext(own)
	return make(L)
}
