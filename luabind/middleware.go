package luabind

import (
	"net/http"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
)

// middlewareFuncs make the engine's middleware, which runs in Go: no Lua is on its path.
func middlewareFuncs() []bind.Func {
	return []bind.Func{
		bind.Raw("request_id()", requestID),
	}
}

// native pushes a middleware of the engine. make runs in the first isolate only: requests pass
// through what that one declared, so the others hold the place. An error of make is raised as
// one of the options that the script gave, at the line of the call; what make opens it hands to
// the stores of the program to close.
func native(L *lua.LState, name string, make func(p *Program) (func(http.Handler) http.Handler, error)) int {
	s := stateOf(L)
	s.root.mustLoad(L, "rws."+name)
	m := &Middleware{Name: name}
	if s.isolate.Number() == 0 {
		wrap, err := make(s.program)
		if err != nil {
			bind.Raise(L, "rws."+name, err)
		}
		m.Wrap = wrap
	}
	L.Push(bind.New(L, middlewareType, m))
	return 1
}

// requestID sends the request's id to the client.
func requestID(L *lua.LState) int {
	return native(L, "request_id", func(*Program) (func(http.Handler) http.Handler, error) {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Request-Id", exchangeOf(r).ID())
				next.ServeHTTP(w, r)
			})
		}, nil
	})
}
