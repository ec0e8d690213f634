package luabind

import (
	"cmp"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/proxy"
)

// timeoutOptions are the times of a proxy. A single duration is that of the request as a whole.
type timeoutOptions struct {
	Connect  time.Duration `json:"connect"`
	Response time.Duration `json:"response"`
	Read     time.Duration `json:"read"`
	Idle     time.Duration `json:"idle"`
	MaxAge   time.Duration `json:"max_age"`
	Whole    time.Duration `json:"whole"`
	Tunnel   time.Duration `json:"tunnel"`
}

// timeoutsOf reads "10s", or { connect = "3s", … }.
func timeoutsOf(L *lua.LState, v lua.LValue) (o timeoutOptions, err error) {
	switch v := v.(type) {
	case nil:
	case *lua.LTable:
		err = o.decode(L, v)
	case lua.LString:
		if o.Whole, err = bind.ParseDuration(string(v)); err == nil && o.Whole <= 0 {
			err = fmt.Errorf("%s: it must be more than nothing; leave it out for no limit", v)
		}
	default:
		err = fmt.Errorf(`a duration such as "10s" expected, or { connect = "3s", response = "30s" }, got %s`, v.Type())
	}
	return o, err
}

// decode reads a table, in which false is no limit: negative, to the engine.
func (o *timeoutOptions) decode(L *lua.LState, t *lua.LTable) error {
	limits, unlimited := L.NewTable(), map[string]*time.Duration{"response": &o.Response, "read": &o.Read, "max_age": &o.MaxAge, "tunnel": &o.Tunnel, "whole": &o.Whole}
	var without []*time.Duration
	t.ForEach(func(key, v lua.LValue) {
		if to := unlimited[key.String()]; to != nil && v == lua.LFalse {
			without = append(without, to)
			return
		}
		limits.RawSet(key, v)
	})
	err := bind.Decode(L, limits, o)
	for _, to := range without {
		*to = -1
	}
	if err != nil {
		return err
	}
	if err := noZeros("timeout", t); err != nil {
		return err
	}
	return o.check()
}

// proxyTimeout are the times of a proxy: its own, or those of the upstream.
func (u *Upstream) proxyTimeout(L *lua.LState, v lua.LValue) (t proxy.Timeout, err error) {
	all, err := timeoutsOf(L, u.options.Timeout)
	if err != nil {
		return t, err
	}
	own, err := timeoutsOf(L, v)
	if err != nil {
		return t, err
	}
	t = proxy.Timeout{Whole: max(cmp.Or(own.Whole, all.Whole), 0), Tunnel: cmp.Or(own.Tunnel, all.Tunnel)}
	if !u.named {
		return t, nil // the pool has the rest
	}
	t.Header = own.Response
	switch {
	case own.Connect != 0 || own.Read != 0 || own.Idle != 0 || own.MaxAge != 0:
		return t, fmt.Errorf("connect, read, idle and max_age are about connections, which all routes share: give them to app:upstream, where %q is declared (%s)", u.pool.Name(), u.source)
	case t.Whole > 0 && own.Response > t.Whole:
		return t, fmt.Errorf("response, %s, is longer than whole, %s, of app:upstream (%s), which ends the request before: say here whole too, longer or false", own.Response, t.Whole, u.source)
	}
	return t, nil
}
