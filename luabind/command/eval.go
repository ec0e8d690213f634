package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/logs"
)

// evalName is how lines from the command line are called in errors.
const evalName = "-e"

// eval runs lines of Lua, in the app that args name or in an empty one, and prints what
// they return.
func (t *terminal) eval(lines, args []string, flags map[string]string) error {
	text := strings.Join(lines, "\n")
	p, err := t.evalProgram(args, flags)
	if err != nil {
		return err
	}
	defer closeProgram(p)
	results, err := evaluate(p, text)
	for _, r := range results {
		fmt.Fprintln(t.out, r)
	}
	if err == nil {
		return nil
	}
	return t.complain(err, func(name string) (string, bool) {
		if name == evalName {
			return text, true
		}
		return p.Source(name)
	})
}

// evalProgram loads what the lines run in. What they print goes to the output.
func (t *terminal) evalProgram(args []string, flags map[string]string) (*luabind.Program, error) {
	o := luabind.Options{File: "app.lua", Source: "-- nothing\n", Flags: flags, Output: t.out}
	if len(args) > 0 {
		file, err := appFile(args)
		if err != nil {
			return nil, err
		}
		o.File, o.Source = file, ""
	}
	o.Logger = func(c *luabind.Config) *slog.Logger { return logs.New(t.err, logOptions(c, t.err)) }
	return t.load(o)
}

// evaluate runs text, an expression or statements, and returns what it returned, as
// tostring writes it.
func evaluate(p *luabind.Program, text string) (results []string, err error) {
	// One line may take its time; the limits are for servers.
	run := &vm.Run{Context: context.Background(), Stall: -1}
	err = p.Isolates()[0].Do(run, func(L *lua.LState) error {
		fn, err := compileLine(L, text)
		if err != nil {
			return err
		}
		fn.Env = scope(L)
		values, err := vm.Try(L, vm.OnError(L), fn)
		if err != nil {
			return fault.FromError(vm.AsError(err))
		}
		for _, v := range values {
			results = append(results, L.ToStringMeta(v).String())
		}
		return nil
	})
	return results, err
}

// compileLine compiles text as an expression when it is one. The error is that of the
// text as it was written.
func compileLine(L *lua.LState, text string) (*lua.LFunction, error) {
	if fn, err := fault.Load(L, evalName, "return "+text); err == nil {
		return fn, nil
	}
	fn, err := fault.Load(L, evalName, text)
	if err != nil {
		if e, ok := errors.AsType[*fault.Error](err); ok {
			return nil, e
		}
		return nil, fmt.Errorf("compiling the line: %w", err)
	}
	return fn, nil
}

// scope is where the lines keep the globals they assign; those of the app stay as they are.
func scope(L *lua.LState) *lua.LTable {
	env, mt := L.NewTable(), L.NewTable()
	mt.RawSetString("__index", L.G.Global)
	env.Metatable = mt
	return env
}
