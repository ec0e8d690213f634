package luabind

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/exchange"
	"rws/server/middleware"
	"rws/server/ratelimit"
)

// limitOptions are the options of rws.rate_limit and of "limit" in a spec.
type limitOptions struct {
	Rate    string        `json:"rate"`
	By      lua.LValue    `json:"by"`
	Burst   int           `json:"burst"`
	Store   string        `json:"store"`
	Name    string        `json:"name"`
	Fail    string        `json:"fail"`
	Timeout time.Duration `json:"timeout"`
	Headers *bool         `json:"headers"`
}

// A limit is one that the script declared. It is complete when the settings are known.
type limit struct {
	options  middleware.RateLimitOptions
	callback int // that names who is counted, -1 for none
	wrap     middleware.Func
	text     string
}

// RateLimits returns the limits of the script for people, "login 5/min per ip".
func (p *Program) RateLimits() []string {
	var list []string
	for _, l := range p.limits {
		list = append(list, l.options.Name+" "+l.text)
	}
	return list
}

// rateLimit is rws.rate_limit.
func rateLimit(L *lua.LState) int {
	const name = "rws.rate_limit"
	s := stateOf(L)
	s.root.mustLoad(L, name)
	o, err := readLimit(L, L.Get(1))
	if err == nil && o.Name != "" { // else where it is put names it
		err = s.nameLimit(L, &o, "")
	}
	var m *Middleware
	if err == nil {
		m, err = s.newLimit(L, name, o)
	}
	if err != nil {
		raiseOption(L, name, err)
	}
	L.Push(bind.New(L, middlewareType, m))
	return 1
}

// readLimit reads a table of options, or a rate alone.
func readLimit(L *lua.LState, v lua.LValue) (o limitOptions, err error) {
	switch v := v.(type) {
	case lua.LString:
		o.Rate = string(v)
	case *lua.LTable:
		if err = bind.Decode(L, v, &o); err == nil {
			err = saysSomething(v, reflect.TypeFor[limitOptions]())
		}
	default:
		err = fmt.Errorf(`a table such as { rate = "100/min", by = "ip" } expected, got %s`, v.Type())
	}
	return o, err
}

// nameLimit gives a limit the name under which it counts.
func (s *state) nameLimit(L *lua.LState, o *limitOptions, preset string) error {
	if o.Name == "" {
		o.Name = preset
	} else if at, taken := s.limits[o.Name]; taken {
		return badOption("name", "%q is the limit of %s already, and both would count together; to share a limit keep it in a local and use it twice", o.Name, at)
	}
	s.takeLimitName(o.Name, fault.Where(L))
	return nil
}

// newLimit checks the options. The middleware works in the first isolate, as those of native do.
func (s *state) newLimit(L *lua.LState, name string, o limitOptions) (*Middleware, error) {
	l := &limit{callback: -1}
	rate, by, err := rateOf(o)
	if err != nil {
		return nil, err
	}
	l.options = middleware.RateLimitOptions{Rate: rate, Name: o.Name, Timeout: o.Timeout, NoHeaders: o.Headers != nil && !*o.Headers,
		KeyOptions: middleware.KeyOptions{By: by}}
	l.text = rate.String() + " per " + by
	if fn, ok := o.By.(*lua.LFunction); ok {
		l.callback = s.keepCallback(fn)
		l.options.By, l.options.Key = "", keyOf
		l.text = rate.String() + " by function " + functionAt(fn)
	}
	if err := l.check(o); err != nil {
		return nil, err
	}
	m := &Middleware{Name: "rate_limit", Limit: l.text, perIP: by == "ip", limit: l, perUser: by == "user"}
	if s.isolate.Number() == 0 {
		s.program.addLimit(L, name, l, o.Store)
		m.Wrap = func(next http.Handler) http.Handler { return l.wrap(next) }
	}
	return m, nil
}

// rateOf reads how often, and by what it is counted: "" for a function.
func rateOf(o limitOptions) (rate ratelimit.Rate, by string, err error) {
	if o.Rate == "" {
		return rate, "", badOption("rate", `it is missing: how often, as in "100/min"`)
	}
	if rate, by, err = ratelimit.Parse(o.Rate); err != nil {
		return rate, "", atOption("rate", err)
	}
	switch given := o.By.(type) {
	case nil:
		if by == "" {
			by = "ip"
		}
	case lua.LString:
		if by != "" && by != string(given) {
			return rate, "", badOption("by", "%q, and the rate says %q: leave out one of them", string(given), by)
		}
		by = string(given)
	case *lua.LFunction:
		if by != "" {
			return rate, "", badOption("by", "a function, and the rate says %q: leave out one of them", by)
		}
	default:
		return rate, "", badOption("by", `"ip", "user", "header:NAME" or a function(c) expected, got %s`, given.Type())
	}
	if o.Burst < 0 || o.Burst > 0 && rate.Burst != 0 && rate.Burst != o.Burst {
		return rate, "", badOption("burst", "%d: a number of 1 or more expected, given once", o.Burst)
	}
	if o.Burst > 0 {
		rate.Burst = o.Burst
	}
	return rate, by, nil
}

// check fills in what is left and finds mistakes, with the store that is always there.
func (l *limit) check(o limitOptions) error {
	switch o.Fail {
	case "", "closed":
	case "open":
		l.options.FailOpen = true
	default:
		return badOption("fail", `%q%s: "closed" or "open" expected: what becomes of requests while the store does not answer`, o.Fail, didYouMean(o.Fail, []string{"closed", "open"}))
	}
	if o.Store != "" {
		if err := checkLimitStore(o.Store); err != nil {
			return atOption("store", err)
		}
	}
	l.options.User = userName
	trial := l.options
	trial.Store = ratelimit.NewMemory(0)
	_, err := middleware.RateLimit(trial)
	return err
}

// addLimit has the limit get its store when the settings are known.
func (p *Program) addLimit(L *lua.LState, name string, l *limit, store string) {
	p.limits = append(p.limits, l)
	at := fault.Where(L)
	p.whenConfigured(L, name, func() (err error) {
		if l.options.Store, err = p.limitStore(at, store); err != nil {
			return atOption("store", err)
		}
		l.options.Logger = p.logger
		l.nameAt(p.states[0], "nowhere")
		l.wrap, err = middleware.RateLimit(l.options)
		if err == nil && l.callback >= 0 {
			l.wrap = p.named(l.callback, l.wrap)
		}
		return err
	})
}

// countedFor is where the name that a function gave a request is.
type countedFor struct{}

// keyOf is what the function said.
func keyOf(r *http.Request) string {
	name, _ := r.Context().Value(countedFor{}).(string)
	return name
}

// named asks the function of a limit who a request counts for. Where it fails, so does the request.
func (p *Program) named(callback int, wrap middleware.Func) middleware.Func {
	return func(next http.Handler) http.Handler {
		limited := wrap(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			name, err := p.askName(w, r, callback)
			if err != nil {
				exchange.From(r.Context()).Fault = err
				return
			}
			limited.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), countedFor{}, name)))
		})
	}
}

func (p *Program) askName(w http.ResponseWriter, r *http.Request, callback int) (name string, err error) {
	c := p.glance(w, r, errors.New("the function that names who a limit counts comes before the body: go by headers, cookies, the path or the user"))
	give := func(_ *lua.LState, c *Ctx) []lua.LValue { return []lua.LValue{c.value()} }
	err = p.call(r.Context(), callback, c, give, func(_ *lua.LState, v lua.LValue) error {
		switch v := v.(type) {
		case lua.LString:
			name = string(v)
		case lua.LNumber:
			name = v.String()
		case *lua.LNilType:
		default:
			if v != lua.LFalse {
				return &fault.Error{Code: "result", Message: fmt.Sprintf("the function of rws.rate_limit returned a %s", v.Type()),
					Hint: "return a text that names who is counted, or nil to count by address"}
			}
		}
		return nil
	})
	return name, err
}

// glance is a request for a function that only looks at it: what it answers is dropped, and the
// body is not there, for the given reason.
func (p *Program) glance(w http.ResponseWriter, r *http.Request, noBody error) *Ctx {
	e := exchange.From(r.Context())
	unread := *r
	unread.Body = unreadable{noBody}
	c := newCtx(nil, w, &unread, e)
	if outer, ok := e.Data.(*Ctx); ok {
		c.extra, c.route = outer.extra, outer.route
	}
	return c
}

// unreadable is the body of a request for a function that has no business with it: reading it is a fault
// of the script.
type unreadable struct{ reason error }

func (u unreadable) Read([]byte) (int, error) { return 0, &unreadableError{u.reason} }
func (unreadable) Close() error               { return nil }

type unreadableError struct{ error }

func (e *unreadableError) Unwrap() error { return e.error }

// guardRoute puts "auth" and "limit" of the spec into the chain of a route, of which the first links
// are those of the app and its groups.
func (s *state) guardRoute(L *lua.LState, name string, r *route, links int) {
	if guards := r.spec.auth; len(guards) > 0 {
		r.chain = slices.Insert(r.chain, links, guards...)
	}
	if r.spec.limit == nil {
		return
	}
	if err := s.specLimit(L, name, r, links); err != nil {
		fault.Raise(L, &fault.Error{Code: "spec", At: s.placeOf(fault.Where(L), err), Message: name + " " + r.pattern + ": " + err.Error(), Cause: err})
	}
}

// specLimit reads "limit" of a spec and puts it into the chain: one by address behind what the
// engine does for the app and the group and before any function, so that it costs least; all others
// last, when it is known who asks.
func (s *state) specLimit(L *lua.LState, name string, r *route, links int) error {
	o, err := readLimit(L, r.spec.limit)
	if err == nil {
		err = s.nameLimit(L, &o, s.freeLimitName(r.limitPlace()))
	}
	var m *Middleware
	if err == nil {
		m, err = s.newLimit(L, name, o)
	}
	if err != nil {
		return fmt.Errorf("option \"limit\": %w", err)
	}
	at := len(r.chain)
	if m.perIP {
		for at = links; at > 0 && r.chain[at-1].fn != nil; at-- {
		}
	}
	r.chain = slices.Insert(r.chain, at, link{native: m, source: fault.Where(L)})
	return nil
}
