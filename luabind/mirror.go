package luabind

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/proxy"
)

const (
	roleMain   = "main"
	roleShadow = "shadow"
)

// mirrorOptions are the options of app:mirror: those of app:proxy hold for both sides.
type mirrorOptions struct {
	proxyOptions
	Share  lua.LValue   `json:"share"`
	Diff   bool         `json:"diff"`
	Shadow shadowLimits `json:"shadow"`
}

// shadowLimits bound what the shadow costs.
type shadowLimits struct {
	MaxBody     *bind.Size    `json:"max_body"`
	Concurrency int           `json:"concurrency"`
	Timeout     time.Duration `json:"timeout"`
}

// mirrored is one mirror of a program.
type mirrored struct {
	route  *route
	mirror *proxy.Mirror
}

// appMirror is app:mirror(pattern, ..., main, shadow, options?).
func appMirror(L *lua.LState, a *App) int {
	const name = "app:mirror"
	a.mustLoad(L, name)
	call := readProxyCall(L, name, 2)
	var o mirrorOptions
	call.decode(L, &o)
	call.mustHaveBoth(L, "what answers and its shadow")
	r := &route{pattern: call.pattern, kind: "mirror", chain: call.chain, native: http.NotFoundHandler()}
	engine, err := o.engine()
	if err != nil {
		bind.Raise(L, name, bind.Errorf("option", "%w", err))
	}
	r.more = []string{"share " + percent(engine.Share)}
	engine.Logger = a.state.program.log()
	engine.Main = a.proxied(L, &call, r, a.upstreamFor(L, &call, 0, &o.poolOptions), &o.proxyOptions, roleMain)
	engine.Shadow = a.proxied(L, &call, r, a.upstreamFor(L, &call, 1, &o.poolOptions), &o.proxyOptions, roleShadow)
	if a.state.isolate.Number() == 0 {
		m, err := proxy.NewMirror(engine)
		if err != nil {
			bind.Raise(L, name, bind.Errorf("option", "%w", errors.New(strings.TrimPrefix(err.Error(), "mirror: "))))
		}
		r.native = m
		r.mirrored = &mirrored{mirror: m}
	}
	a.addProxy(L, &call, r, &o.proxyOptions)
	L.Push(bind.New(L, routeType, r))
	return 1
}

// engine reads the options, but for what both sides are.
func (o *mirrorOptions) engine() (e proxy.MirrorOptions, err error) {
	e = proxy.MirrorOptions{Share: 1, Diff: o.Diff, Concurrency: o.Shadow.Concurrency, Timeout: o.Shadow.Timeout}
	if o.Shadow.MaxBody != nil {
		e.MaxBody = int(*o.Shadow.MaxBody)
	}
	if o.Share != nil {
		if e.Share, err = shareOf("share", o.Share); err != nil {
			return e, fmt.Errorf("option %w", err)
		}
	}
	return e, nil
}
