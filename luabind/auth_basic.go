package luabind

import (
	"net/http"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/server/auth/basic"
	"rws/server/auth/forward"
	"rws/server/exchange"
	"rws/server/ratelimit"
)

// authBasicOptions are the options of rws.auth.basic.
type authBasicOptions struct {
	Users    map[string]string `json:"users"`
	Htpasswd string            `json:"htpasswd"`
	Realm    string            `json:"realm"`
	Remember *time.Duration    `json:"remember" zero:"true"` // zero is for not at all
	Attempts string            `json:"attempts"`
}

// authBasic is rws.auth.basic.
func authBasic(L *lua.LState) int {
	o := guardOptions[authBasicOptions](L, "rws.auth.basic", 1)
	return guard(L, "auth.basic", "auth.basic", func(p *Program) (wrapper, error) {
		file, err := p.htpasswd(o.Htpasswd)
		if err != nil {
			return nil, err
		}
		attempts, err := attemptsOf(o.Attempts)
		if err != nil {
			return nil, err
		}
		hasher, err := p.shared.kept.passwords()
		if err != nil {
			return nil, err
		}
		remember, err := o.remembered()
		if err != nil {
			return nil, err
		}
		g, err := basic.New(basic.Options{Users: o.Users, File: file, Realm: o.Realm, Hasher: hasher, Remember: remember,
			Attempts: attempts, Store: p.shared.kept.limitMemory(p.options.Clock), Log: p.log()})
		if err != nil {
			return nil, err
		}
		return g.Wrap, nil
	})
}

// remembered is how long in the words of the engine, where 0 is the default.
func (o authBasicOptions) remembered() (time.Duration, error) {
	switch {
	case o.Remember == nil:
		return 0, nil
	case *o.Remember < 0:
		return 0, badOption("remember", "%s: must not be negative", *o.Remember)
	case *o.Remember == 0:
		return -1, nil
	}
	return *o.Remember, nil
}

// htpasswd is the place of a file of users.
func (p *Program) htpasswd(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	_, err := os.Stat(p.path(name))
	return p.path(name), atOption("htpasswd", err)
}

// attemptsOf reads how often a password may be tried.
func attemptsOf(text string) (ratelimit.Rate, error) {
	if text == "" {
		return ratelimit.Rate{}, nil
	}
	rate, by, err := ratelimit.Parse(text)
	switch {
	case err != nil:
		return rate, atOption("attempts", err)
	case by != "":
		return rate, badOption("attempts", `%q: attempts are counted by name and by address always; leave out "per %s"`, text, by)
	}
	return rate, nil
}

// authForwardOptions are the options of rws.auth.forward.
type authForwardOptions struct {
	URL     string        `json:"url"`
	Copy    []string      `json:"copy"`
	Cookies bool          `json:"cookies"`
	Headers []string      `json:"headers"`
	MaxBody bind.Size     `json:"max_body"`
	Timeout time.Duration `json:"timeout"`
}

// authForward is rws.auth.forward.
func authForward(L *lua.LState) int {
	o := guardOptions[authForwardOptions](L, "rws.auth.forward", 1)
	return guard(L, "auth.forward", "auth.forward", func(p *Program) (wrapper, error) {
		if o.URL == "" {
			return nil, badOption("url", "it is missing: the address of the authentication service (if you gave one, its value is nil)")
		}
		g, err := forward.New(forward.Options{URL: o.URL, Copy: o.Copy, Cookies: o.Cookies, Headers: o.Headers, MaxBody: int64(o.MaxBody),
			Timeout: o.Timeout, Client: p.outgoing(), Scheme: clientScheme})
		if err != nil {
			return nil, err
		}
		return g.Wrap, p.stores.atClose(func() error { g.Close(); return nil })
	})
}

// clientScheme is the scheme that the client used, as far as a trusted proxy tells.
func clientScheme(r *http.Request) string {
	if e := exchange.From(r.Context()); r.TLS != nil || e != nil && e.Secure {
		return "https"
	}
	return "http"
}
