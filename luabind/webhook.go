package luabind

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/luabind/vm"
	"rws/server/webhook"
)

// webhookModule is rws.webhook.
func webhookModule() bind.Module {
	return bind.Module{Name: "rws.webhook", Funcs: []bind.Func{
		bind.RawWait("verify(provider, c, secret, options?)", webhookVerify),
		bind.Raw("guard(provider, options)", webhookGuard),
		bind.Raw("sign(provider, body, secret, options?)", webhookSign),
	}}
}

// webhookOptions are the options of rws.webhook.verify.
type webhookOptions struct {
	Header    string        `json:"header"`
	Prefix    string        `json:"prefix" zero:"true"`
	Encoding  string        `json:"encoding"`
	Hash      string        `json:"hash"`
	Tolerance time.Duration `json:"tolerance"`
	Replays   string        `json:"replays"`
	ReplayTTL time.Duration `json:"replay_ttl"`
}

// webhookGuardOptions are those of rws.webhook.guard.
type webhookGuardOptions struct {
	Secret    []string      `json:"secret"`
	Header    string        `json:"header"`
	Prefix    string        `json:"prefix" zero:"true"`
	Encoding  string        `json:"encoding"`
	Hash      string        `json:"hash"`
	Tolerance time.Duration `json:"tolerance"`
	Replays   string        `json:"replays"`
	ReplayTTL time.Duration `json:"replay_ttl"`
	MaxBody   bind.Size     `json:"max_body"`
}

// webhookSignOptions are those of rws.webhook.sign.
type webhookSignOptions struct {
	ID       string `json:"id"`
	Header   string `json:"header"`
	Prefix   string `json:"prefix" zero:"true"`
	Encoding string `json:"encoding"`
	Hash     string `json:"hash"`
}

// engine returns what the options say to the engine, but for the store of replays.
func (o webhookGuardOptions) engine(provider string) (webhook.Options, error) {
	generic := webhook.Generic{Header: o.Header, Prefix: o.Prefix, Encoding: o.Encoding, Hash: o.Hash}
	if provider != "generic" && generic != (webhook.Generic{}) {
		return webhook.Options{}, badOption("header", `header, prefix, encoding and hash are for the provider "generic"; those of %q are known`, provider)
	}
	if o.ReplayTTL != 0 && o.Replays == "" {
		return webhook.Options{}, badOption("replay_ttl", "there is no replays that it is for")
	}
	if len(o.Secret) == 0 || slices.Contains(o.Secret, "") {
		return webhook.Options{}, badOption("secret", "it is missing; if you gave one, its value is nil or empty, as that of a variable of env which is not set")
	}
	if o.Replays != "" {
		if err := checkStore(o.Replays, []string{inMemory, inRedis}, redisSchemes); err != nil {
			return webhook.Options{}, atOption("replays", err)
		}
	}
	return webhook.Options{Provider: provider, Secrets: o.Secret, Generic: generic, Tolerance: o.Tolerance, ReplayTTL: o.ReplayTTL, MaxBody: int64(o.MaxBody)}, nil
}

// webhookGuard is rws.webhook.guard.
func webhookGuard(L *lua.LState) int {
	const name = "rws.webhook.guard"
	provider := bind.Arg[string](L, name, 1)
	o := guardOptions[webhookGuardOptions](L, name, 2)
	return guard(L, "webhook.guard", "webhook.guard "+provider, func(p *Program) (wrapper, error) {
		options, err := o.engine(provider)
		if err != nil {
			return nil, err
		}
		if _, err := webhook.New(options); err != nil { // all but the store
			return nil, err
		}
		var hook *webhook.Hook
		p.whenConfigured(L, name, func() (err error) {
			if options.Replays, err = p.replays(o.Replays); err != nil {
				return atOption("replays", err)
			}
			hook, err = webhook.New(options)
			return err
		})
		return func(next http.Handler) http.Handler { return hook.Wrap(next) }, nil
	})
}

// secretArg reads the secret, or several of which any verifies. nil is an error and no secret: that of
// a variable that is not set.
func secretArg(L *lua.LState, name string) []string {
	if L.Get(3) == lua.LNil {
		bind.ArgError(L, name, 3, "the secret expected, got nil; a variable of env that is not set is nil")
	}
	return bind.Arg[[]string](L, name, 3)
}

// webhookVerify is rws.webhook.verify.
func webhookVerify(L *lua.LState) int {
	const name = "rws.webhook.verify"
	provider := bind.Arg[string](L, name, 1)
	c, ok := userdata[Ctx](L.Get(2))
	if !ok {
		bind.ArgError(L, name, 2, "the request, c, expected, got %s", L.Get(2).Type())
	}
	contextOf(L, c)
	secrets := secretArg(L, name)
	o := guardOptions[webhookOptions](L, name, 4)
	hook, err := stateOf(L).program.hook(provider, webhookGuardOptions{Secret: secrets, Header: o.Header, Prefix: o.Prefix, Encoding: o.Encoding,
		Hash: o.Hash, Tolerance: o.Tolerance, Replays: o.Replays, ReplayTTL: o.ReplayTTL})
	if err != nil {
		raiseOption(L, name, err)
	}
	body := c.readBody(L)
	err = vm.Wait(L, func(ctx context.Context) error { return hook.Verify(ctx, c.r.Header, body) })
	switch {
	case err == nil:
		L.Push(lua.LTrue)
		return 1
	case errors.Is(err, webhook.ErrStore):
		fault.Raise(L, &fault.Error{Code: "unavailable", Status: http.StatusServiceUnavailable, Message: name + ": " + err.Error(), Cause: err})
	case errors.Is(err, vm.ErrDeadline), errors.Is(err, vm.ErrStopped), errors.Is(err, context.Canceled):
		bind.Raise(L, name, err)
	}
	return nothing(L, reason(err))
}

// hook makes what verifies a webhook.
func (p *Program) hook(provider string, o webhookGuardOptions) (*webhook.Hook, error) {
	options, err := o.engine(provider)
	if err != nil {
		return nil, err
	}
	if options.Replays, err = p.replays(o.Replays); err != nil {
		return nil, atOption("replays", err)
	}
	return webhook.New(options)
}

// webhookSign is rws.webhook.sign.
func webhookSign(L *lua.LState) int {
	const name = "rws.webhook.sign"
	provider, body := bind.Arg[string](L, name, 1), bind.Arg[string](L, name, 2)
	secrets := secretArg(L, name)
	o := guardOptions[webhookSignOptions](L, name, 4)
	options, err := webhookGuardOptions{Secret: secrets, Header: o.Header, Prefix: o.Prefix, Encoding: o.Encoding, Hash: o.Hash}.engine(provider)
	var hook *webhook.Hook
	if err == nil {
		hook, err = webhook.New(options)
	}
	if err != nil {
		raiseOption(L, name, err)
	}
	h := make(http.Header)
	if err := hook.Sign(h, o.ID, []byte(body)); err != nil {
		bind.Raise(L, name, err)
	}
	t := L.NewTable()
	for field, values := range h {
		t.RawSetString(field, lua.LString(values[0]))
	}
	L.Push(t)
	return 1
}
