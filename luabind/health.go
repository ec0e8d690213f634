package luabind

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/health"
)

// appHealthOptions are the options of app:health.
type appHealthOptions struct {
	Live    *string     `json:"live"`
	Ready   *string     `json:"ready"`
	Details bool        `json:"details"`
	Checks  *lua.LTable `json:"checks"`
}

// healthCheckOptions are those of one of its checks.
type healthCheckOptions struct {
	Check   *lua.LFunction `json:"check"`
	Timeout time.Duration  `json:"timeout"`
	Every   time.Duration  `json:"every"`
	Live    bool           `json:"live"`
}

// appHealth is what app:health declared.
type appHealth struct {
	live, ready string
	public      *health.Health // what routes of the app show
	inside      *health.Health // what the address for metrics shows
}

// Leave tells who asks whether the app is ready that it is about to stop.
func (p *Program) Leave() {
	if p.health != nil {
		p.health.public.Leave() // and inside with it
	}
}

// declareHealth is app:health(options?, ...): two routes, for whether the process lives and whether
// it takes requests.
func declareHealth(L *lua.LState, a *App) int {
	const name = "app:health"
	a.mustLoad(L, name)
	n := 2
	var o appHealthOptions
	if L.Get(2).Type() == lua.LTTable || L.Get(2) == lua.LNil {
		o, n = bind.Options[appHealthOptions](L, name, 2), 3
	}
	s := a.state
	if a.parent != nil || a.detached {
		fault.Raisef(L, "option", "%s: health is that of the whole app: call it on `app`", name)
	}
	if s.health {
		fault.Raisef(L, "option", "%s: health is declared already; put all checks into one call", name)
	}
	s.health = true
	checks := healthChecks(L, name, s, o.Checks)
	h := &appHealth{live: or(o.Live, "/healthz"), ready: or(o.Ready, "/readyz")}
	if h.live == h.ready {
		fault.Raisef(L, "option", "%s: live and ready are both %q", name, h.live)
	}
	public, err := health.New(health.Options{Detail: true, See: func(*http.Request) bool { return o.Details }, Logger: s.program.logger}, checks...)
	if err != nil {
		bind.Raise(L, name, bind.Errorf("option", "%w", err))
	}
	h.public = public
	h.inside = public.With(health.Options{Detail: true, Logger: s.program.logger})
	if s.isolate.Number() == 0 {
		s.program.health = h
	}
	chain := guards(L, name, n)
	live := &route{method: http.MethodGet, pattern: h.live, kind: "health", chain: chain, native: h.public.LiveHandler()}
	ready := &route{method: http.MethodGet, pattern: h.ready, kind: "health", chain: chain, native: h.public.ReadyHandler()}
	a.add(L, name, live)
	a.add(L, name, ready)
	s.keepOperators(live, ready)
	return 0
}

func or(given *string, def string) string {
	if given == nil {
		return def
	}
	return *given
}

// healthChecks reads { name = fn } and { name = { check = fn, … } }.
func healthChecks(L *lua.LState, name string, s *state, t *lua.LTable) (checks []health.Check) {
	if t == nil {
		return nil
	}
	for _, key := range bind.Keys(t) {
		var o healthCheckOptions
		switch v := t.RawGetString(key).(type) {
		case *lua.LFunction:
			o.Check = v
		case *lua.LTable:
			if err := bind.Decode(L, v, &o); err != nil {
				bind.Raise(L, name, bind.Errorf("option", "the check %q: %w", key, err))
			}
		}
		if o.Check == nil {
			fault.Raisef(L, "option", "%s: the check %q: a function expected, or { check = fn, timeout = \"2s\", every = \"1s\" }", name, key)
		}
		checks = append(checks, health.Check{Name: key, Probe: s.probe(o.Check), Timeout: o.Timeout, Every: o.Every, Live: o.Live})
	}
	if t.Len() > 0 {
		fault.Raisef(L, "option", "%s: checks have names, as { db = function() … end }", name)
	}
	return checks
}

// probe calls a function of the script. It fails by an error, or by returning false and, maybe, why.
func (s *state) probe(fn *lua.LFunction) func(context.Context) error {
	return func(ctx context.Context) error {
		run := &vm.Run{Context: ctx}
		if at, ok := ctx.Deadline(); ok {
			run.SetDeadline(at)
		}
		return s.isolate.Do(run, func(L *lua.LState) error {
			v, err := vm.Call(L, fn)
			if err != nil {
				return errors.New(asFault(err).Message)
			}
			if v == lua.LFalse {
				return fmt.Errorf("the check at %s returned false", functionAt(fn))
			}
			return nil
		})
	}
}
