package luabind

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/proxy"
	"rws/server/proxy/balance"
	"rws/server/proxy/discover"
	"rws/server/proxy/upstream"
)

// reach says how backends are spoken to, as far as that is known before they are.
type reach struct {
	schemes []string
	hosts   []string // what they are called, where that is said
	open    bool     // others may come: of a function or a file
	places  []string // as the script has them
	asked   bool     // something is asked for backends, again and again
}

// reachOf looks at the places of backends.
func reachOf(to lua.LValue, targets []upstream.Target, sources []discover.Source) reach {
	r := reach{places: placesOf(to), open: len(sources) > 0, asked: len(sources) > 0}
	for _, t := range targets {
		if t.Host != "" {
			r.hosts = append(r.hosts, t.Host)
		}
		scheme, _, _ := strings.Cut(t.URL, ":")
		if discover.IsSource(t.URL) {
			r.asked = true
			_, inner, named := strings.Cut(scheme, "+")
			if !named {
				r.open = true
				continue
			}
			scheme = inner
		}
		r.schemes = append(r.schemes, scheme)
	}
	return r
}

// some reports whether a backend may have one of the schemes.
func (r reach) some(schemes ...string) bool {
	return r.open || slices.ContainsFunc(r.schemes, func(s string) bool { return slices.Contains(schemes, s) })
}

// only reports whether all backends have one scheme.
func (r reach) only(scheme string) bool {
	return !r.open && len(r.schemes) > 0 && !slices.ContainsFunc(r.schemes, func(s string) bool { return s != scheme })
}

// noUpgrades reports backends that are all spoken to over HTTP/2, which switches to no other protocol.
func (r reach) noUpgrades() bool {
	return !r.open && len(r.schemes) > 0 && !slices.ContainsFunc(r.schemes, func(s string) bool {
		return !slices.Contains([]string{"h2", "h2c", "grpc", "grpcs"}, s)
	})
}

// overTLS are the schemes of backends, and of checks, whose certificates are verified.
var overTLS = []string{"https", "h2", "grpcs", "wss", "tls"}

// concerned is who the options are about.
func (u *Upstream) concerned() reach {
	r, other := u.reach, u.options.beside
	return reach{schemes: slices.Concat(r.schemes, other.schemes), open: r.open || other.open, places: r.places, asked: r.asked || other.asked}
}

// mustName refuses backends in the place of the options of app:upstream.
func mustName(L *lua.LState, name string) {
	given := L.Get(3)
	t, list := given.(*lua.LTable)
	if list = list && t.Len() > 0; list {
		given = t.RawGetInt(1)
	}
	text, named := given.(lua.LString)
	if !named {
		text = "http://127.0.0.1:9001"
	}
	if list || named {
		bind.Raise(L, name, bind.Errorf("argument", "the backends are the option to, as in { to = { %q } }", string(text)))
	}
}

// checkOptions refuses options that no backend of the pool would notice.
func (u *Upstream) checkOptions(L *lua.LState) error {
	o := &u.options
	for _, check := range []func(*lua.LState) error{u.checkBackends, u.checkHealth, u.checkHealthTimes, u.checkJudges, u.checkPool} {
		if err := check(L); err != nil {
			return err
		}
	}
	if o.scheme != "" {
		return u.checkStream(L)
	}
	if o.Refresh != 0 && !u.concerned().asked && !u.named {
		return errors.New(`option "refresh": all backends are named here, and nothing is asked for others`)
	}
	return nil
}

// checkBackends looks at options that are about some kinds of backends.
func (u *Upstream) checkBackends(L *lua.LState) error {
	o, r := &u.options, u.concerned()
	times, err := timeoutsOf(L, o.Timeout)
	switch {
	case err != nil:
		return fmt.Errorf("option \"timeout\": %w", err)
	case o.TLS != nil && o.scheme == "" && !r.some(overTLS...) && !slices.Contains(overTLS, o.healthScheme(L)):
		return errors.New(`option "tls": no backend is spoken to over TLS: their URLs begin with https, h2, grpcs or wss`)
	case o.FastCGI != nil && !r.some("fastcgi"):
		return errors.New(`option "fastcgi": no backend has the scheme: fastcgi://127.0.0.1:9000, or fastcgi:/run/php/php-fpm.sock`)
	case !r.only("fastcgi"):
		return nil
	case o.ProxyProtocol != 0:
		return errors.New(`option "proxy_protocol": FastCGI tells the address of the visitor itself, in REMOTE_ADDR`)
	case times.Idle != 0 || times.MaxAge != 0:
		return errors.New(`option "timeout": idle and max_age are about connections that are kept, and each request to FastCGI has one of its own`)
	case o.Pool != nil && (o.Pool.Idle != 0 || o.Pool.MaxHeader != 0):
		return errors.New(`option "pool": idle and max_header have no use with FastCGI`)
	}
	return nil
}

// checkStream looks at what only requests have.
func (u *Upstream) checkStream(L *lua.LState) error {
	o := &u.options
	b, err := balanceOf(nil, o.Balance)
	if text, ok := o.Balance.(lua.LString); ok && err == nil {
		b.Policy = balance.Policy(text)
	}
	switch {
	case err != nil:
		return fmt.Errorf("option \"balance\": %w", err)
	case slices.Contains([]balance.Policy{balance.HeaderHash, balance.CookieHash, balance.PathHash}, b.Policy):
		return fmt.Errorf("option \"balance\": %s is about requests, and here are only bytes: use ip_hash", b.Policy)
	case o.Refresh != 0 && !u.reach.asked:
		return errors.New(`option "refresh": all backends are named here, and nothing is asked for others`)
	case len(u.reach.hosts) > 0 && u.options.TLS == nil && slices.Contains([]string{"", "tcp"}, o.healthScheme(L)):
		return fmt.Errorf("option \"to\": nobody is told the host %q: it is for TLS with the backends (the option tls of app:tcp) or for checks with a scheme, and here are only bytes", u.reach.hosts[0])
	}
	return nil
}

// healthScheme is how the checks ask, where that is said.
func (o *poolOptions) healthScheme(L *lua.LState) string {
	t, ok := o.Health.(*lua.LTable)
	if !ok {
		return ""
	}
	return lua.LVAsString(t.RawGetString("scheme"))
}

// What the options of checks are about: the schemes by which they ask.
var (
	byRequest = []string{"http", "https", "h2", "h2c", "unix"}
	byGRPC    = []string{"grpc", "grpcs"}
	byPath    = slices.Concat(byRequest, []string{"ws", "wss"})
	byHeader  = slices.Concat(byPath, byGRPC)
)

var checkOptionsOf = map[string][]string{
	"path": byPath, "host": byHeader, "headers": byHeader, "method": byRequest, "status": byRequest, "match": byRequest,
	"service": byGRPC, "reuse": slices.Concat(byRequest, byGRPC),
}

// checkHealth looks at options of checks that are about another way to ask.
func (u *Upstream) checkHealth(L *lua.LState) error {
	asks := u.concerned()
	if s := u.options.healthScheme(L); s != "" {
		asks = reach{schemes: []string{s}}
	}
	if u.options.scheme == "udp" && u.options.Health != nil && asks.only("udp") {
		return errors.New(`option "health": a check over UDP tells nothing: say how to ask, as { scheme = "tcp", port = 53 }`)
	}
	var names []string
	switch v := u.options.Health.(type) {
	case lua.LString:
		names = []string{"path"}
	case *lua.LTable:
		names = bind.Keys(v)
	}
	for _, name := range names {
		if schemes := checkOptionsOf[name]; schemes != nil && !asks.some(schemes...) {
			return fmt.Errorf("option \"health\": %s is for checks by %s, and these go by %s; option \"scheme\" of health chooses another way",
				name, strings.Join(schemes, ", "), strings.Join(slices.Compact(slices.Sorted(slices.Values(asks.schemes))), ", "))
		}
	}
	return nil
}

// checkJudges looks at options of what judges backends by their answers.
func (u *Upstream) checkJudges(*lua.LState) error {
	if t, ok := u.options.Passive.(*lua.LTable); ok {
		switch has := func(name string) bool { return t.RawGetString(name) != lua.LNil }; {
		case has("minimum") && !has("share"):
			return errors.New(`option "passive": minimum is of a share of failures, which is missing: share = "50%"`)
		case has("window") && !has("share") && !has("failures"):
			return errors.New(`option "passive": window needs a number of failures in it, or their share: failures = 5`)
		}
	}
	if t, ok := u.options.Breaker.(*lua.LTable); ok && t.RawGetString("share") == lua.LNil {
		for _, name := range []string{"minimum", "window"} {
			if t.RawGetString(name) != lua.LNil {
				return fmt.Errorf("option \"breaker\": %s is of a share of failures, which is missing: share = \"50%%\"; without it those in a row count", name)
			}
		}
	}
	return nil
}

// checkDefaults tries out what the upstream says to routes that may not have come yet.
func (u *Upstream) checkDefaults(L *lua.LState) error {
	if u.options.scheme != "" {
		return nil
	}
	retry, err := u.repeats(u.options.Retry, u.options.Retries)
	if err != nil {
		return fmt.Errorf("option \"retry\": %w", err)
	}
	times, err := u.proxyTimeout(L, nil)
	if err != nil {
		return fmt.Errorf("option \"timeout\": %w", err)
	}
	if _, err := proxy.New(proxy.Options{Pool: u.pool, Retry: retry, Timeout: times}); err != nil {
		return errors.Unwrap(err)
	}
	return nil
}

// checkGRPC refuses backends that cannot answer gRPC, and what its calls never meet.
func checkGRPC(u *Upstream, o *proxyOptions) error {
	for _, b := range u.pool.Status() {
		if !slices.Contains([]string{"h2", "h2c", "grpc", "grpcs"}, schemeOf(b.Name)) {
			return fmt.Errorf("backend %s: gRPC is HTTP/2: write h2c:// or grpc://, and over TLS h2:// or grpcs://", b.Name)
		}
	}
	if o.Hedge != nil {
		return errors.New(`option "hedge": a call of gRPC has a body, and may not be sent twice at once`)
	}
	if t, ok := o.Timeout.(*lua.LTable); ok && t.RawGetString("tunnel") != lua.LNil {
		return errors.New(`option "timeout": tunnel is about WebSockets and other upgrades, which gRPC has none of`)
	}
	return nil
}

// checkBareGRPC refuses addresses without a scheme, which to others would be http.
func checkBareGRPC(backends []lua.LValue) error {
	for _, to := range backends {
		for _, place := range placesOf(to) {
			place = strings.TrimSuffix(place, " (backup)")
			if host, port, err := net.SplitHostPort(place); err == nil && port != "" && strings.Trim(port, "0123456789") == "" {
				at := net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)
				return fmt.Errorf("backend %q: it has no scheme, and gRPC is HTTP/2: write h2c://%s or grpc://%s, and over TLS h2:// or grpcs://", place, at, at)
			}
		}
	}
	return nil
}

// checkZeros refuses options that are 0 where that would mean the default.
func checkZeros(t *lua.LTable) error {
	if t == nil {
		return nil
	}
	for _, check := range []func(*lua.LTable) error{checkEmpty, checkHeaderLists} {
		if err := check(t); err != nil {
			return err
		}
	}
	if err := noZeros("", t, "slow_start", "retries", "share"); err != nil {
		return err
	}
	for name, except := range map[string][]string{
		"health": nil, "passive": nil, "breaker": nil, "pool": {"wait"}, "retry": {"budget", "backoff", "max_replay"}, "rollback": {"errors"}, "shadow": nil, "sticky": nil, "balance": nil,
	} {
		if err := noZeros(name, t.RawGetString(name), except...); err != nil {
			return err
		}
	}
	return nil
}
