package luabind

import (
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
	limits, unlimited := L.NewTable(), map[string]*time.Duration{"response": &o.Response, "read": &o.Read, "max_age": &o.MaxAge, "tunnel": &o.Tunnel}
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
	t = proxy.Timeout{Whole: all.Whole, Tunnel: all.Tunnel}
	if own.Whole != 0 {
		t.Whole = own.Whole
	}
	if own.Tunnel != 0 {
		t.Tunnel = own.Tunnel
	}
	if u.named {
		t.Header = own.Response
		if own.Response < 0 || own.Connect != 0 || own.Read != 0 || own.Idle != 0 || own.MaxAge != 0 {
			return t, fmt.Errorf("connect, read, idle and max_age, and response = false, are about connections: give them to app:upstream, where %q is declared (%s)", u.pool.Name(), u.source)
		}
	}
	return t, nil
}
