package luabind

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/proxy"
	"rws/server/proxy/balance"
	"rws/server/proxy/health"
	"rws/server/proxy/upstream"
	"rws/server/suggest"
)

// checkEmpty refuses options of proxies and pools that say nothing. Those that are not here, as breaker,
// mean their defaults by that.
func checkEmpty(t *lua.LTable) error {
	for _, name := range []string{"sticky", "tls", "pool", "request", "response", "protect", "paths", "timeout"} {
		if v, ok := t.RawGetString(name).(*lua.LTable); ok && isEmpty(v) {
			return fmt.Errorf("option %q: it is empty and would change nothing: leave it out", name)
		}
	}
	for _, name := range []string{"host", "strip", "summary"} {
		if t.RawGetString(name) == lua.LString("") {
			return fmt.Errorf("option %q: it is empty and would change nothing: leave it out", name)
		}
	}
	return nil
}

// checkHeaderLists refuses what is no name of a header: a number, or one with a "*" in the middle, which
// no name would match.
func checkHeaderLists(t *lua.LTable) error {
	if err := checkHeaderList("protect", t.RawGetString("protect")); err != nil {
		return err
	}
	for _, edits := range []string{"request", "response"} {
		if e, ok := t.RawGetString(edits).(*lua.LTable); ok {
			if err := checkHeaderMaps(edits, e); err != nil {
				return err
			}
			if err := checkHeaderList(edits+".remove", e.RawGetString("remove")); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkHeaderMaps refuses headers without names, which would get numbers for them.
func checkHeaderMaps(option string, edits *lua.LTable) error {
	for _, key := range []string{"set", "add"} {
		t, ok := edits.RawGetString(key).(*lua.LTable)
		if !ok {
			continue
		}
		var bad error
		t.ForEach(func(name, value lua.LValue) {
			if _, named := name.(lua.LString); !named && bad == nil {
				bad = fmt.Errorf(`option "%s.%s": headers have names, as { ["X-Name"] = "value" }, and here is %q without one`, option, key, value.String())
			}
		})
		if bad != nil {
			return bad
		}
	}
	return nil
}

func checkHeaderList(option string, v lua.LValue) error {
	list := []lua.LValue{v}
	if t, ok := v.(*lua.LTable); ok {
		list = nil
		for n := 1; n <= t.Len(); n++ {
			list = append(list, t.RawGetInt(n))
		}
		if len(list) == 0 {
			return fmt.Errorf("option %q: the list is empty: leave it out, or name one", option)
		}
	}
	for _, one := range list {
		text, ok := one.(lua.LString)
		switch {
		case one == lua.LNil:
		case !ok:
			return fmt.Errorf("option %q: the name of a header expected, got the %s %s", option, one.Type(), one)
		case strings.Contains(strings.Trim(string(text), "*"), "*"):
			return fmt.Errorf(`option %q: %q: a "*" stands at one end, for all names that begin or end like it`, option, string(text))
		}
	}
	return nil
}

// edits are those of the engine, with the names of headers as scripts write them: "_" is "-".
func (o *editOptions) edits() (e proxy.Edits, err error) {
	if o == nil {
		return e, nil
	}
	e.Remove = headerPatterns(o.Remove)
	if e.Set, err = headerMap(o.Set); err != nil {
		return e, fmt.Errorf("set: %w", err)
	}
	add, err := headerMap(o.Add)
	if err != nil {
		return e, fmt.Errorf("add: %w", err)
	}
	for name, value := range add {
		if e.Add == nil {
			e.Add = map[string][]string{}
		}
		e.Add[name] = []string{value}
	}
	return e, nil
}

// headerPatterns has names of headers with "-" for "_".
func headerPatterns(names []string) (list []string) {
	for _, name := range names {
		list = append(list, strings.ReplaceAll(name, "_", "-"))
	}
	return list
}

// headerMap has the names as they are sent.
func headerMap(given map[string]string) (map[string]string, error) {
	named := make(map[string]string, len(given))
	for key, value := range given {
		name := headerName(key)
		if _, twice := named[name]; twice {
			return nil, fmt.Errorf("the header %s is there twice, spelled in two ways", name)
		}
		named[name] = value
	}
	return named, nil
}

// checkTwice refuses a backend that is in the list twice: a weight gives it a larger share.
func checkTwice(list []upstream.Target) error {
	type place struct{ url, host string }
	seen := map[place]bool{}
	for _, t := range list {
		at := place{t.URL, t.Host}
		if seen[at] {
			return fmt.Errorf("%s is there twice: give it a weight for a larger share", t.URL)
		}
		seen[at] = true
	}
	return nil
}

// checkHealthTimes refuses a check that could not end before the next begins.
func (u *Upstream) checkHealthTimes(L *lua.LState) error {
	c, err := checkOf(L, u.options.Health)
	if err != nil || c == nil || c.Timeout == 0 {
		return err
	}
	every := cmp.Or(c.Every, health.DefaultEvery)
	if c.Timeout > every {
		return fmt.Errorf("option \"health\": timeout, %s, is longer than every, %s: the next check would come before", c.Timeout, every)
	}
	return nil
}

// checkPool looks at limits that contradict each other.
func (u *Upstream) checkPool(*lua.LState) error {
	l := u.options.Pool
	switch {
	case l == nil:
		return nil
	case l.PerBackend > 0 && l.Idle > l.PerBackend:
		return fmt.Errorf("option \"pool\": idle, %d, is more than per_backend, %d: so many are never there", l.Idle, l.PerBackend)
	case l.MaxHeader > mostHeader:
		return fmt.Errorf("option \"pool\": max_header is %s; a backend may have this server hold that much for each request: at most %s", l.MaxHeader, bind.Size(mostHeader))
	}
	return nil
}

// mostHeader bounds pool.max_header.
const mostHeader = 16 << 20

// check refuses a time that another one cuts off.
func (o *timeoutOptions) check() error {
	for _, part := range []struct {
		name string
		less bool
	}{{"connect", o.Connect > o.Whole}, {"response", o.Response > o.Whole}} {
		if o.Whole > 0 && part.less {
			return fmt.Errorf("%s is longer than whole, %s, which ends the request before", part.name, o.Whole)
		}
	}
	return nil
}

// check refuses names that no request can have, and those that are missing.
func (o *balanceOptions) check() error {
	switch policy := balance.Policy(o.Policy); {
	case policy == balance.HeaderHash && o.Header == "":
		return errors.New(`header_hash needs the name of a header: { policy = "header_hash", header = "X-Key" }`)
	case policy == balance.CookieHash && o.Cookie == "":
		return errors.New(`cookie_hash needs the name of a cookie: { policy = "cookie_hash", cookie = "id" }`)
	}
	if o.Header != "" && !validHeaderName(o.Header) {
		return fmt.Errorf("%q is no name of a header", o.Header)
	}
	if o.Cookie != "" && !validHeaderName(o.Cookie) { // both are tokens (RFC 6265 §4.1.1)
		return fmt.Errorf("%q is no name of a cookie", o.Cookie)
	}
	return nil
}

// knownMethods are those of RFC 9110, PATCH, WebDAV and its extensions, as far as the registry of IANA has them, and
// PURGE of caches; without CONNECT and TRACE, which are not passed on.
var knownMethods = strings.Fields(`GET HEAD POST PUT DELETE OPTIONS PATCH QUERY PURGE
	PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH REPORT ACL BIND UNBIND REBIND LINK UNLINK
	VERSION-CONTROL CHECKOUT CHECKIN UNCHECKOUT LABEL UPDATE MERGE BASELINE-CONTROL MKACTIVITY MKWORKSPACE
	ORDERPATCH MKCALENDAR MKREDIRECTREF UPDATEREDIRECTREF`)

// checkMethods refuses what is no method, and what is almost one: a method may be of one's own.
func checkMethods(methods []string) error {
	for _, m := range methods {
		if !validHeaderName(m) {
			return fmt.Errorf("%q is no method; several are a list: { \"GET\", \"HEAD\" }", m)
		}
		name := strings.ToUpper(m)
		if near := suggest.DidYouMean(name, knownMethods); near != "" && !slices.Contains(knownMethods, name) {
			return fmt.Errorf("the method %q is unknown%s", m, near)
		}
	}
	return nil
}

// checkLimits refuses bounds of app:tcp that are none.
func (o *tcpOptions) checkLimits() error {
	for _, limit := range []struct {
		name string
		n    int
	}{{"tries", o.Tries}, {"max_conns", o.MaxConns}, {"max_conns_per_ip", o.MaxConnsPerIP}} {
		if limit.n < 0 {
			return fmt.Errorf("option %q: %d is less than nothing: leave it out for its default", limit.name, limit.n)
		}
	}
	return nil
}

var errWeight = errors.New("weight: 0 would be its default, 1: leave out a backend that is to get nothing, or drain it")
