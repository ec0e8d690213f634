package luabind

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/httpcache"
	"rws/server/router"
	"rws/server/suggest"
)

const (
	appType   = "rws.App"
	routeType = "rws.Route"
)

// An App is what routes are declared on: the app itself, a group, a host, or an app
// made by rws.app() that another one mounts.
type App struct {
	state    *state
	parent   *App
	prefix   string
	host     string
	chain    []link // its own middleware, outermost first
	early    []link // of the whole app: middleware that stands before the routing
	detached bool   // made by rws.app(): routes wait for a mount
	routes   []*route
	data     *lua.LTable // app.state
	declared bool        // it has routes
	idle     []link      // behind all of them, see used
	first    *route      // see noteRoute
}

// A link is one element of a chain: a Lua function or a middleware of the engine.
type link struct {
	fn     *lua.LFunction
	native *Middleware
	source string
}

// A Middleware is one that runs in Go: rws.request_id() and its like.
type Middleware struct {
	Name string
	Wrap func(http.Handler) http.Handler

	// Limit is what it allows, as "1mb", for listings; "" when it is no limit.
	Limit string
	// Early is for what works before the routing only, because it changes where a request goes.
	Early bool
	// Preflight is for what answers the preflights of CORS.
	Preflight bool
	// Guard is for what keeps requests out by who sends them, or when: a cache before it would give its
	// answers to everybody.
	Guard   bool
	body    int64            // bytes of a request body that rws.max_body allows
	perIP   bool             // a limit that needs to know no more than the address
	perUser bool             // a limit by c.user
	limit   *limit           // of rws.rate_limit
	cache   *httpcache.Cache // of rws.http_cache
}

// A route is one declaration.
type route struct {
	method, host, pattern, name, source, kind string
	chain                                     []link
	handler                                   *lua.LFunction
	native                                    http.Handler
	spec                                      *spec
	maxBody                                   int64      // of a route without spec, 0 for that of the app
	summary                                   string     // the same
	leads                                     []*proxied // where it passes requests on to
	mirrored                                  *mirrored
	more                                      []string // of a canary or mirror, for listings
}

// same reports whether two isolates declared the same.
func (r *route) same(other *route) bool {
	return r.method == other.method && r.host == other.host && r.pattern == other.pattern &&
		r.name == other.name && r.source == other.source && len(r.chain) == len(other.chain)
}

func didYouMean(word string, names []string) string { return suggest.DidYouMean(word, names) }

var verbs = map[string]string{
	"get": http.MethodGet, "post": http.MethodPost, "put": http.MethodPut, "patch": http.MethodPatch,
	"delete": http.MethodDelete, "head": http.MethodHead, "options": http.MethodOptions, "all": "",
}

// appMethods returns the methods of App.
func appMethods() []bind.Func {
	methods := []bind.Func{
		bind.RawMethod("route(method, pattern, ...)", appRoute),
		bind.RawMethod("use(...)", appUse),
		bind.RawMethod("group(prefix, ...)", appGroup),
		bind.RawMethod("host(name, declare?)", appHost),
		bind.RawMethod("mount(prefix, other)", appMount),
		bind.RawMethod("resource(prefix, ...)", appResource),
		bind.RawMethod("static(prefix, folder, options?)", appStatic),
		bind.RawMethod("on(event, fn)", appOn),
		bind.RawMethod("on_error(status, fn?)", appOnError),
		bind.RawMethod("config(settings)", appConfig),
		bind.RawMethod("url(name, params?)", appURL),
		bind.RawMethod("test(name, fn)", appTest),
		bind.RawWaitMethod("db(url, options?)", appDB),
		bind.RawMethod("redis(url)", appRedis),
		bind.RawMethod("storage(url, options?)", appStorage),
		bind.RawMethod("upstream(name, options)", appUpstream),
		bind.RawMethod("proxy(pattern, ...)", appProxy),
		bind.RawMethod("grpc(pattern, ...)", appGRPC),
		bind.RawMethod("canary(pattern, ...)", appCanary),
		bind.RawMethod("mirror(pattern, ...)", appMirror),
		bind.RawMethod("tcp(listen, options)", appTCP),
		bind.RawMethod("udp(listen, options)", appUDP),
		bind.RawMethod("metrics(path?, ...)", appMetrics),
		bind.RawMethod("health(options?, ...)", declareHealth),
		bind.RawMethod("tls(options)", declareTLS),
	}
	for _, verb := range slices.Sorted(maps.Keys(verbs)) {
		method := verbs[verb]
		methods = append(methods, bind.RawMethod(verb+"(pattern, ...)", func(L *lua.LState, a *App) int {
			return a.declare(L, "app:"+verb, method, 2)
		}))
	}
	return methods
}

// appElsewhere are names that frameworks for JavaScript, Python, Ruby and Go have for methods of an app.
var appElsewhere = map[string]string{
	"any": "all", "del": "delete", "handle": "route", "router": "group", "blueprint": "group", "register": "mount",
	"listen": "config", "run": "config", "set": "config", "middleware": "use", "before": "use", "error": "on_error",
	"not_found": "on_error", "assets": "static", "files": "static",
}

// mustLoad raises unless the script is loading.
func (a *App) mustLoad(L *lua.LState, what string) {
	if !a.state.loading {
		fault.Raisef(L, "late", "%s: an app is declared while its script loads; this code runs later", what)
	}
}

func appRoute(L *lua.LState, a *App) int {
	method := strings.ToUpper(L.CheckString(2))
	return a.declare(L, "app:route", method, 3)
}

// declare reads (pattern, middleware or spec …, handler) from argument n on.
func (a *App) declare(L *lua.LState, name, method string, n int) int {
	a.mustLoad(L, name)
	pattern, ok := L.Get(n).(lua.LString)
	if !ok {
		bind.ArgError(L, name, n-1, "a pattern such as \"/notes/:id\" expected, got %s", L.Get(n).Type())
	}
	last := L.GetTop()
	handler, ok := L.Get(last).(*lua.LFunction)
	if !ok || last == n {
		bind.ArgError(L, name, max(last-1, n), "the last argument is the handler, a function, got %s", L.Get(max(last, n+1)).Type())
	}
	mustBeCalled(L, handler)
	r := &route{method: method, pattern: string(pattern), handler: handler, kind: "lua"}
	for i := n + 1; i < last; i++ {
		a.option(L, name, r, i)
	}
	a.add(L, name, r)
	L.Push(bind.New(L, routeType, r))
	return 1
}

// option reads one argument between pattern and handler.
func (a *App) option(L *lua.LState, name string, r *route, n int) {
	if l, ok := asLink(L, n); ok {
		l.mustWork(L, name)
		r.chain = append(r.chain, l)
		return
	}
	t, ok := L.Get(n).(*lua.LTable)
	if !ok {
		bind.ArgError(L, name, n-1, "middleware (a function) or a spec (a table) expected, got %s", L.Get(n).Type())
	}
	if r.spec != nil {
		bind.ArgError(L, name, n-1, "this is the second spec table; put all of the spec into one")
	}
	s, err := parseSpec(L, t)
	if err == nil {
		err = s.suits(r.method)
	}
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "spec", At: a.state.placeOf(fault.Where(L), err), Message: name + " " + r.pattern + ": " + err.Error()})
	}
	r.spec = s
}

// asLink returns argument n as middleware.
func asLink(L *lua.LState, n int) (link, bool) { return linkOf(L, L.Get(n)) }

func linkOf(L *lua.LState, v lua.LValue) (link, bool) {
	mustBeCalled(L, v)
	switch v := v.(type) {
	case *lua.LFunction:
		return link{fn: v, source: functionAt(v)}, true
	case *lua.LUserData:
		if m, ok := v.Value.(*Middleware); ok {
			return link{native: m, source: fault.Where(L)}, true
		}
	}
	return link{}, false
}

// functionAt returns where a Lua function was written, "app.lua:12".
func functionAt(f *lua.LFunction) string {
	if f.IsG {
		return "Go"
	}
	return fmt.Sprintf("%s:%d", f.Proto.SourceName, f.Proto.LineDefined)
}

// add completes r with what a says of all its routes and records it.
func (a *App) add(L *lua.LState, name string, r *route) {
	r.pattern = join(a.prefix, r.pattern)
	r.host = a.host
	links := a.links()
	r.chain = append(links, r.chain...)
	r.source = fault.Where(L)
	p, err := router.Parse(r.pattern)
	if err == nil && r.spec != nil {
		err = r.spec.fits(p)
	}
	if err == nil && r.spec != nil {
		a.state.guardRoute(L, name, r, len(links))
	}
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "pattern", Message: name + ": " + err.Error()})
	}
	a.state.nameLimits(r.chain, r.limitPlace())
	a.declares()
	a.noteRoute(r)
	if top := a.top(); top.detached {
		top.routes = append(top.routes, r)
		return
	}
	a.state.routes = append(a.state.routes, r)
}

// links returns the middleware of a and of what it is part of, outermost first.
func (a *App) links() []link {
	if a.parent == nil {
		return slices.Clone(a.chain)
	}
	return append(a.parent.links(), a.chain...)
}

func (a *App) top() *App {
	for a.parent != nil {
		a = a.parent
	}
	return a
}

func appUse(L *lua.LState, a *App) int {
	a.mustLoad(L, "app:use")
	for n := 2; n <= L.GetTop(); n++ {
		l, ok := asLink(L, n)
		if !ok {
			bind.ArgError(L, "app:use", n-1, "middleware expected: function(c, next) or one of rws, got %s", L.Get(n).Type())
		}
		a.state.nameLimits([]link{l}, a.limitPlace(L))
		if a.standsBefore(l) {
			a.early = append(a.early, l)
		} else {
			l.mustWork(L, "app:use")
			a.chain = append(a.chain, l)
			a.used(l)
			a.noteGuard(l)
		}
	}
	L.Push(L.Get(1))
	return 1
}

// standsBefore reports whether l, which comes next, stands before the routing and so sees every
// request: the engine's middleware that the whole app uses before its first route and before the
// first function, which could not go on in the order they were written otherwise.
func (a *App) standsBefore(l link) bool {
	return l.native != nil && a.parent == nil && !a.detached && len(a.chain) == 0 && len(a.state.routes) == 0
}

var events = []string{"start", "stop", "reload"}

func appOn(L *lua.LState, a *App) int {
	a.mustLoad(L, "app:on")
	event, fn := L.CheckString(2), L.CheckFunction(3)
	if !slices.Contains(events, event) {
		bind.ArgError(L, "app:on", 1, "%q is no event%s; there are %s", event, didYouMean(event, events), strings.Join(events, ", "))
	}
	a.state.hooks[event] = append(a.state.hooks[event], fn)
	return 0
}

func appOnError(L *lua.LState, a *App) int {
	a.mustLoad(L, "app:on_error")
	if a.parent != nil || a.detached {
		fault.Raisef(L, "option", "app:on_error: errors are answered for the whole app: call it on `app`, not on a group, a host or an app that is mounted")
	}
	if fn, ok := L.Get(2).(*lua.LFunction); ok {
		a.state.errors[0] = fn
		return 0
	}
	status := L.CheckInt(2)
	if status < 400 || status > 599 {
		bind.ArgError(L, "app:on_error", 1, "a status from 400 to 599 expected, got %d", status)
	}
	a.state.errors[status] = L.CheckFunction(3)
	return 0
}

func appConfig(L *lua.LState, a *App) int {
	a.mustLoad(L, "app:config")
	t := L.CheckTable(2)
	at, p := fault.Where(L), a.state.program
	faults := p.Config.fromTable(L, t, "", func(name string) string { return a.state.optionPlace(at, name) })
	switch len(faults) {
	case 0:
	case 1:
		faults[0].Message = "app:config: " + faults[0].Message
		fault.Raise(L, faults[0])
	default:
		fault.Raise(L, joinFaults(fmt.Sprintf("app:config: %d options are wrong", len(faults)), faults).(*fault.Error))
	}
	if err := p.Config.overlay(p.environ, p.options.Flags); err != nil { // db:migrate asks for settings while the script loads
		fault.Raise(L, &fault.Error{Code: "option", At: a.state.placeOf(at, err), Message: "app:config: " + err.Error()})
	}
	return 0
}

// userdata returns the *T in a Lua value.
func userdata[T any](v lua.LValue) (*T, bool) {
	ud, ok := v.(*lua.LUserData)
	if !ok {
		return nil, false
	}
	p, ok := ud.Value.(*T)
	return p, ok
}
