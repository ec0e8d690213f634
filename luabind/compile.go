package luabind

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server"
	"rws/server/router"
)

// types returns the kinds of userdata that scripts meet.
func types() []bind.Type {
	return append([]bind.Type{
		{Name: appType, As: "app", Methods: appMethods(), Elsewhere: appElsewhere, Fields: map[string]func(*lua.LState, any) lua.LValue{
			"shared": func(L *lua.LState, self any) lua.LValue { return self.(*App).state.sharedValue(L) },
			"state":  func(L *lua.LState, self any) lua.LValue { return self.(*App).stateValue(L) },
			"sessions": func(L *lua.LState, self any) lua.LValue {
				return bind.New(L, sessionsType, &Sessions{self.(*App).state.program})
			},
			"cache": func(L *lua.LState, self any) lua.LValue {
				return bind.New(L, cacheType, &Cache{self.(*App).state.program})
			},
		}, Set: setAppField},
		{Name: routeType, As: "route", Methods: []bind.Func{bind.RawMethod("name(name)", routeName)}},
		contextOfType(), paramsOfType(), responseOfType(), headersOfType(), requestHeadersOfType(), cookiesOfType(), fileOfType(), outOfType(),
		sharedOfType(), testOfType(), answerOfType(), dbOfType(), txOfType(), queryOfType(), sessionOfType(), sessionsOfType(), cacheOfType(),
		httpCacheOfType(), upstreamOfType(), canaryOfType(), storageOfType(), readerOfType(),
		{Name: middlewareType, As: "middleware", String: func(self any) string { return self.(*Middleware).String() }},
	}, slices.Concat(redisTypes(), proxyTypes())...)
}

const middlewareType = "rws.Middleware"

// routeName names a route for app:url.
func routeName(L *lua.LState, r *route) int {
	name := L.CheckString(2)
	s := stateOf(L)
	for _, other := range s.routes {
		if other.name == name && other != r {
			fault.Raisef(L, "route", "route:name: %q names the route of %s already", name, other.source)
		}
	}
	r.name = name
	L.Push(L.Get(1))
	return 1
}

// appURL builds the path of a named route; what the pattern does not take becomes the
// query.
func appURL(L *lua.LState, a *App) int {
	built, err := a.state.url(L.CheckString(2), bind.Arg[bind.Opt[map[string]string]](L, "app:url", 3).Value)
	if err != nil {
		bind.Raise(L, "app:url", err)
	}
	L.Push(lua.LString(built))
	return 1
}

// url is app:url. The routes don't change once the script has loaded, so it needs no lock.
func (s *state) url(name string, params map[string]string) (string, error) {
	var names []string
	for _, r := range s.routes {
		if r.name == name {
			return r.url(params)
		}
		if r.name != "" {
			names = append(names, r.name)
		}
	}
	return "", fmt.Errorf("no route is named %q%s", name, didYouMean(name, names))
}

func (r *route) url(params map[string]string) (string, error) {
	p, err := router.Parse(r.pattern)
	if err != nil {
		return "", err
	}
	path, rest := make(map[string]string), maps.Clone(params)
	for _, info := range p.Params() {
		if v, ok := params[info.Name]; ok {
			path[info.Name] = v
			delete(rest, info.Name)
		}
	}
	built, err := p.Build(path)
	if err == nil && len(rest) > 0 {
		built += "?" + query(rest)
	}
	return built, err
}

// compile turns the declarations of the isolates into a server.App.
func (p *Program) compile() error {
	s := p.states[0]
	app := &server.App{Settings: p.settings(), Close: p.Close, Replaced: p.pass, Streams: p.streams, Before: []func(http.Handler) http.Handler{lendUser}}
	early, err := p.early()
	if err != nil {
		return err
	}
	if err := p.checkOrder(early); err != nil {
		return err
	}
	if slices.Contains(p.Config.Proxies.Trusted, "all") {
		p.logger.Warn("trusted_proxies is \"all\": whoever reaches the server says who the client is, past rws.ip_filter and limits; name the proxies")
	}
	for _, l := range early {
		app.Before = append(app.Before, p.before(l.native))
	}
	for _, cache := range p.httpCaches { // innermost: they see the paths that routes see
		app.Before = append(app.Before, cache.Forget)
	}
	if err := s.checkCaches(early); err != nil {
		return err
	}
	for k, r := range s.routes {
		p.settleProxies(r)
		var names []string
		for _, l := range slices.Concat(early, r.chain) {
			names = append(names, l.name())
		}
		route := server.Route{
			Method: r.method, Host: r.host, Pattern: r.pattern, Name: r.name, Source: r.source,
			Handler: p.chainHandler(k), Middleware: names, Kind: r.kind, Preflight: r.preflight(), Guard: r.optionsGuard(),
		}
		route.Summary, route.MaxBody, route.To = r.summary, r.maxBody, r.to()
		route.LeastBody = leastBody(slices.Concat(early, r.chain))
		if r.spec != nil {
			route.Summary, route.MaxBody = r.spec.summary, r.spec.maxBody
		}
		app.Routes = append(app.Routes, route)
	}
	if !p.Config.Production() {
		p.dev = newDevelopment(p)
		app.Routes = append(app.Routes, p.dev.routes()...)
	}
	for _, x := range p.proxied {
		app.Protect = append(app.Protect, headerPatterns(x.options.Protect)...)
	}
	p.compileAsides()
	p.fallback = p.compileFallback()
	if p.misses, err = s.compileMisses(); err != nil {
		return err
	}
	app.Miss = p.compileMiss()
	app.Fail = p.fail
	if err := p.measure(app); err != nil {
		return err
	}
	if _, err := server.Compile(app); err != nil {
		return &fault.Error{Code: "routes", Message: err.Error(), Cause: err}
	}
	p.App = app
	return nil
}

// compileFallback puts the middleware of the whole app around what answers a miss.
func (p *Program) compileFallback() http.Handler {
	last := len(p.states[0].routes)
	for _, s := range p.states {
		s.routes = append(s.routes, &route{kind: "fallback", chain: s.root.links(), native: http.HandlerFunc(p.fallbackHandler)})
	}
	h := p.chainHandler(last)
	return h
}

// name is how listings call a middleware.
func (l link) name() string {
	if l.native != nil {
		return l.native.String()
	}
	return "function " + l.source
}

// settings returns what the configuration says to the engine.
func (p *Program) settings() server.Settings {
	c := p.Config
	return server.Settings{
		Listeners: p.listeners(), EarlyData: c.EarlyData, TLS: p.serverTLS(), H2C: c.H2C,
		MaxConns: c.MaxConns, MaxHeaderBytes: int(c.MaxHeader), MaxBody: c.MaxBody, StopGrace: c.StopGrace,
		MemoryLimit: c.MemoryLimit, NoAccessLog: !c.AccessLog,
	}
}

// listeners are those of the configuration, with what counts whom they refuse.
func (p *Program) listeners() []server.Listener {
	list := p.Config.listeners()
	for i := range list {
		if list[i].Proxy != nil {
			list[i].Proxy.Refused = p.shared.kept.refused.of(list[i].Address)
		}
	}
	return list
}

func parseInt(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading %q: %w", s, err)
	}
	return n, nil
}

// stateValue returns app.state: a table that a reload hands on.
func (a *App) stateValue(L *lua.LState) lua.LValue {
	top := a.state.root
	if top.data == nil {
		top.data = L.NewTable()
	}
	return top.data
}

// setAppField lets scripts replace app.state.
func setAppField(L *lua.LState, self any, key string, v lua.LValue) bool {
	vm.Writes(L)
	t, ok := v.(*lua.LTable)
	if key != "state" || !ok {
		return false
	}
	self.(*App).state.root.data = t
	return true
}
