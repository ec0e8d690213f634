// Package bind makes plain Go functions callable from Lua.
//
//	bind.Call2("lookup(ip, lang?)", db.Lookup)   // runs while the isolate's lock is held
//	bind.Wait1("open(path)", geoip.Open)         // takes a context; the lock is released while it runs
//	bind.Raw("json(value, status?)", contextJSON) // sees the Lua stack: hot paths, varargs, callbacks
//
// The converters of arguments and results are chosen once, when a function is bound, so
// that a call costs what hand-written stack code costs. A wrong argument raises the same
// text everywhere: app.lua:12: db:one: argument 1: string expected, got nil. A function
// that waits never sees the Lua state.
package bind

import (
	"context"
	"errors"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/luabind/vm"
)

// A Func is one function or method to be bound. Sig is its name and parameters as its
// documentation has them: "get(url, options?)".
type Func struct {
	Sig   string
	Waits bool
	// Writes marks a function that changes something outside of Lua; a read-only run
	// can't call it.
	Writes bool
	make   func(name string) lua.LGFunction
}

// Name returns the part of Sig before the parenthesis.
func (f Func) Name() string { name, _, _ := strings.Cut(f.Sig, "("); return name }

// Params returns the parameters of Sig, those that may be left out with a "?".
func (f Func) Params() []string {
	_, list, _ := strings.Cut(strings.TrimSuffix(f.Sig, ")"), "(")
	if list == "" {
		return nil
	}
	return strings.Split(list, ", ")
}

// Bind returns the Lua function. full is how a script writes it, for error texts:
// "rws.http.get" or "db:one".
func (f Func) Bind(L *lua.LState, full string) *lua.LFunction {
	fn := vm.Bounded(full, f.make(full))
	if !f.Writes {
		return L.NewFunction(fn)
	}
	return L.NewFunction(func(L *lua.LState) int {
		vm.Writes(L)
		return fn(L)
	})
}

// Writing marks functions as ones that write.
func Writing(funcs ...Func) []Func {
	for i := range funcs {
		funcs[i].Writes = true
	}
	return funcs
}

// None is the result of a function that returns nothing to Lua.
type None struct{}

// Raw binds a function that works on the Lua stack. It runs with the lock held.
func Raw(sig string, f lua.LGFunction) Func {
	return Func{Sig: sig, make: func(string) lua.LGFunction { return f }}
}

// RawWait is Raw for a function that releases the lock itself, by vm.Wait.
func RawWait(sig string, f lua.LGFunction) Func {
	return Func{Sig: sig, Waits: true, make: func(string) lua.LGFunction { return f }}
}

// Call0 binds a function without arguments.
func Call0[R any](sig string, f func() (R, error)) Func {
	r := give[R](sig)
	return Func{Sig: sig, make: func(name string) lua.LGFunction {
		return func(L *lua.LState) int { v, err := f(); return r.result(L, name, v, err) }
	}}
}

// Call1 binds a function of one argument.
func Call1[A, R any](sig string, f func(A) (R, error)) Func {
	a, r := take[A](sig), give[R](sig)
	return Func{Sig: sig, make: func(name string) lua.LGFunction {
		return func(L *lua.LState) int { v, err := f(a.at(L, name, 1)); return r.result(L, name, v, err) }
	}}
}

// Call2 binds a function of two arguments.
func Call2[A, B, R any](sig string, f func(A, B) (R, error)) Func {
	a, b, r := take[A](sig), take[B](sig), give[R](sig)
	return Func{Sig: sig, make: func(name string) lua.LGFunction {
		return func(L *lua.LState) int {
			v, err := f(a.at(L, name, 1), b.at(L, name, 2))
			return r.result(L, name, v, err)
		}
	}}
}

// Call3 binds a function of three arguments.
func Call3[A, B, C, R any](sig string, f func(A, B, C) (R, error)) Func {
	a, b, c, r := take[A](sig), take[B](sig), take[C](sig), give[R](sig)
	return Func{Sig: sig, make: func(name string) lua.LGFunction {
		return func(L *lua.LState) int {
			v, err := f(a.at(L, name, 1), b.at(L, name, 2), c.at(L, name, 3))
			return r.result(L, name, v, err)
		}
	}}
}

// Wait0 binds a function that waits and takes no arguments.
func Wait0[R any](sig string, f func(context.Context) (R, error)) Func {
	r := give[R](sig)
	return Func{Sig: sig, Waits: true, make: func(name string) lua.LGFunction {
		return func(L *lua.LState) int {
			v, err := await(L, f)
			return r.result(L, name, v, err)
		}
	}}
}

// Wait1 binds a function that waits and takes one argument.
func Wait1[A, R any](sig string, f func(context.Context, A) (R, error)) Func {
	a, r := take[A](sig), give[R](sig)
	return Func{Sig: sig, Waits: true, make: func(name string) lua.LGFunction {
		return func(L *lua.LState) int {
			x := a.at(L, name, 1)
			v, err := await(L, func(ctx context.Context) (R, error) { return f(ctx, x) })
			return r.result(L, name, v, err)
		}
	}}
}

// Wait2 binds a function that waits and takes two arguments.
func Wait2[A, B, R any](sig string, f func(context.Context, A, B) (R, error)) Func {
	a, b, r := take[A](sig), take[B](sig), give[R](sig)
	return Func{Sig: sig, Waits: true, make: func(name string) lua.LGFunction {
		return func(L *lua.LState) int {
			x, y := a.at(L, name, 1), b.at(L, name, 2)
			v, err := await(L, func(ctx context.Context) (R, error) { return f(ctx, x, y) })
			return r.result(L, name, v, err)
		}
	}}
}

// Wait3 binds a function that waits and takes three arguments.
func Wait3[A, B, C, R any](sig string, f func(context.Context, A, B, C) (R, error)) Func {
	a, b, c, r := take[A](sig), take[B](sig), take[C](sig), give[R](sig)
	return Func{Sig: sig, Waits: true, make: func(name string) lua.LGFunction {
		return func(L *lua.LState) int {
			x, y, z := a.at(L, name, 1), b.at(L, name, 2), c.at(L, name, 3)
			v, err := await(L, func(ctx context.Context) (R, error) { return f(ctx, x, y, z) })
			return r.result(L, name, v, err)
		}
	}}
}

func await[R any](L *lua.LState, f func(context.Context) (R, error)) (v R, err error) {
	err = vm.Wait(L, func(ctx context.Context) (err error) {
		v, err = f(ctx)
		return err
	})
	return v, err
}

// Raise raises a Go error as a structured error, named after the function that failed.
// A *fault.Error below keeps its code, status and fields.
func Raise(L *lua.LState, name string, err error) {
	e := &fault.Error{Message: name + ": " + err.Error(), Cause: err}
	if below, ok := errors.AsType[*fault.Error](err); ok {
		*e = *below
		e.Message = name + ": " + below.Message
	}
	switch {
	case e.Code != "":
	case errors.Is(err, vm.ErrDeadline) || errors.Is(err, context.DeadlineExceeded):
		e.Code = "timeout"
	case errors.Is(err, context.Canceled) || errors.Is(err, vm.ErrStopped):
		e.Code = "canceled"
	case vm.IsMemory(err):
		e.Code = "memory"
	default:
		e.Code = code(err)
	}
	fault.Raise(L, e)
}

// A coder is a Go error that knows its code for scripts.
type coder interface{ ErrorCode() string }

func code(err error) string {
	if c, ok := errors.AsType[interface {
		error
		coder
	}](err); ok {
		return c.ErrorCode()
	}
	return "failed"
}

// Errorf returns an error with a code, for functions that are bound.
func Errorf(code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &fault.Error{Code: code, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// ArgError raises that argument n is wrong, or that a colon passed the module as an
// argument of its own.
func ArgError(L *lua.LState, name string, n int, format string, args ...any) {
	if calledWithColon(L, name) {
		module, function := name[:strings.LastIndexByte(name, '.')], name[strings.LastIndexByte(name, '.')+1:]
		fault.Raise(L, &fault.Error{Code: "argument", Message: fmt.Sprintf("use `%s` with a dot: `%s:%s(…)` passes the module as the first argument",
			name, module, function)})
	}
	fault.Raise(L, &fault.Error{Code: "argument", Message: fmt.Sprintf("%s: argument %d: ", name, n) + fmt.Sprintf(format, args...)})
}

// calledWithColon reports whether the first argument of the function called name is the
// table that the function is in.
func calledWithColon(L *lua.LState, name string) bool {
	t, ok := L.Get(1).(*lua.LTable)
	dot := strings.LastIndexByte(name, '.')
	if !ok || dot < 0 || strings.Contains(name, ":") {
		return false
	}
	_, ok = t.RawGetString(name[dot+1:]).(*lua.LFunction)
	return ok
}
