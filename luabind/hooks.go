package luabind

import (
	"context"
	"net/http"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/exchange"
)

// hookTime is what a function of app:on may take.
const hookTime = 30 * time.Second

func exchangeOf(r *http.Request) *exchange.Exchange { return exchange.From(r.Context()) }

// Start opens what has to be there and runs the functions of app:on("start"), once per process: in
// the first isolate. ctx is that of the process.
func (p *Program) Start(ctx context.Context) error {
	p.shared.kept.begin(p)
	if err := p.tryStores(ctx); err != nil {
		return err
	}
	if err := p.tryLimits(); err != nil {
		return err
	}
	p.startUpstreams()
	if err := p.startCertificates(ctx); err != nil {
		return err
	}
	return p.states[0].runHooks(ctx, "start")
}

func (s *state) runHooks(ctx context.Context, event string) error {
	for _, fn := range s.hooks[event] {
		err := s.isolate.Do(hookRun(ctx), func(L *lua.LState) error {
			_, err := vm.Call(L, fn)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func hookRun(ctx context.Context) *vm.Run {
	run := &vm.Run{Context: ctx}
	run.SetDeadline(time.Now().Add(hookTime))
	return run
}

// Reload hands state from the program that is being replaced to this one: the functions of
// app:on("reload") get what app.state was in the old program, as a copy. What has to be there is opened
// first, as at the start.
func (p *Program) Reload(ctx context.Context, old *Program) error {
	if err := p.tryLimits(); err != nil {
		return err
	}
	p.inherit(old)
	p.shared.kept.begin(p)
	p.startUpstreams()
	if err := p.startCertificates(ctx); err != nil {
		return err
	}
	next := p.states[0]
	if len(next.hooks["reload"]) == 0 {
		return nil
	}
	kept := any(map[string]any{})
	err := old.states[0].isolate.Do(hookRun(ctx), func(L *lua.LState) (err error) {
		if t := old.states[0].root.data; t != nil {
			kept, err = bind.ToGo(L, t)
		}
		return err
	})
	if err != nil {
		return &fault.Error{Code: "reload", Message: "copying app.state: " + err.Error(), Cause: err}
	}
	for _, fn := range next.hooks["reload"] {
		err := next.isolate.Do(hookRun(ctx), func(L *lua.LState) error {
			before := L.NewTable()
			before.RawSetString("state", bind.FromGo(L, kept))
			v, err := vm.Call(L, fn, before)
			if t, ok := v.(*lua.LTable); ok {
				next.root.data = t
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
