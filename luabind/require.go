package luabind

import (
	"context"
	"fmt"
	"path"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

// standard are the libraries of Lua, which its own require knows too.
var standard = map[string]bool{
	"string": true, "table": true, "math": true, "os": true, "io": true, "coroutine": true, "debug": true, "_G": true,
}

// A pendingModule is one that some run is loading.
type pendingModule struct {
	run  *vm.Run
	done chan struct{}
}

// require loads a file of the app once: "lib.users" is lib/users.lua or lib/users/init.lua,
// in the app's folder or in its lua_modules.
func (s *state) require(L *lua.LState) int {
	name := L.CheckString(1)
	if v, ok := s.globals[name]; ok && name != "app" {
		L.Push(v)
		return 1
	}
	if standard[name] {
		L.Push(L.G.Global.RawGetString(name))
		return 1
	}
	for {
		if v, ok := s.modules[name]; ok {
			L.Push(v)
			return 1
		}
		p := s.pending[name]
		if p == nil {
			break
		}
		if p.run == vm.Current(L) {
			fault.Raisef(L, "require", "require %q: the file requires itself, directly or by another file", name)
		}
		if err := vm.Wait(L, p.wait); err != nil {
			bind.Raise(L, "require", err)
		}
	}
	p := &pendingModule{run: vm.Current(L), done: make(chan struct{})}
	s.pending[name] = p
	defer func() {
		delete(s.pending, name)
		close(p.done)
	}()
	file, source, err := s.program.findModule(name)
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "require", Message: err.Error()})
	}
	v, err := s.runModule(L, file, source, name)
	if err != nil {
		if e := asFault(err); e.At != "" {
			L.Error(fault.Value(L, e), 0)
		}
		fault.Raise(L, asFault(err))
	}
	s.modules[name] = v
	L.Push(v)
	return 1
}

func (p *pendingModule) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// runModule runs the file; a file that returns nothing gives true, as in Lua.
func (s *state) runModule(L *lua.LState, file, source, name string) (lua.LValue, error) {
	fn, err := s.compileChunk(L, file, source)
	if err != nil {
		return nil, err
	}
	results, err := vm.Try(L, vm.OnError(L), fn, lua.LString(name))
	if err != nil {
		return nil, vm.AsError(err)
	}
	if len(results) == 0 || results[0] == lua.LNil {
		return lua.LTrue, nil
	}
	return results[0], nil
}

// findModule returns the file of a module and its text.
func (p *Program) findModule(name string) (file, source string, err error) {
	below := strings.ReplaceAll(name, ".", "/")
	if below == "" || path.IsAbs(below) || strings.Contains(name, "..") {
		return "", "", fmt.Errorf("require %q: a module's name is its path with dots, without .lua: require \"lib.users\"", name)
	}
	var tried []string
	for _, file := range []string{below + ".lua", below + "/init.lua", "lua_modules/" + below + ".lua", "lua_modules/" + below + "/init.lua"} {
		text, err := p.root.ReadFile(file)
		if err == nil {
			p.depend(file)
			return file, string(text), nil
		}
		tried = append(tried, file)
	}
	hint := ""
	if strings.HasSuffix(name, ".lua") {
		hint = fmt.Sprintf("; leave out the ending: require %q", strings.TrimSuffix(name, ".lua"))
	}
	return "", "", fmt.Errorf("require %q: there is none of %s in the app's folder%s", name, strings.Join(tried, ", "), hint)
}
