package luabind

import (
	"fmt"
	"net/http"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server/middleware"
)

// placeFuncs make middleware that sends requests elsewhere.
func placeFuncs() []bind.Func {
	return []bind.Func{
		bind.Raw("rewrite(rules)", rewrite),
		bind.Raw("redirect(rules)", redirect),
		bind.Raw("redirect_https(options?)", redirectHTTPS),
	}
}

// rewriteOptions are one rule of rws.rewrite.
type rewriteOptions struct {
	Host    string `json:"host"`
	Strip   string `json:"strip"`
	From    string `json:"from"`
	To      string `json:"to"`
	Add     string `json:"add"`
	SetHost string `json:"set_host"`
}

func rewrite(L *lua.LState) int {
	given := rules[rewriteOptions](L, "rewrite", `{ from = [[^/old/(\d+)$]], to = "/new/$1" }`)
	list := make([]middleware.RewriteRule, len(given))
	for i, o := range given {
		list[i] = middleware.RewriteRule{Host: o.Host, Strip: o.Strip, From: o.From, To: o.To, Add: o.Add, SetHost: o.SetHost}
	}
	return push(L, &Middleware{Name: "rewrite", Early: true}, func(*Program) (func(http.Handler) http.Handler, error) {
		return middleware.Rewrite(list...)
	})
}

// redirectOptions are one rule of rws.redirect.
type redirectOptions struct {
	Host   string `json:"host"`
	From   string `json:"from"`
	To     string `json:"to"`
	Status *int   `json:"status"`
}

func redirect(L *lua.LState) int {
	given := rules[redirectOptions](L, "redirect", `{ from = [[^/blog/(.*)$]], to = "https://blog.example.com/$1" }`)
	list := make([]middleware.RedirectRule, len(given))
	for i, o := range given {
		list[i] = middleware.RedirectRule{Host: o.Host, From: o.From, To: o.To, Status: redirectStatus(L, "redirect", o.Status)}
	}
	return native(L, "redirect", func(*Program) (func(http.Handler) http.Handler, error) {
		return middleware.Redirect(list...)
	})
}

// redirectStatus is 0, the default, for a status that is left out.
func redirectStatus(L *lua.LState, name string, status *int) int {
	if status == nil {
		return 0
	}
	if *status == 0 {
		raiseOption(L, "rws."+name, fmt.Errorf("option \"status\": 0: want 301, 302, 303, 307 or 308"))
	}
	return *status
}

// redirectHTTPSOptions are the options of rws.redirect_https.
type redirectHTTPSOptions struct {
	Port   *int     `json:"port"`
	Hosts  []string `json:"hosts"`
	Status *int     `json:"status"`
}

func redirectHTTPS(L *lua.LState) int {
	o := bind.Options[redirectHTTPSOptions](L, "rws.redirect_https", 1)
	if t, ok := L.Get(1).(*lua.LTable); ok {
		if err := noEmptyLists(t, "", "hosts"); err != nil {
			raiseOption(L, "rws.redirect_https", err)
		}
	}
	ro := middleware.RedirectHTTPSOptions{Hosts: o.Hosts, Status: redirectStatus(L, "redirect_https", o.Status)}
	if o.Port != nil {
		if ro.Port = *o.Port; ro.Port < 1 {
			raiseOption(L, "rws.redirect_https", fmt.Errorf("option \"port\": %d: a port from 1 to 65535 expected", ro.Port))
		}
	}
	at := fault.Where(L)
	return native(L, "redirect_https", func(p *Program) (func(http.Handler) http.Handler, error) {
		p.whenConfigured(L, "rws.redirect_https", func() error {
			if p.Config.Production() && len(ro.Hosts) == 0 {
				p.logger.Warn("rws.redirect_https: without hosts it sends clients to whatever host they name: name those of the service, as in { hosts = { \"example.com\" } }", "at", at)
			}
			return nil
		})
		return middleware.RedirectHTTPS(ro)
	})
}
