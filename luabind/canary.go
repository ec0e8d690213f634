package luabind

import (
	"errors"
	"fmt"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/proxy"
)

const canaryType = "rws.Canary"

// A Canary is what app:canary returns: a route, and the trial behind it, which all isolates share.
type Canary struct {
	route *route
	trial *trial
}

// A trial is one canary of a program.
type trial struct {
	name   string
	source string
	told   string // what the script said of it; see kept
	canary *proxy.Canary
}

// canaryOptions are the options of app:canary: those of app:proxy hold for both versions.
type canaryOptions struct {
	proxyOptions
	Name     string           `json:"name"`
	Share    lua.LValue       `json:"share"`
	Header   string           `json:"header"`
	Cookie   string           `json:"cookie"`
	Sticky   lua.LValue       `json:"sticky"` // hides that of a pool
	Rollback *rollbackOptions `json:"rollback"`
}

type canarySticky struct {
	By     string        `json:"by"`
	MaxAge time.Duration `json:"max_age"`
}

type rollbackOptions struct {
	Errors lua.LValue    `json:"errors"`
	Window time.Duration `json:"window"`
	Least  int           `json:"least"`
}

// appCanary is app:canary(pattern, ..., old, new, options?).
func appCanary(L *lua.LState, a *App) int {
	const name = "app:canary"
	a.mustLoad(L, name)
	call := readProxyCall(L, name, 2)
	var o canaryOptions
	call.decode(L, &o)
	call.mustHaveBoth(L, "the old version and the new one")
	r := &route{pattern: call.pattern, kind: "canary", chain: call.chain}
	engine, err := o.engine(L)
	if err != nil {
		bind.Raise(L, name, bind.Errorf("option", "%w", err))
	}
	r.more = o.brief(engine.Share)
	engine.Name, engine.Logger = o.Name, a.state.program.log()
	if engine.Name == "" {
		engine.Name = slug(a.host + join(a.prefix, call.pattern))
	}
	engine.Old = a.proxied(L, &call, r, a.upstreamFor(L, &call, 0, &o.poolOptions), &o.proxyOptions, "old")
	engine.New = a.proxied(L, &call, r, a.upstreamFor(L, &call, 1, &o.poolOptions), &o.proxyOptions, "new")
	t := a.state.newTrial(L, name, engine, fmt.Sprint(engine.Share, engine.Header, engine.Cookie, engine.Sticky, engine.MaxAge, o.Rollback.told()))
	r.native = t.canary
	a.addProxy(L, &call, r, &o.proxyOptions)
	L.Push(bind.New(L, canaryType, &Canary{r, t}))
	return 1
}

// mustHaveBoth raises unless there are two backends.
func (c *proxyCall) mustHaveBoth(L *lua.LState, what string) {
	if len(c.backends) != 2 {
		bind.Raise(L, c.name, bind.Errorf("argument", "two of them expected, %s, got %d: each is an upstream, a URL, or a list of URLs", what, len(c.backends)))
	}
}

// newTrial makes a canary: one for all isolates, which declare the same in the same order.
func (s *state) newTrial(L *lua.LState, name string, o proxy.CanaryOptions, told string) *trial {
	p, n := s.program, s.trials
	s.trials++
	if n < len(p.trials) {
		return p.trials[n]
	}
	for _, other := range p.trials {
		if other.name == o.Name {
			bind.Raise(L, name, bind.Errorf("option", "option \"name\": the canary of %s is called %q too: give one of them another name", other.source, o.Name))
		}
	}
	c, err := proxy.NewCanary(o)
	if err != nil {
		bind.Raise(L, name, bind.Errorf("option", "%w", errors.Unwrap(err)))
	}
	t := &trial{name: o.Name, source: fault.Where(L), told: told, canary: c}
	p.trials = append(p.trials, t)
	return t
}

// engine reads the options, but for what both versions are.
func (o *canaryOptions) engine(L *lua.LState) (e proxy.CanaryOptions, err error) {
	if o.Share == nil && o.Header == "" && o.Cookie == "" {
		return e, errors.New(`nobody would get the new version: say share = "5%", or a header or cookie by which clients choose`)
	}
	e = proxy.CanaryOptions{Header: o.Header, Cookie: o.Cookie}
	if e.Share, err = shareOf("share", o.Share); err != nil {
		return e, fmt.Errorf("option %w", err)
	}
	sticky, err := stickyOf(L, o.Sticky)
	if err != nil {
		return e, fmt.Errorf("option \"sticky\": %w", err)
	}
	e.Sticky, e.MaxAge = sticky.By, sticky.MaxAge
	if r := o.Rollback; r != nil {
		if r.Errors == nil {
			return e, errors.New(`option "rollback": errors is missing: the share of failures that ends the trial, as in { errors = "2%", window = "1m" }`)
		}
		e.Rollback = &proxy.Rollback{Window: r.Window, Least: r.Least}
		if e.Rollback.Errors, err = shareOf("errors", r.Errors); err != nil {
			return e, fmt.Errorf("option \"rollback\": %w", err)
		}
	}
	return e, nil
}

// stickyOf reads "cookie", "ip", or { by = "cookie", max_age = "7d" }.
func stickyOf(L *lua.LState, v lua.LValue) (o canarySticky, err error) {
	switch v := v.(type) {
	case nil:
	case lua.LString:
		o.By = string(v)
	case *lua.LTable:
		if err := bind.Decode(L, v, &o); err != nil {
			return o, err
		}
		if o.MaxAge != 0 && o.By != "cookie" {
			return o, errors.New(`max_age is that of the cookie: it needs by = "cookie"`)
		}
	default:
		err = fmt.Errorf(`"cookie" or "ip" expected, or { by = "cookie", max_age = "7d" }, got %s`, v.Type())
	}
	return o, err
}

func (r *rollbackOptions) told() string {
	if r == nil {
		return ""
	}
	return fmt.Sprint(r.Errors, r.Window, r.Least)
}

// slug makes a name for cookies and metrics of a pattern: "shop-cart" of "/shop/cart/*".
func slug(pattern string) string {
	parts := strings.FieldsFunc(pattern, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9')
	})
	if len(parts) == 0 {
		return "app"
	}
	return strings.Join(parts, "-")
}

// inherit takes over how the trials of the program before stand, where the script says the same of them.
func (p *Program) inherit(old *Program) {
	for _, t := range p.trials {
		for _, before := range old.trials {
			if before.name == t.name && before.told == t.told {
				t.canary.Restore(before.canary.State())
			}
		}
	}
}

// canaryOfType describes what app:canary returns.
func canaryOfType() bind.Type {
	return bind.Type{Name: canaryType, As: "canary", String: func(self any) string { return self.(*Canary).trial.name },
		Methods: append(bind.Writing(
			bind.RawMethod("set_share(share)", canarySetShare),
			bind.RawMethod("rollback(reason?)", canaryRollback),
			bind.RawMethod("resume()", func(_ *lua.LState, c *Canary) int { c.trial.canary.Resume(); return 0 }),
		), bind.RawMethod("state()", canaryState), bind.RawMethod("name(name)", func(L *lua.LState, c *Canary) int { return routeName(L, c.route) }))}
}

// canarySetShare is canary:set_share(share).
func canarySetShare(L *lua.LState, c *Canary) int {
	share, err := shareOf("share", L.Get(2))
	if err == nil && L.Get(2) == lua.LNil {
		err = errors.New(`share: a share such as "10%" expected`)
	}
	if err == nil {
		err = c.trial.canary.SetShare(share)
	}
	if err != nil {
		bind.Raise(L, "canary:set_share", bind.Errorf("argument", "%w", err))
	}
	return 0
}

// canaryRollback is canary:rollback(reason?).
func canaryRollback(L *lua.LState, c *Canary) int {
	c.trial.canary.Rollback(L.OptString(2, "by the script"))
	return 0
}

// canaryState is canary:state().
func canaryState(L *lua.LState, c *Canary) int {
	s := c.trial.canary.State()
	t := L.CreateTable(0, 6)
	t.RawSetString("share", lua.LNumber(s.Share))
	t.RawSetString("rolled_back", lua.LBool(s.RolledBack))
	if s.RolledBack {
		t.RawSetString("reason", lua.LString(s.Reason))
		t.RawSetString("since", newTime(L, s.Since, time.UTC))
	}
	for version, n := range map[string]proxy.CanaryCount{"old": s.Old, "new": s.New} {
		counts := L.CreateTable(0, 2)
		counts.RawSetString("requests", bind.Integer(int64(n.Requests)))
		counts.RawSetString("errors", bind.Integer(int64(n.Errors)))
		t.RawSetString(version, counts)
	}
	L.Push(t)
	return 1
}
