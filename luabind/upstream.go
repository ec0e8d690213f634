package luabind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/proxy"
	"rws/server/proxy/balance"
	"rws/server/proxy/discover"
	"rws/server/proxy/upstream"
)

const upstreamType = "rws.Upstream"

// An Upstream is a pool of backends with what proxies to it do unless they say otherwise.
type Upstream struct {
	pool    *upstream.Pool
	source  string // the place of the declaration
	named   bool   // by app:upstream
	options poolOptions
	reach   reach
	budget  *proxy.Budget // of repetitions, which all routes to it share
}

// poolOptions are the options of app:upstream, and of proxies that name their backends themselves.
type poolOptions struct {
	To        lua.LValue     `json:"to"`
	Balance   lua.LValue     `json:"balance"`
	Sticky    *stickyOptions `json:"sticky"`
	SlowStart time.Duration  `json:"slow_start"`
	Refresh   time.Duration  `json:"refresh"`

	Health  lua.LValue `json:"health"`
	Passive lua.LValue `json:"passive"`
	Breaker lua.LValue `json:"breaker"`

	Timeout       lua.LValue      `json:"timeout"`
	TLS           *backendTLS     `json:"tls"`
	Pool          *backendLimits  `json:"pool"`
	ProxyProtocol int             `json:"proxy_protocol"`
	FastCGI       *fastcgiOptions `json:"fastcgi"`
	Retry         *retryOptions   `json:"retry"`
	Retries       *int            `json:"retries"`

	scheme string // of addresses that are no URLs, "" for none
	named  bool   // see Upstream
}

// backendOptions are one of the backends.
type backendOptions struct {
	URL    string `json:"url"`
	Weight int    `json:"weight"`
	Backup bool   `json:"backup"`
	Host   string `json:"host"`
}

type balanceOptions struct {
	Policy string  `json:"policy"`
	Header string  `json:"header"`
	Cookie string  `json:"cookie"`
	Bound  float64 `json:"bound"`
}

type stickyOptions struct {
	Cookie string        `json:"cookie"`
	MaxAge time.Duration `json:"max_age"`
	Path   string        `json:"path"`
}

type backendTLS struct {
	CA         string `json:"ca"`
	Cert       string `json:"cert"`
	Key        string `json:"key"`
	ServerName string `json:"server_name"`
	Insecure   bool   `json:"insecure"`
}

// backendLimits bound what a pool holds.
type backendLimits struct {
	Idle       int            `json:"idle"`
	PerBackend int            `json:"per_backend"`
	Wait       *time.Duration `json:"wait"`
	Waiting    int            `json:"waiting"`
	MaxHeader  bind.Size      `json:"max_header"`
}

// retryOptions say what is tried again.
type retryOptions struct {
	Tries     *int           `json:"tries"`
	On        []string       `json:"on"`
	Methods   []string       `json:"methods"`
	Budget    lua.LValue     `json:"budget"`
	Backoff   *time.Duration `json:"backoff"`
	MaxReplay *bind.Size     `json:"max_replay"`
}

// appUpstream is app:upstream(name, options).
func appUpstream(L *lua.LState, a *App) int {
	const name = "app:upstream"
	a.mustLoad(L, name)
	label := L.CheckString(2)
	o := bind.Options[poolOptions](L, name, 3)
	if t, ok := L.Get(3).(*lua.LTable); ok {
		mustFit(L, name, checkZeros(t))
	}
	if label == "" {
		bind.ArgError(L, name, 1, "a name expected, for logs and metrics")
	}
	for _, u := range a.state.program.upstreams[:a.state.upstreams] {
		if u.named && u.pool.Name() == label {
			fault.Raisef(L, "option", "%s: %q is declared at %s already", name, label, u.source)
		}
	}
	o.named = true
	u := a.state.newUpstream(L, name, label, o)
	L.Push(bind.New(L, upstreamType, u))
	return 1
}

// newUpstream makes a pool: one for all isolates, of which each declares the same ones in the same
// order. It begins to work when the program does, and ends with it.
func (s *state) newUpstream(L *lua.LState, name, label string, o poolOptions) *Upstream {
	p, n := s.program, s.upstreams
	s.upstreams++
	targets, sources, err := s.targets(L, o.scheme, o.To)
	if err != nil {
		bind.Raise(L, name, bind.Errorf("option", "option \"to\": %w", err))
	}
	if n < len(p.upstreams) {
		return p.upstreams[n]
	}
	u := &Upstream{source: fault.Where(L), named: o.named, options: o, reach: reachOf(targets, sources)}
	mustFit(L, name, p.openUpstream(L, u, label, targets, sources))
	p.upstreams = append(p.upstreams, u)
	return u
}

// openUpstream makes the pool of u.
func (p *Program) openUpstream(L *lua.LState, u *Upstream, label string, targets []upstream.Target, sources []discover.Source) error {
	engine, err := p.poolOptions(L, label, &u.options)
	if err != nil {
		return err
	}
	if u.budget, err = u.options.Retry.budget(); err != nil {
		return err
	}
	engine.Targets, engine.Sources = targets, sources
	if u.pool, err = upstream.New(engine); err != nil {
		return err
	}
	if err := p.stores.atClose(u.pool.Close); err != nil {
		return err
	}
	return u.checkOptions(L)
}

// startUpstreams begins checks and look-ups.
func (p *Program) startUpstreams(ctx context.Context) {
	for _, u := range p.upstreams {
		u.pool.Start(ctx)
	}
}

// poolOptions are those of the engine, but for where the backends are.
func (p *Program) poolOptions(L *lua.LState, label string, o *poolOptions) (e upstream.Options, err error) {
	e = upstream.Options{Name: label, Every: o.Refresh, SlowStart: o.SlowStart, ProxyProtocol: o.ProxyProtocol, Logger: p.log()}
	if e.Balance, err = balanceOf(L, o.Balance); err != nil {
		return e, fmt.Errorf("option \"balance\": %w", err)
	}
	if o.Sticky != nil {
		e.Sticky = upstream.Sticky{Cookie: o.Sticky.Cookie, MaxAge: o.Sticky.MaxAge, Path: o.Sticky.Path}
	}
	if t := o.TLS; t != nil {
		e.TLS = upstream.TLS{CA: p.optionalPath(t.CA), Cert: p.optionalPath(t.Cert), Key: p.optionalPath(t.Key), ServerName: t.ServerName, Insecure: t.Insecure}
	}
	if l := o.Pool; l != nil {
		e.Limits = upstream.Limits{Idle: l.Idle, PerBackend: l.PerBackend, Waiting: l.Waiting, Header: int(l.MaxHeader)}
		if l.Wait != nil {
			e.Limits.Wait = negativeFor(*l.Wait)
		}
	}
	t, err := timeoutsOf(L, o.Timeout)
	if err != nil {
		return e, fmt.Errorf("option \"timeout\": %w", err)
	}
	e.Timeout = upstream.Timeout{Connect: t.Connect, Response: t.Response, ReadIdle: t.Read, Idle: t.Idle, MaxAge: t.MaxAge}
	if err := p.watchers(L, &e, o); err != nil {
		return e, err
	}
	e.Makers = p.makers(o)
	if o.scheme != "" {
		e.Makers, e.Limits.PerBackend = streamMakers(), cmp.Or(e.Limits.PerBackend, 1<<20) // the relay has limits of its own
	}
	return e, nil
}

// negativeFor is what the engine takes for "not at all", which a script says by 0.
func negativeFor(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// balanceOf reads "least_conn", or { policy = "header_hash", header = "X-User" }.
func balanceOf(L *lua.LState, v lua.LValue) (upstream.Balance, error) {
	var o balanceOptions
	switch v := v.(type) {
	case nil:
		return upstream.Balance{}, nil
	case lua.LString:
		o.Policy = string(v)
	case *lua.LTable:
		if err := bind.Decode(L, v, &o); err != nil {
			return upstream.Balance{}, err
		}
	default:
		return upstream.Balance{}, fmt.Errorf(`a policy such as "least_conn" expected, or { policy = "header_hash", header = "X-User" }, got %s`, v.Type())
	}
	policy, err := balance.ParsePolicy(o.Policy)
	return upstream.Balance{Policy: policy, Header: o.Header, Cookie: o.Cookie, Bound: o.Bound}, err
}

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

// targetList reads a URL, a table with one, or a list of those.
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
	return list, nil
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

// given are the options that belong to the pool and were set.
func (o *poolOptions) given() (names []string) {
	for name, set := range map[string]bool{
		"to": o.To != nil, "balance": o.Balance != nil, "sticky": o.Sticky != nil, "slow_start": o.SlowStart != 0, "refresh": o.Refresh != 0,
		"health": o.Health != nil, "passive": o.Passive != nil, "breaker": o.Breaker != nil, "tls": o.TLS != nil, "pool": o.Pool != nil,
		"proxy_protocol": o.ProxyProtocol != 0, "fastcgi": o.FastCGI != nil,
	} {
		if set {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
