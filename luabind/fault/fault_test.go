package fault_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/luabind/vm"
)

var update = flag.Bool("update", false, "write the golden files anew")

// A world is an isolate with the names that scripts know: app, db and env are objects
// with a few methods, require loads testdata/lib, try is rws.try.
type world struct {
	isolate *vm.Isolate
	files   map[string]string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{isolate: vm.New(vm.Options{OnError: fault.Capture, Caught: fault.Caught, Frames: 200}), files: make(map[string]string)}
	t.Cleanup(w.isolate.Close)
	err := w.isolate.Do(&vm.Run{}, func(L *lua.LState) error {
		fault.Install(L)
		L.SetGlobal("app", object(L, "app", map[string]lua.LGFunction{"get": method("app", "get"), "post": method("app", "post")}))
		L.SetGlobal("db", object(L, "db", map[string]lua.LGFunction{"one": nothing, "all": nothing, "value": nothing}))
		L.SetGlobal("env", L.NewTable())
		L.SetGlobal("broken", L.NewFunction(func(*lua.LState) int { var p *strings.Builder; p.WriteByte('x'); return 0 }))
		L.SetGlobal("fail", L.NewFunction(func(L *lua.LState) int {
			fault.Raise(L, &fault.Error{Code: "not_found", Message: "db:one: no such table: users", Status: 404})
			return 0
		}))
		L.SetGlobal("lookup", L.NewFunction(func(L *lua.LState) int {
			if L.Get(1) == lua.LNil {
				fault.Raisef(L, "argument", "lookup: argument 1: string expected, got nil")
			}
			return 0
		}))
		L.SetGlobal("try", L.NewFunction(func(L *lua.LState) int {
			results, err := vm.Try(L, vm.OnError(L), L.Get(1))
			if err != nil {
				L.Push(lua.LFalse)
				L.Push(vm.ErrorValue(err))
				return 2
			}
			L.Push(lua.LTrue)
			for _, v := range results {
				L.Push(v)
			}
			return 1 + len(results)
		}))
		L.SetGlobal("require", L.NewFunction(func(L *lua.LState) int {
			name := "lib/" + L.CheckString(1) + ".lua"
			text, err := os.ReadFile("testdata/" + name)
			if err != nil {
				L.RaiseError("%s", err.Error())
			}
			fn, err := w.load(L, name, string(text))
			if e, ok := errors.AsType[*fault.Error](err); ok {
				fault.Raise(L, e)
			}
			L.Push(fn)
			L.Call(0, 1)
			return 1
		}))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// object returns a userdata with methods, which shows as its name.
func object(L *lua.LState, name string, methods map[string]lua.LGFunction) lua.LValue {
	ud := L.NewUserData()
	mt := L.NewTable()
	mt.RawSetString("__index", L.SetFuncs(L.NewTable(), methods))
	mt.RawSetString("__tostring", L.NewFunction(func(L *lua.LState) int { L.Push(lua.LString(name)); return 1 }))
	ud.Metatable = mt
	return ud
}

func nothing(L *lua.LState) int { L.Push(lua.LNil); return 1 }

func method(object, name string) lua.LGFunction {
	return func(L *lua.LState) int {
		if _, ok := L.Get(1).(*lua.LUserData); !ok {
			fault.Raise(L, &fault.Error{Code: "argument", Message: fault.ColonHint(object, name)})
		}
		return 0
	}
}

func (w *world) load(L *lua.LState, file, text string) (*lua.LFunction, error) {
	w.files[file] = text
	return fault.Load(L, file, text)
}

func (w *world) source(file string) (string, bool) { text, ok := w.files[file]; return text, ok }

// run runs a script as app.lua, and the handler that it may return, and reports the
// error of either.
func (w *world) run(script string) (failed *fault.Error) {
	err := w.isolate.Do(&vm.Run{}, func(L *lua.LState) error {
		fn, err := w.load(L, "app.lua", script)
		if err != nil {
			return err
		}
		handler, err := vm.Call(L, fn)
		if err != nil {
			return err
		}
		if handler == lua.LNil {
			return nil
		}
		c := L.NewTable()
		for _, name := range []string{"params", "query"} {
			c.RawSetString(name, L.NewTable())
		}
		c.RawGetString("params").(*lua.LTable).RawSetString("id", lua.LString("x7"))
		_, err = vm.Call(L, handler, c)
		return err
	})
	return fault.FromError(err)
}

var whole = fault.TextOptions{Locals: true, Trace: true}

// golden runs each script of an archive and compares what report makes of it with the
// file that follows the script.
func golden(t *testing.T, file string, report func(t *testing.T, script string) string) {
	path := "testdata/" + file
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for _, f := range archive.Files {
		want[f.Name] = string(f.Data)
	}
	renewed := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		name, isScript := strings.CutSuffix(f.Name, ".lua")
		if !isScript {
			continue
		}
		t.Run(name, func(t *testing.T) {
			got := report(t, string(f.Data))
			renewed.Files = append(renewed.Files, f, txtar.File{Name: name + ".txt", Data: []byte(got)})
			if diff := cmp.Diff(want[name+".txt"], got); diff != "" && !*update {
				t.Errorf("the report differs (-want +got):\n%s\n%s", diff, got)
			}
		})
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(path, txtar.Format(renewed), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// reportError is the text of the error that a script ends with.
func reportError(t *testing.T, script string) string {
	w := newWorld(t)
	e := w.run(script)
	if e == nil {
		t.Fatal("the script did not fail")
	}
	return e.Text(w.source, whole)
}

func TestErrorsOfTheInterpreter(t *testing.T) { golden(t, "run.txtar", reportError) }
func TestRaisedErrors(t *testing.T)           { golden(t, "raise.txtar", reportError) }
func TestHints(t *testing.T)                  { golden(t, "hints.txtar", reportError) }
func TestPlaces(t *testing.T)                 { golden(t, "places.txtar", reportError) }
func TestSyntaxErrors(t *testing.T)           { golden(t, "load.txtar", reportError) }
