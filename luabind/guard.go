package luabind

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/client"
	"rws/server/exchange"
)

// wrapper is a middleware of the engine.
type wrapper = func(http.Handler) http.Handler

// guard is native for a middleware that keeps requests out, and whose listings say more than its name.
func guard(L *lua.LState, name, label string, make func(p *Program) (wrapper, error)) int {
	n := push(L, &Middleware{Name: name, Guard: true}, make)
	L.Get(-1).(*lua.LUserData).Value.(*Middleware).Name = label
	return n
}

// badOption is an error about one option.
func badOption(name, format string, args ...any) error {
	return fmt.Errorf("option %q: %w", name, fmt.Errorf(format, args...))
}

// atOption says of an error which option it is about; nil stays nil.
func atOption(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("option %q: %w", name, err)
}

// noEmpty refuses lists with an empty text, as env.NAME is when a variable is set to nothing.
func noEmpty(lists map[string][]string) error {
	for name, list := range lists {
		for _, text := range list {
			if text == "" {
				return badOption(name, "it is empty; leave it out for none")
			}
		}
	}
	return nil
}

// whenConfigured has f called when the settings are known, which app:config may change until the
// script has loaded. Its error fails the load, at the line that is running now.
func (p *Program) whenConfigured(L *lua.LState, name string, f func() error) {
	at := fault.Where(L)
	p.later = append(p.later, func() error {
		err := f()
		if err == nil {
			return nil
		}
		return &fault.Error{Code: "option", At: p.states[0].placeOf(at, err), Message: name + ": " + err.Error(), Cause: err}
	})
}

// configured calls what waits for the settings.
func (p *Program) configured() error {
	for _, f := range p.later {
		if err := f(); err != nil {
			return err
		}
	}
	p.later = nil
	return nil
}

// outgoing is the client for calls of the engine itself: nil for one of its own, and in tests
// the one that knows only stubs.
func (p *Program) outgoing() *client.Client {
	if p.options.Transport == nil {
		return nil
	}
	return p.client
}

// log is a logger for what is made while the script loads: it writes where p.logger does then.
func (p *Program) log() *slog.Logger { return slog.New(lateHandler{p}) }

type lateHandler struct{ p *Program }

func (h lateHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.p.logger.Handler().Enabled(ctx, l)
}
func (h lateHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.p.logger.Handler().Handle(ctx, r)
}
func (h lateHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.p.logger.Handler().WithAttrs(attrs)
}
func (h lateHandler) WithGroup(name string) slog.Handler { return h.p.logger.Handler().WithGroup(name) }

// keepCallback keeps a function of the script that Go calls for requests, and returns its place,
// which is the same in all isolates.
func (s *state) keepCallback(fn *lua.LFunction) int {
	s.callbacks = append(s.callbacks, fn)
	return len(s.callbacks) - 1
}

// call runs a callback in an isolate for the request of ctx. give pushes what it is called with,
// take gets what it returns; both run in the isolate.
func (p *Program) call(ctx context.Context, callback int, c *Ctx, give func(L *lua.LState, c *Ctx) []lua.LValue, take func(L *lua.LState, v lua.LValue) error) error {
	s := p.nearest(ctx)
	if callback >= len(s.callbacks) {
		return errors.New("the script declared other functions in another isolate")
	}
	c.state = s
	defer c.end()
	run := &vm.Run{Context: ctx, Owner: c}
	defer p.limit(run, c.deadline(ctx))()
	err := s.isolate.Do(run, func(L *lua.LState) error {
		v, err := vm.Call(L, s.callbacks[callback], give(L, c)...)
		if err != nil {
			return err
		}
		return take(L, v)
	})
	if errors.Is(err, vm.ErrDeadline) {
		err = fmt.Errorf("%w: %w", err, context.DeadlineExceeded) // which the engine knows
	}
	return err
}

// nearest is the isolate that a request is in already, or the one with the least to do.
func (p *Program) nearest(ctx context.Context) *state {
	if e := exchange.From(ctx); e != nil {
		if c, ok := e.Data.(*Ctx); ok {
			return c.state
		}
	}
	return p.pick()
}

// scoped is what several guards say of the user.
type scoped struct {
	scopes, roles []string
	claim         string
}

// label names a guard with what it asks for: "auth.jwt scope notes:write".
func (s scoped) label(name string) string {
	for _, scope := range s.scopes {
		name += " scope " + scope
	}
	for _, role := range s.roles {
		name += " role " + role
	}
	return name
}

// guardModules are the modules of identity and webhooks.
func guardModules() []bind.Module {
	return []bind.Module{authModule(), jwtModule(), apiKeyModule(), webhookModule()}
}

// guardFuncs are their middleware in rws itself.
func guardFuncs() []bind.Func {
	return []bind.Func{
		bind.Raw("rate_limit(options)", rateLimit),
		bind.Raw("csrf(options?)", csrf),
	}
}

// authModule is rws.auth.
func authModule() bind.Module {
	return bind.Module{Name: "rws.auth", Funcs: []bind.Func{
		bind.Raw("jwt(options)", authJWT),
		bind.Raw("basic(options)", authBasic),
		bind.Raw("forward(options)", authForward),
		bind.Raw("api_key(options)", authAPIKey),
		bind.Raw("require(options)", authRequire),
	}}
}
