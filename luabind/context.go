package luabind

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/exchange"
	"rws/server/middleware"
	"rws/server/router"
)

const contextType = "rws.Context"

// A Ctx is a request as a handler sees it: the c of function(c). Lua may keep it, so it
// is never reused; once the request is over its methods raise.
//
// What lies behind middleware of the engine has a Ctx of its own, see within: its answer is
// another one than that of the functions outside, which may answer while it is still at work.
type Ctx struct {
	run   vm.Run
	state *state
	route *route
	w     http.ResponseWriter
	r     *http.Request
	ex    *exchange.Exchange
	res   response

	object  lua.LUserData // c
	answer  lua.LUserData // c.res
	headers lua.LValue    // c.headers: middleware of the engine may have changed them
	bridge  *bridge       // the last to a handler of the engine, which may be at work

	*request
	own request // what request leads to in the outermost
}

// A request is what all that answers a request has in common. It is read and written in the isolate.
type request struct {
	over    atomic.Bool
	extra   *lua.LTable // what scripts store
	user    shownUser
	fields  [lazyFields]lua.LValue
	session atomic.Pointer[Session] // nil until it is used

	form    *form     // once read
	body    *body     // nil until it is read
	cleanup *[]func() // see atEnd
}

// atEnd has f called when the request has ended.
func (r *request) atEnd(f func()) {
	if r.cleanup == nil {
		r.cleanup = new([]func())
	}
	*r.cleanup = append(*r.cleanup, f)
}

// newCtx returns the outermost Ctx of a request.
func newCtx(s *state, w http.ResponseWriter, r *http.Request, ex *exchange.Exchange) *Ctx {
	c := &Ctx{state: s, w: w, r: r, ex: ex}
	c.request = &c.own
	return c
}

// within returns the Ctx of what lies behind middleware of the engine.
func (c *Ctx) within(w http.ResponseWriter, r *http.Request) *Ctx {
	return &Ctx{state: c.state, route: c.route, w: w, r: r, ex: c.ex, request: c.request}
}

// Fields that are made when they are first read.
const (
	fieldParams = iota
	fieldQuery
	fieldCookies
	fieldForm
	fieldFiles
	fieldInput
	fieldSession
	fieldBodyStream
	lazyFields
)

// paramsOf returns the route parameters of r.
func paramsOf(r *http.Request) *router.Params {
	if ex := exchange.From(r.Context()); ex != nil {
		return &ex.Params
	}
	return &router.Params{}
}

// contextOf returns the request of a value, or raises when it is over.
func contextOf(L *lua.LState, self any) *Ctx {
	c := self.(*Ctx)
	if c.over.Load() {
		fault.Raisef(L, "over", "this request is over: keep what you need of c in locals before the handler returns")
	}
	return c
}

// contextOfType describes c.
func contextOfType() bind.Type {
	lazy := func(n int, make func(L *lua.LState, c *Ctx) lua.LValue) func(*lua.LState, any) lua.LValue {
		return func(L *lua.LState, self any) lua.LValue {
			c := contextOf(L, self)
			if c.fields[n] == nil {
				c.fields[n] = make(L, c)
			}
			return c.fields[n]
		}
	}
	text := func(get func(c *Ctx) string) func(*lua.LState, any) lua.LValue {
		return func(L *lua.LState, self any) lua.LValue { return lua.LString(get(contextOf(L, self))) }
	}
	return bind.Type{
		Name: contextType, As: "c",
		Fields: map[string]func(*lua.LState, any) lua.LValue{
			"method": text(func(c *Ctx) string { return c.r.Method }),
			"path":   text(func(c *Ctx) string { return c.r.URL.Path }),
			"url":    text(func(c *Ctx) string { return c.r.URL.RequestURI() }),
			"host":   text(func(c *Ctx) string { return c.r.Host }),
			"scheme": text(scheme),
			"ip":     text(clientIP),
			"id":     text(func(c *Ctx) string { return c.ex.ID() }),
			"route":  text(func(c *Ctx) string { return c.ex.Route }),
			"csp_nonce": func(L *lua.LState, self any) lua.LValue {
				if nonce := middleware.Nonce(contextOf(L, self).r.Context()); nonce != "" {
					return lua.LString(nonce)
				}
				return lua.LNil
			},
			"params":      lazy(fieldParams, makeParams),
			"query":       lazy(fieldQuery, makeQuery),
			"headers":     func(L *lua.LState, self any) lua.LValue { return contextOf(L, self).headersOf(L) },
			"cookies":     lazy(fieldCookies, makeCookies),
			"session":     lazy(fieldSession, makeSession),
			"tls":         func(L *lua.LState, self any) lua.LValue { return makeTLS(L, contextOf(L, self)) },
			"form":        lazy(fieldForm, makeForm),
			"files":       lazy(fieldFiles, makeFiles),
			"input":       lazy(fieldInput, func(L *lua.LState, _ *Ctx) lua.LValue { return fresh(L, L.NewTable()) }),
			"body":        func(L *lua.LState, self any) lua.LValue { return lua.LString(contextOf(L, self).readBody(L)) },
			"body_stream": lazy(fieldBodyStream, makeBodyStream),
			"res":         func(L *lua.LState, self any) lua.LValue { return contextOf(L, self).result(L) },
			"user":        userField,

			"csrf_token": csrfTokenField, "csrf_field": csrfFieldField,
		},
		Methods: []bind.Func{
			bind.RawWaitMethod("read_json()", contextReadJSON),
			bind.RawMethod("queries(name)", contextQueries),
			bind.RawMethod("json(value, status?)", contextJSON),
			bind.RawMethod("page(page)", contextPage),
			bind.RawMethod("text(text, status?)", contextText),
			bind.RawMethod("html(html, status?)", contextHTML),
			bind.RawWaitMethod("render(name, data?, status?)", contextRender),
			bind.RawMethod("redirect(url, status?)", contextRedirect),
			bind.RawWaitMethod("file(path, options?)", contextFile),
			bind.RawMethod("stream(fn, options?)", contextStream),
			bind.RawMethod("status(status)", contextStatus),
			bind.RawMethod("fail(status, message?, fields?)", contextFail),
			bind.RawMethod("assert(value, status, message?)", contextAssert),
		},
		Index: func(L *lua.LState, self any, key string) (lua.LValue, bool) {
			return contextOf(L, self).stored(key), true
		},
		Set: setContextField,
		String: func(self any) string {
			c := self.(*Ctx)
			return c.r.Method + " " + c.r.URL.Path + c.session.Load().who()
		},
	}
}

// readOnly are the fields that describe the request; scripts may store any other.
var readOnly = map[string]bool{
	"method": true, "path": true, "url": true, "host": true, "scheme": true, "ip": true, "id": true, "route": true, "csp_nonce": true,
	"params": true, "query": true, "headers": true, "cookies": true, "session": true, "form": true, "files": true, "input": true, "body": true, "body_stream": true, "res": true,
	"csrf_token": true, "csrf_field": true, "tls": true,
}

// fresh returns t, which was made for the run on L: also a run that is read-only may change it.
func fresh(L *lua.LState, t *lua.LTable) *lua.LTable {
	vm.Made(L, t)
	return t
}

func setContextField(L *lua.LState, self any, key string, v lua.LValue) bool {
	if readOnly[key] {
		return false
	}
	c := contextOf(L, self)
	vm.WritesTo(L, c)
	if key == "user" {
		c.setUser(L, v)
		return true
	}
	if c.extra == nil {
		c.extra = L.NewTable()
	}
	c.extra.RawSetString(key, v)
	return true
}

// stored returns what the script has put into c.
func (c *Ctx) stored(key string) lua.LValue {
	if c.extra != nil {
		return c.extra.RawGetString(key)
	}
	return lua.LNil
}

// clientIP is empty for clients of a unix socket.
func clientIP(c *Ctx) string {
	if ip := c.ex.ClientIP(); ip.IsValid() {
		return ip.String()
	}
	return ""
}

func scheme(c *Ctx) string {
	if c.r.TLS != nil || c.ex.Secure {
		return "https"
	}
	return "http"
}

// value returns the userdata of c.
func (c *Ctx) value() *lua.LUserData {
	if c.object.Value == nil {
		c.object.Value, c.object.Metatable = c, c.state.contexts
	}
	return &c.object
}

const paramsType = "rws.Params"

// makeParams returns c.params: a view of the router's values, because a table would cost
// as much as the rest of a small request.
func makeParams(L *lua.LState, c *Ctx) lua.LValue { return bind.New(L, paramsType, c) }

// paramsOfType describes c.params.
func paramsOfType() bind.Type {
	return bind.Type{
		Name: paramsType, As: "c.params",
		Index: func(L *lua.LState, self any, key string) (lua.LValue, bool) {
			params := &contextOf(L, self).ex.Params
			for i := range params.Len() { // ranging over All() would allocate
				if p := params.At(i); p.Name == key {
					return paramValue(p), true
				}
			}
			return lua.LNil, true
		},
		View: func(L *lua.LState, self any) *lua.LTable { return contextOf(L, self).paramsTable(L) },
	}
}

// paramsTable returns the parameters as a table.
func (c *Ctx) paramsTable(L *lua.LState) *lua.LTable {
	t := fresh(L, L.CreateTable(0, c.ex.Params.Len()))
	for p := range c.ex.Params.All() {
		t.RawSetString(p.Name, paramValue(p))
	}
	return t
}

// paramValue is text, unless the pattern says {int}.
func paramValue(p router.Param) lua.LValue {
	if p.Type == router.Int {
		if n, err := parseInt(p.Value); err == nil {
			return lua.LNumber(n)
		}
	}
	return lua.LString(p.Value)
}

// queryOf returns the query, or raises when it can't be read: then every reader would take
// something else for it.
func (c *Ctx) queryOf(L *lua.LState) url.Values {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err == nil {
		err = checkText(values)
	}
	if err != nil {
		fault.Raise(L, &fault.Error{Code: "query", Status: http.StatusBadRequest, Message: "the query string: " + err.Error(), Cause: err})
	}
	return values
}

var errNotText = errors.New("a value is not valid UTF-8")

func checkText(values url.Values) error {
	for name, list := range values {
		if !utf8.ValidString(name) || slices.ContainsFunc(list, func(s string) bool { return !utf8.ValidString(s) }) {
			return errNotText
		}
	}
	return nil
}

// makeQuery holds the first value of each name.
func makeQuery(L *lua.LState, c *Ctx) lua.LValue {
	t := fresh(L, L.NewTable())
	if c.r.URL.RawQuery == "" {
		return t
	}
	for name, values := range c.queryOf(L) {
		t.RawSetString(name, lua.LString(values[0]))
	}
	return t
}

func contextQueries(L *lua.LState, c *Ctx) int {
	L.Push(bind.Strings(L, contextOf(L, c).queryOf(L)[L.CheckString(2)]))
	return 1
}

// contextFail ends the request with a status.
func contextFail(L *lua.LState, c *Ctx) int {
	status := checkStatus(L, "c:fail", 2, 400, 599)
	e := &fault.Error{Code: failed, Status: status, Message: L.OptString(3, http.StatusText(status))}
	if t := bind.Arg[bind.Opt[*lua.LTable]](L, "c:fail", 4); t.Set {
		var err error
		if e.Fields, err = fault.Fields(t.Value); err != nil {
			bind.ArgError(L, "c:fail", 3, "%s", err.Error())
		}
	}
	fault.Raise(L, e)
	return 0
}

// contextAssert returns its value when it is true, as assert does.
func contextAssert(L *lua.LState, _ *Ctx) int {
	if v := L.Get(2); lua.LVAsBool(v) {
		L.Push(v)
		return 1
	}
	status := checkStatus(L, "c:assert", 3, 400, 599)
	fault.Raise(L, &fault.Error{Code: failed, Status: status, Message: L.OptString(4, http.StatusText(status))})
	return 0
}

// checkStatus returns argument n of a method as a status from low to high.
func checkStatus(L *lua.LState, name string, n, low, high int) int {
	v, ok := L.Get(n).(lua.LNumber)
	if !ok || int(v) < low || int(v) > high || v != lua.LNumber(int(v)) {
		bind.ArgError(L, name, n-1, "a status from %d to %d expected, got %s", low, high, L.Get(n).String())
	}
	return int(v)
}

// optStatus is checkStatus for a status that may be left out.
func optStatus(L *lua.LState, name string, n int) int {
	if L.Get(n) == lua.LNil {
		return 0
	}
	return checkStatus(L, name, n, 200, 599)
}

// end frees what the request held; Lua may still have c.
func (c *Ctx) end() {
	c.over.Store(true)
	if c.cleanup == nil {
		return
	}
	for _, f := range *c.cleanup {
		f()
	}
}

// deadline returns when what runs for the request must be done, from now: by the setting, the
// route's spec, or ctx, which a middleware may have limited, whichever comes first.
func (c *Ctx) deadline(ctx context.Context) time.Time {
	limit := c.state.program.Config.Timeout
	if c.route != nil && c.route.spec != nil && c.route.spec.timeout > 0 {
		limit = c.route.spec.timeout
	}
	at := time.Now().Add(limit)
	if ctx != context.Context(c.ex) { // which has no deadline of its own
		if until, ok := ctx.Deadline(); ok && until.Before(at) {
			return until
		}
	}
	return at
}
