package luabind

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/proxy"
)

// proxyOptions are the options of app:proxy and app:grpc.
type proxyOptions struct {
	poolOptions
	Strip     string       `json:"strip"`
	Rewrite   *lua.LTable  `json:"rewrite"`
	Host      string       `json:"host"`
	Request   *editOptions `json:"request"`
	Response  *editOptions `json:"response"`
	Forwarded bool         `json:"forwarded"`
	Protect   []string     `json:"protect"`
	Paths     *pathOptions `json:"paths"`
	MaxBody   *bind.Size   `json:"max_body"`
	Hedge     lua.LValue   `json:"hedge"`
	Summary   string       `json:"summary"`

	OnRequest  *lua.LFunction `json:"on_request"`
	OnResponse *lua.LFunction `json:"on_response"`
	Fallback   *lua.LFunction `json:"fallback"`
}

// editOptions change a header.
type editOptions struct {
	Set    map[string]string `json:"set"`
	Add    map[string]string `json:"add"`
	Remove []string          `json:"remove"`
}

// pathOptions say which paths are passed on that are easily misread.
type pathOptions struct {
	Slashes bool `json:"slashes"`
	Encoded bool `json:"encoded"`
}

// hedgeOptions ask a further backend when one takes long.
type hedgeOptions struct {
	After time.Duration `json:"after"`
	Most  int           `json:"most"`
}

// proxyCall is what app:proxy and its like are called with.
type proxyCall struct {
	name     string
	pattern  string
	backends []lua.LValue // in order
	chain    []link
	options  *lua.LTable // nil for none
}

// appProxy is app:proxy(pattern, ..., to, options?).
func appProxy(L *lua.LState, a *App) int {
	return a.declareProxy(L, "app:proxy", "", "proxy")
}

// appGRPC is app:grpc(pattern, ..., to, options?).
func appGRPC(L *lua.LState, a *App) int {
	return a.declareProxy(L, "app:grpc", http.MethodPost, "grpc")
}

func (a *App) declareProxy(L *lua.LState, name, method, kind string) int {
	a.mustLoad(L, name)
	call := readProxyCall(L, name, 1)
	var o proxyOptions
	call.decode(L, &o)
	if kind == "grpc" {
		mustFit(L, name, checkBareGRPC(call.backends))
		mustFit(L, name, checkBareGRPC([]lua.LValue{o.To}))
	}
	u := a.upstreamFor(L, &call, 0, &o.poolOptions)
	r := &route{method: method, pattern: call.pattern, kind: kind, chain: call.chain}
	a.finishProxy(L, &call, r, u, &o)
	L.Push(bind.New(L, routeType, r))
	return 1
}

// finishProxy makes the handler of r and declares it.
func (a *App) finishProxy(L *lua.LState, call *proxyCall, r *route, u *Upstream, o *proxyOptions) {
	if r.kind == "grpc" {
		if err := checkGRPC(u, o); err != nil {
			bind.Raise(L, call.name, bind.Errorf("option", "%w", err))
		}
	}
	r.native = a.proxied(L, call, r, u, o, "")
	a.addProxy(L, call, r, o)
}

// addProxy declares a route with the options of one that every kind of proxy has.
func (a *App) addProxy(L *lua.LState, call *proxyCall, r *route, o *proxyOptions) {
	if o.MaxBody != nil {
		r.maxBody = int64(*o.MaxBody)
	}
	r.summary = o.Summary
	a.add(L, call.name, r)
}

// readProxyCall reads a pattern, middleware, backends (as many as most), and options, which are the last
// table.
func readProxyCall(L *lua.LState, name string, most int) proxyCall {
	c := proxyCall{name: name}
	pattern, ok := L.Get(2).(lua.LString)
	if !ok {
		bind.ArgError(L, name, 1, "a pattern such as \"/api/*\" expected, got %s", L.Get(2).Type())
	}
	c.pattern = string(pattern)
	for n := 3; n <= L.GetTop(); n++ {
		if l, ok := asLink(L, n); ok {
			l.mustWork(L, name)
			c.chain = append(c.chain, l)
			continue
		}
		switch v := L.Get(n).(type) {
		case *lua.LTable:
			if !isBackends(v) {
				if n != L.GetTop() {
					bind.ArgError(L, name, n-1, "the options are the last argument")
				}
				c.options = v
				continue
			}
			c.backends = append(c.backends, v)
		case lua.LString:
			c.backends = append(c.backends, v)
		default:
			if _, ok := userdata[Upstream](v); !ok {
				bind.ArgError(L, name, n-1, "an upstream, a URL, middleware or options expected, got %s", v.Type())
			}
			c.backends = append(c.backends, v)
		}
		if len(c.backends) > most {
			bind.ArgError(L, name, n-1, "there are more backends than it takes; put them into one list")
		}
	}
	return c
}

// isBackends reports whether a table is a list of backends, or one, and not options.
func isBackends(t *lua.LTable) bool { return t.Len() > 0 || t.RawGetString("url") != lua.LNil }

// decode reads the options into p.
func (c *proxyCall) decode(L *lua.LState, p any) {
	if c.options == nil {
		return
	}
	err := bind.Decode(L, c.options, p)
	if err == nil {
		err = checkZeros(c.options)
	}
	if err != nil {
		bind.Raise(L, c.name, bind.Errorf("option", "%w", err))
	}
}

// upstreamFor is the n-th of the backends of a call.
func (a *App) upstreamFor(L *lua.LState, c *proxyCall, n int, o *poolOptions) *Upstream {
	label := join(a.prefix, c.pattern)
	if a.host != "" {
		label = a.host + label
	}
	if n > 0 {
		label += " " + fmt.Sprint(n+1)
	}
	for i, base := 2, label; slices.ContainsFunc(a.state.program.upstreams[:a.state.upstreams], func(u *Upstream) bool { return u.pool.Name() == label }); i++ {
		label = fmt.Sprintf("%s (%d)", base, i) // the same place, for another method
	}
	if n >= len(c.backends) {
		return a.state.newUpstream(L, c.name, label, *o)
	}
	if u, ok := userdata[Upstream](c.backends[n]); ok {
		if given := o.given(); len(given) > 0 && !c.inline(1-n) {
			bind.Raise(L, c.name, bind.Errorf("option", "option %q is about backends: give it to app:upstream, where %q is declared (%s)", given[0], u.pool.Name(), u.source))
		}
		return u
	}
	own := *o
	if own.To != nil {
		bind.Raise(L, c.name, bind.Errorf("option", "option \"to\": the backends are there already, before the options"))
	}
	own.To = c.backends[n]
	own.beside = a.besides(L, c, 1-n)
	return a.state.newUpstream(L, c.name, label, own)
}

// inline reports whether the n-th backends of a call are named in it.
func (c *proxyCall) inline(n int) bool {
	if n < 0 || n >= len(c.backends) {
		return false
	}
	_, declared := userdata[Upstream](c.backends[n])
	return !declared
}

// besides is how the other backends of a call are spoken to, where the same options are about them. What is
// wrong with them is told when they are declared.
func (a *App) besides(L *lua.LState, c *proxyCall, n int) reach {
	if !c.inline(n) {
		return reach{}
	}
	targets, sources, err := a.state.targets(L, "", c.backends[n])
	if err != nil {
		return reach{}
	}
	return reachOf(c.backends[n], targets, sources)
}

// proxyOptions are those of the engine.
func (s *state) proxyOptions(L *lua.LState, u *Upstream, o *proxyOptions) (e proxy.Options, err error) {
	e = proxy.Options{Pool: u.pool, Strip: o.Strip, Host: o.Host,
		Forwarded: o.Forwarded, Protect: headerPatterns(o.Protect), Logger: s.program.log()}
	if e.Request, err = o.Request.edits(); err != nil {
		return e, fmt.Errorf("option \"request\": %w", err)
	}
	if e.Response, err = o.Response.edits(); err != nil {
		return e, fmt.Errorf("option \"response\": %w", err)
	}
	if o.Paths != nil {
		e.Paths = proxy.Paths{Slashes: o.Paths.Slashes, Encoded: o.Paths.Encoded}
	}
	if e.Rewrite, err = rewriteRules(o.Rewrite); err != nil {
		return e, fmt.Errorf("option \"rewrite\": %w", err)
	}
	if e.Timeout, err = u.proxyTimeout(L, o.Timeout); err != nil {
		return e, fmt.Errorf("option \"timeout\": %w", err)
	}
	if e.Retry, err = u.retryOf(o); err != nil {
		return e, fmt.Errorf("option \"retry\": %w", err)
	}
	if e.Hedge, err = hedgeOf(L, o.Hedge); err != nil {
		return e, fmt.Errorf("option \"hedge\": %w", err)
	}
	s.proxyHooks(&e, o)
	return e, nil
}

// rewriteRules reads { "^/v1/(.*)$", "/$1" }, or a list of such pairs.
func rewriteRules(t *lua.LTable) ([]proxy.Rule, error) {
	if t == nil {
		return nil, nil
	}
	if _, pair := t.RawGetInt(1).(lua.LString); pair {
		rule, err := rewriteRule(t)
		return []proxy.Rule{rule}, err
	}
	var rules []proxy.Rule
	for n := 1; n <= t.Len(); n++ {
		pair, ok := t.RawGetInt(n).(*lua.LTable)
		if !ok {
			return nil, fmt.Errorf(`rule %d: a pair such as { "^/v1/(.*)$", "/$1" } expected, got %s`, n, t.RawGetInt(n).Type())
		}
		rule, err := rewriteRule(pair)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", n, err)
		}
		rules = append(rules, rule)
	}
	if len(rules) == 0 || len(bind.Keys(t)) > 0 {
		return nil, errors.New(`a pair such as { "^/v1/(.*)$", "/$1" } expected, or a list of pairs`)
	}
	return rules, nil
}

func rewriteRule(t *lua.LTable) (proxy.Rule, error) {
	from, ok := t.RawGetInt(1).(lua.LString)
	to, also := t.RawGetInt(2).(lua.LString)
	if !ok || !also || t.Len() != 2 || len(bind.Keys(t)) > 0 {
		return proxy.Rule{}, errors.New(`a pair of a regular expression and a path expected, as in { "^/v1/(.*)$", "/$1" }`)
	}
	return proxy.Rule{From: string(from), To: string(to)}, nil
}

// hedgeOf reads "50ms", or { after = "50ms", most = 1 }.
func hedgeOf(L *lua.LState, v lua.LValue) (proxy.Hedge, error) {
	var o hedgeOptions
	var err error
	switch v := v.(type) {
	case nil:
	case lua.LString:
		o.After, err = bind.ParseDuration(string(v))
	case *lua.LTable:
		if err = bind.Decode(L, v, &o); err == nil && o.After == 0 {
			err = errors.New("after is missing: how long to wait for an answer until another backend is asked")
		}
	default:
		err = fmt.Errorf(`a duration such as "50ms" expected, or { after = "50ms", most = 1 }, got %s`, v.Type())
	}
	if err == nil {
		err = noZeros("hedge", v)
	}
	return proxy.Hedge{After: o.After, Most: o.Most}, err
}
