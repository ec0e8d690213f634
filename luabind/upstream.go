package luabind

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
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
	beside reach  // of the other side of a canary or a mirror, which the options are about too
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
	mustName(L, name)
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
	u := &Upstream{source: fault.Where(L), named: o.named, options: o, reach: reachOf(o.To, targets, sources)}
	mustFit(L, name, p.openUpstream(L, u, label, targets, sources))
	p.upstreams = append(p.upstreams, u)
	return u
}

// openUpstream makes the pool of u.
func (p *Program) openUpstream(L *lua.LState, u *Upstream, label string, targets []upstream.Target, sources []discover.Source) error {
	engine, err := p.poolOptions(L, label, &u.options)
	if err == nil {
		err = u.checkOptions(L)
	}
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
	return u.checkDefaults(L)
}

// startUpstreams begins checks and look-ups, which go on until the program is closed, or replaced: what is under
// way then has its backends, while the next program asks for its own. All begin at once: each waits a while for a
// store of breakers that does not answer, and a load is to take no longer for many of them.
func (p *Program) startUpstreams() {
	var started sync.WaitGroup
	for _, u := range p.upstreams {
		started.Go(func() { u.pool.Start(p.present) })
	}
	started.Wait()
}

// poolOptions are those of the engine, but for where the backends are.
func (p *Program) poolOptions(L *lua.LState, label string, o *poolOptions) (e upstream.Options, err error) {
	e = upstream.Options{Name: label, Every: o.Refresh, SlowStart: o.SlowStart, ProxyProtocol: o.ProxyProtocol, Logger: p.log(), Transport: p.options.Transport}
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
	if err := o.check(); err != nil {
		return upstream.Balance{}, err
	}
	policy, err := balance.ParsePolicy(o.Policy)
	return upstream.Balance{Policy: policy, Header: strings.ReplaceAll(o.Header, "_", "-"), Cookie: o.Cookie, Bound: o.Bound}, err
}

// upstreamOfType describes what app:upstream returns.
func upstreamOfType() bind.Type {
	return bind.Type{Name: upstreamType, As: "upstream", String: func(self any) string { return self.(*Upstream).pool.Name() },
		Fields: map[string]func(*lua.LState, any) lua.LValue{
			"name": func(_ *lua.LState, self any) lua.LValue { return lua.LString(self.(*Upstream).pool.Name()) },
		},
		Methods: append(bind.Writing(
			bind.RawMethod("update(to)", upstreamUpdate),
			bind.RawMethod("drain(backend, on?)", upstreamDrain),
		), bind.RawMethod("status()", upstreamStatus)),
	}
}

// upstreamUpdate is upstream:update(to).
func upstreamUpdate(L *lua.LState, u *Upstream) int {
	if L.Get(2).Type() == lua.LTFunction {
		bind.ArgError(L, "upstream:update", 1, "a URL or a list of backends expected; a function belongs to the declaration, app:upstream(name, { to = function })")
	}
	list, err := stateOf(L).program.targetList(L, u.options.scheme, L.Get(2))
	if err == nil {
		err = u.pool.Update(list)
	}
	if err != nil {
		bind.Raise(L, "upstream:update", bind.Errorf("argument", "%w", err))
	}
	return 0
}

// upstreamDrain is upstream:drain(backend, on?).
func upstreamDrain(L *lua.LState, u *Upstream) int {
	on := L.Get(3) == lua.LNil || L.CheckBool(3)
	if err := u.pool.Drain(L.CheckString(2), on); err != nil {
		bind.Raise(L, "upstream:drain", bind.Errorf("argument", "%w", err))
	}
	return 0
}

// upstreamStatus is upstream:status().
func upstreamStatus(L *lua.LState, u *Upstream) int {
	list := L.NewTable()
	for _, b := range u.pool.Status() {
		t := L.CreateTable(0, 12)
		for key, text := range map[string]string{"name": b.Name, "host": b.Host, "state": stateName(b.State), "fault": lastFault(&b)} {
			if text != "" {
				t.RawSetString(key, lua.LString(text))
			}
		}
		for key, n := range map[string]int64{"weight": int64(b.Weight), "active": int64(b.Active), "requests": int64(b.Requests), "failures": int64(b.Failures)} {
			t.RawSetString(key, bind.Integer(n))
		}
		t.RawSetString("backup", lua.LBool(b.Backup))
		if b.Breaker != nil {
			t.RawSetString("breaker", lua.LString(b.Breaker.State.String()))
		}
		list.Append(t)
	}
	L.Push(list)
	return 1
}

// stateName is a word for scripts.
func stateName(state string) string { return strings.TrimPrefix(state, "breaker ") }

// lastFault is why a backend that checks find down is, or else what requests have met.
func lastFault(b *upstream.BackendStatus) string {
	if b.State == string(upstream.Down) && b.Health != nil && b.Health.Err != nil {
		return b.Health.Err.Error()
	}
	return b.LastFault
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
