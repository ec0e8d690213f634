package vm

import (
	"errors"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// maxDepth bounds nested protected calls, each of which nests the Go stack too.
const maxDepth = 200

// Call calls fn with args at the bottom of a run, on the run's own thread, and returns
// its first result, LNil when it returns none. An error comes back as what
// Options.OnError made of it. Inside a function that Lua has called, use Try.
func Call(L *lua.LState, fn lua.LValue, args ...lua.LValue) (lua.LValue, error) {
	L.Push(fn)
	for _, a := range args {
		L.Push(a)
	}
	if err := L.PCall(len(args), 1, Of(L).onError); err != nil {
		return lua.LNil, AsError(placed(L, err))
	}
	v := L.Get(-1)
	L.Pop(1)
	return v, nil
}

// Try calls fn with args from within a function that Lua has called, and returns all
// results or the error, as made by onError (nil: the value as it is).
//
// The call runs on a thread of its own. gopher-lua, when it catches an error, closes
// the upvalues of every frame of the thread: with pcall on the caller's thread, the
// caller's locals and the closures that share them would silently part ways.
func Try(L *lua.LState, onError *lua.LFunction, fn lua.LValue, args ...lua.LValue) ([]lua.LValue, error) {
	i := Of(L)
	r := i.current.Load()
	if r.depth >= maxDepth {
		return nil, &lua.ApiError{Type: lua.ApiErrorRun, Object: lua.LString("stack overflow: protected calls are nested more than 200 deep")}
	}
	r.depth++
	T := i.take(r)
	current := i.main.G.CurrentThread
	defer func() {
		i.main.G.CurrentThread = current
		if !r.spoilt {
			i.put(r, T)
		}
		r.depth--
	}()
	makeRoom(T, len(args)+1)
	T.Push(fn)
	for _, a := range args {
		T.Push(a)
	}
	if onError == nil {
		onError = i.asIs
	}
	if err := T.PCall(len(args), lua.MultRet, onError); err != nil {
		return nil, placed(T, err)
	}
	results := make([]lua.LValue, T.GetTop())
	for n := range results {
		results[n] = T.Get(n + 1)
	}
	return results, nil
}

// CallBack calls the function that lies under n arguments on the stack of L, from within a function
// that Lua has called. What calls back nests the Go stack, and is bounded like protected calls. When
// it returns, the function has returned: coroutine.yield in it is an error.
func CallBack(L *lua.LState, n, results int) {
	r := Current(L)
	if r.depth >= maxDepth {
		L.RaiseError("stack overflow: functions that call back are nested more than %d deep", maxDepth)
	}
	r.depth++
	if r.callers == nil {
		r.callers = new(callers)
	}
	*r.callers = append(*r.callers, L)
	defer func() {
		r.depth--
		*r.callers = (*r.callers)[:len(*r.callers)-1]
	}()
	L.Call(n, results)
}

// mayYield raises where a yield would leave functions of Go that wait for what they called: for
// them it would look as though that had returned, and a transaction would commit half of itself.
func (r *Run) mayYield(L *lua.LState) {
	if r.callers != nil && slices.Contains(*r.callers, L) {
		L.RaiseError("%s", acrossGo)
	}
}

const acrossGo = "attempt to yield across a metamethod, an iterator or a function of rws: coroutine.yield works in the Lua functions of a coroutine itself"

// KeepOverflow makes Call say where a stack overflowed. Defer it at the bottom of what Call
// calls: a full stack has no room for the error handler, and gopher-lua's own report has no
// place.
func KeepOverflow(L *lua.LState) {
	v := recover()
	if v == nil {
		return
	}
	if s, ok := v.(string); ok && s == "lua callstack overflow" {
		place := lua.LString(L.Where(0) + " stack overflow")
		Current(L).overflow = &place
	}
	panic(v)
}

// placed improves on what gopher-lua reports: it gives a stack overflow its place, and names
// the usual reason of a panic in the interpreter itself. After one, the threads that were
// in use are not used again.
func placed(L *lua.LState, err error) error {
	r := Current(L)
	api, ok := errors.AsType[*lua.ApiError](err)
	if !ok {
		return err
	}
	_, explained := api.Object.(*lua.LUserData)
	switch {
	case r.overflow != nil && !explained:
		api.Object = *r.overflow
	case r.yielded || api.Type == lua.ApiErrorPanic:
		r.spoilt = true
		if r.yielded && !explained && (api.Type == lua.ApiErrorPanic || strings.HasSuffix(api.Object.String(), "register underflow")) {
			api.Object = lua.LString(acrossGo)
		}
	}
	r.overflow = nil
	return err
}

// OnError returns the function that Options.OnError became, for Try.
func OnError(L *lua.LState) *lua.LFunction { return Of(L).onError }

// pcall is Lua's, with waits allowed inside.
func pcall(L *lua.LState) int {
	L.CheckAny(1)
	results, err := Try(L, Of(L).caught, L.Get(1), arguments(L, 2)...)
	return answer(L, results, err)
}

// xpcall is Lua's, with the arguments of 5.2 allowed after the handler.
func xpcall(L *lua.LState) int {
	L.CheckAny(1)
	handler := L.CheckFunction(2)
	i := Of(L)
	explained := L.NewFunction(func(L *lua.LState) int {
		v := i.options.Caught(L, 2, L.Get(1))
		L.Push(handler)
		L.Push(v)
		L.Call(1, 1)
		return 1
	})
	results, err := Try(L, closing(L, explained), L.Get(1), arguments(L, 3)...)
	return answer(L, results, err)
}

func arguments(L *lua.LState, from int) []lua.LValue {
	if L.GetTop() < from {
		return nil
	}
	args := make([]lua.LValue, 0, L.GetTop()-from+1)
	for n := from; n <= L.GetTop(); n++ {
		args = append(args, L.Get(n))
	}
	return args
}

func answer(L *lua.LState, results []lua.LValue, err error) int {
	if err != nil {
		L.Push(lua.LFalse)
		L.Push(ErrorValue(err))
		return 2
	}
	makeRoom(L, len(results)+1)
	L.Push(lua.LTrue)
	for _, v := range results {
		L.Push(v)
	}
	return len(results) + 1
}

// closing returns handler followed by the closing of upvalues, which gopher-lua
// leaves out when an error handler is given: closures made by the failed call would
// keep pointing into a stack that others will use.
func closing(L *lua.LState, handler *lua.LFunction) *lua.LFunction {
	return L.NewFunction(func(L *lua.LState) int {
		v := L.Get(1)
		if handler != nil {
			L.Push(handler)
			L.Push(v)
			L.Call(1, 1)
			v = L.Get(-1)
		}
		L.Push(L.NewFunction(closeUpvalues))
		_ = L.PCall(0, 0, nil)
		L.Push(v)
		return 1
	})
}

// closeUpvalues raises, which is the one public act that closes upvalues. The error
// brings a stack trace of its own, because PCall would spend the square of the stack's
// depth on making one.
func closeUpvalues(L *lua.LState) int {
	L.Panic = func(*lua.LState) { panic(&lua.ApiError{Object: lua.LNil, StackTrace: "-"}) }
	L.RaiseError("")
	return 0
}

// ErrorValue returns the Lua value of an error that Call or Try returned.
func ErrorValue(err error) lua.LValue {
	if api, ok := errors.AsType[*lua.ApiError](err); ok {
		return api.Object
	}
	return lua.LString(err.Error())
}

// AsError unwraps the Go error that OnError stored in its value.
func AsError(err error) error {
	if ud, ok := ErrorValue(err).(*lua.LUserData); ok {
		if e, ok := ud.Value.(error); ok {
			return e
		}
	}
	return err
}
