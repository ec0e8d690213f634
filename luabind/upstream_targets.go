package luabind

import (
	"context"
	"errors"
	"fmt"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/vm"
	"rws/server/proxy/discover"
	"rws/server/proxy/upstream"
)

// targets reads where backends are: a URL, a table with one, a list of those, or a function that
// returns such a list when it is asked.
func (s *state) targets(L *lua.LState, scheme string, v lua.LValue) ([]upstream.Target, []discover.Source, error) {
	if fn, ok := v.(*lua.LFunction); ok {
		callback := s.keepCallback(fn)
		source := discover.Func(functionAt(fn), func(ctx context.Context) ([]discover.Target, error) { return s.program.discover(ctx, callback, scheme) })
		return nil, []discover.Source{source}, nil
	}
	if v == nil || v == lua.LNil {
		return nil, nil, fmt.Errorf(`the backends are missing: a URL such as "http://127.0.0.1:9001", a list of them, or a function that returns one`)
	}
	list, err := s.program.targetList(L, scheme, v)
	return list, nil, err
}

// targetList reads a URL, a table with one, or a list of those, none of them twice.
func (p *Program) targetList(L *lua.LState, scheme string, v lua.LValue) ([]upstream.Target, error) {
	t, ok := v.(*lua.LTable)
	if !ok || t.RawGetString("url") != lua.LNil {
		one, err := p.target(L, scheme, v)
		return []upstream.Target{one}, err
	}
	var list []upstream.Target
	for n := 1; n <= t.Len(); n++ {
		one, err := p.target(L, scheme, t.RawGetInt(n))
		if err != nil {
			return nil, fmt.Errorf("backend %d: %w", n, err)
		}
		list = append(list, one)
	}
	if len(bind.Keys(t)) > 0 {
		return nil, fmt.Errorf("a list expected, but it has the key %q", bind.Keys(t)[0])
	}
	if len(list) == 0 {
		return nil, errors.New("the list is empty")
	}
	return list, checkTwice(list)
}

// target reads "http://10.0.0.7:9001", or { url = , weight = , backup = , host = }.
func (p *Program) target(L *lua.LState, scheme string, v lua.LValue) (t upstream.Target, err error) {
	var o backendOptions
	switch v := v.(type) {
	case lua.LString:
		o.URL = string(v)
	case *lua.LTable:
		if err := bind.Decode(L, v, &o); err != nil {
			return t, err
		}
		if isZero(v.RawGetString("weight")) {
			return t, errWeight
		}
	default:
		return t, fmt.Errorf(`a URL such as "http://127.0.0.1:9001" expected, or { url = …, weight = 3 }, got %s`, v.Type())
	}
	url, err := withScheme(scheme, o.URL)
	return upstream.Target{URL: p.backendURL(url), Weight: o.Weight, Backup: o.Backup, Host: o.Host}, err
}

// backendURL completes the paths of files and sockets, which are relative to the app's folder.
func (p *Program) backendURL(url string) string {
	for _, scheme := range []string{"file:", "unix:"} {
		if len(url) > len(scheme) && url[:len(scheme)] == scheme && url[len(scheme)] != '/' {
			return scheme + p.path(url[len(scheme):])
		}
	}
	return url
}

// discover calls a function of the script for the backends of a pool.
func (p *Program) discover(ctx context.Context, callback int, scheme string) (list []discover.Target, err error) {
	s := p.states[0]
	run := &vm.Run{Context: ctx}
	if at, ok := ctx.Deadline(); ok {
		run.SetDeadline(at)
	}
	err = s.isolate.Do(run, func(L *lua.LState) error {
		v, err := vm.Call(L, s.callbacks[callback])
		if err == nil {
			list, err = p.targetList(L, scheme, v)
		}
		return err
	})
	return list, err
}
