package luabind

import (
	"errors"
	"net/http"
	"sync/atomic"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/proxy"
)

// A proxied is one handler of package proxy, of which a canary or a mirror has two.
type proxied struct {
	route     *route // as it was compiled: that of a mounted app has another pattern than it was declared with
	role      string // "", or what it is in its route: "old", "new", "main", "shadow"
	upstream  *Upstream
	options   *proxyOptions
	handler   *proxy.Handler
	hedge     proxy.Hedge
	fallbacks atomic.Uint64 // answers of the script in place of a backend
}

// proxied makes the handler that passes requests on to u. In the isolates behind the first, where no request
// comes, it is none.
func (a *App) proxied(L *lua.LState, call *proxyCall, r *route, u *Upstream, o *proxyOptions, role string) http.Handler {
	engine, err := a.state.proxyOptions(L, u, o)
	x := &proxied{role: role, upstream: u, options: o, hedge: engine.Hedge}
	if err != nil {
		bind.Raise(L, call.name, bind.Errorf("option", "%w", err))
	}
	if a.state.isolate.Number() != 0 {
		return http.NotFoundHandler()
	}
	if role == roleShadow {
		engine.Fallback = nil // nobody reads it
	}
	if inner := engine.Fallback; inner != nil {
		engine.Fallback = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x.fallbacks.Add(1)
			inner.ServeHTTP(w, r)
		})
	}
	if x.handler, err = proxy.New(engine); err != nil {
		bind.Raise(L, call.name, bind.Errorf("option", "%w", errors.Unwrap(err)))
	}
	r.leads = append(r.leads, x)
	return x.handler
}

// settleProxies notes the handlers of a route that is compiled.
func (p *Program) settleProxies(r *route) {
	for _, x := range r.leads {
		if x.route == nil {
			x.route = r
			p.proxied = append(p.proxied, x)
		}
	}
	if m := r.mirrored; m != nil && m.route == nil {
		m.route = r
		p.mirrored = append(p.mirrored, m)
	}
}
