package luabind

import (
	"net/http"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
)

// join puts a prefix before a pattern; "/" below a prefix is the prefix itself.
func join(prefix, pattern string) string {
	switch {
	case prefix == "":
		return pattern
	case pattern == "/" || pattern == "":
		return prefix
	}
	return prefix + pattern
}

// checkPrefix returns argument n as a prefix without a slash at the end.
func checkPrefix(L *lua.LState, name string, n int) string {
	prefix, ok := L.Get(n).(lua.LString)
	if !ok || !strings.HasPrefix(string(prefix), "/") {
		bind.ArgError(L, name, n-1, "a prefix such as \"/api\" expected, got %s", L.Get(n).String())
	}
	return strings.TrimRight(string(prefix), "/")
}

func appGroup(L *lua.LState, a *App) int {
	a.mustLoad(L, "app:group")
	g := &App{state: a.state, parent: a, prefix: join(a.prefix, checkPrefix(L, "app:group", 2)), host: a.host}
	for n := 3; n <= L.GetTop(); n++ {
		l, ok := asLink(L, n)
		if !ok {
			bind.ArgError(L, "app:group", n-1, "middleware expected, got %s", L.Get(n).Type())
		}
		l.mustWork(L, "app:group")
		g.chain = append(g.chain, l)
	}
	a.state.nameLimits(g.chain, g.limitPlace(L))
	a.state.parts = append(a.state.parts, g)
	L.Push(bind.New(L, appType, g))
	return 1
}

func appHost(L *lua.LState, a *App) int {
	a.mustLoad(L, "app:host")
	h := &App{state: a.state, parent: a, prefix: a.prefix, host: L.CheckString(2)}
	if err := checkAppHost(h.host); err != nil {
		bind.ArgError(L, "app:host", 1, "%s", err)
	}
	a.state.parts = append(a.state.parts, h)
	object := bind.New(L, appType, h)
	if L.GetTop() > 2 {
		L.Push(L.CheckFunction(3))
		L.Push(object)
		vm.CallBack(L, 1, 0)
	}
	L.Push(object)
	return 1
}

func appMount(L *lua.LState, a *App) int {
	a.mustLoad(L, "app:mount")
	prefix := checkPrefix(L, "app:mount", 2)
	other, ok := userdata[App](L.Get(3))
	if !ok || !other.detached {
		bind.ArgError(L, "app:mount", 2, "another app expected, as made by rws.app() and returned by the required file")
	}
	for _, r := range other.routes {
		copied := *r
		copied.pattern = join(prefix, r.pattern)
		source := r.source
		a.add(L, "app:mount", &copied)
		copied.source = source
	}
	return 0
}

// actions of app:resource, in the order they are declared.
var actions = []struct{ name, method, suffix string }{
	{"index", http.MethodGet, ""}, {"new", http.MethodGet, "/new"}, {"create", http.MethodPost, ""},
	{"show", http.MethodGet, "/:id"}, {"edit", http.MethodGet, "/:id/edit"},
	{"update", http.MethodPut, "/:id"}, {"update", http.MethodPatch, "/:id"}, {"destroy", http.MethodDelete, "/:id"},
}

func appResource(L *lua.LState, a *App) int {
	a.mustLoad(L, "app:resource")
	prefix := checkPrefix(L, "app:resource", 2)
	last := L.GetTop()
	handlers, ok := L.Get(last).(*lua.LTable)
	if !ok || last < 3 {
		bind.ArgError(L, "app:resource", last-1, "the last argument is a table of handlers: { index = fn, show = fn, … }")
	}
	var chain []link
	for n := 3; n < last; n++ {
		l, ok := asLink(L, n)
		if !ok {
			bind.ArgError(L, "app:resource", n-1, "middleware expected, got %s", L.Get(n).Type())
		}
		l.mustWork(L, "app:resource")
		chain = append(chain, l)
	}
	names := make([]string, len(actions))
	for i, action := range actions {
		names[i] = action.name
	}
	for _, key := range bind.Keys(handlers) {
		if !slices.Contains(names, key) {
			fault.Raisef(L, "option", "app:resource %s: unknown action %q%s; there are %s", prefix, key, didYouMean(key, names), strings.Join(slices.Compact(names), ", "))
		}
	}
	for _, action := range actions {
		v := handlers.RawGetString(action.name)
		if v == lua.LNil {
			continue
		}
		fn, ok := v.(*lua.LFunction)
		if !ok {
			fault.Raisef(L, "option", "app:resource %s: %s is a %s, a function was expected", prefix, action.name, v.Type())
		}
		a.add(L, "app:resource", &route{method: action.method, pattern: prefix + action.suffix, handler: fn, kind: "lua", chain: slices.Clone(chain)})
	}
	return 0
}
