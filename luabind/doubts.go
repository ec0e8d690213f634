package luabind

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/fault"
	"rws/server"
	"rws/server/certs"
	"rws/server/proxy/balance"
)

// Doubts are declarations that work, and probably not as they were meant: for who checks a script.
func (p *Program) Doubts() (list []*fault.Error) {
	used, hedged := map[*Upstream]bool{}, map[*Upstream]bool{}
	for _, x := range p.proxied {
		used[x.upstream] = true
		hedged[x.upstream] = hedged[x.upstream] || x.hedge.After > 0
	}
	for _, u := range p.upstreams {
		if u.named && !used[u] {
			list = append(list, doubt(u.source, fmt.Sprintf("the upstream %q is used by no route", u.pool.Name()),
				`pass it to app:proxy("/…/*", upstream), or take it out`))
		}
		list = append(list, u.doubts()...)
		list = append(list, u.options.vainRetry(u.source, hedged[u])...)
	}
	for _, x := range p.proxied {
		if x.role == roleShadow || x.role == "new" {
			continue // its options are those of the other side
		}
		list = append(list, x.doubts()...)
	}
	return slices.Concat(list, p.grpcDoubts(), p.staticDoubts(), p.certificateDoubts(), p.plainDoubts())
}

func doubt(at, message, hint string) *fault.Error {
	return &fault.Error{Code: "doubt", At: at, Message: message, Hint: hint}
}

// doubts are those about the backends.
func (u *Upstream) doubts() (list []*fault.Error) {
	o := &u.options
	alone := len(u.reach.places) == 1 && !u.reach.asked
	switch {
	case !alone:
	case o.Sticky != nil:
		list = append(list, doubt(u.source, fmt.Sprintf("sticky: %q has one backend, where all requests go anyhow", u.pool.Name()), "name more backends, or leave sticky out"))
	case u.policy() != string(balance.RoundRobin):
		list = append(list, doubt(u.source, fmt.Sprintf("balance: %q has one backend, and nothing to choose", u.pool.Name()), "name more backends, or leave balance out"))
	}
	return append(append(list, u.loneDoubts()...), o.Retry.doubts(u.source)...)
}

// doubts are those about what is sent twice.
func (o *retryOptions) doubts(at string) (list []*fault.Error) {
	if o == nil {
		return nil
	}
	for _, method := range o.Methods {
		if method = strings.ToUpper(method); method == "POST" || method == "PATCH" {
			list = append(list, doubt(at, fmt.Sprintf("retry: a %s that a backend has seen may be sent again, and done twice", method),
				"leave it out, unless the backends recognise repetitions, as by an Idempotency-Key"))
		}
	}
	return list
}

// optionIn is an option within an option that may be no table.
func optionIn(v lua.LValue, name string) lua.LValue {
	if t, ok := v.(*lua.LTable); ok {
		return t.RawGetString(name)
	}
	return lua.LNil
}

// doubts are those about a route.
func (x *proxied) doubts() (list []*fault.Error) {
	o, pattern := x.options, x.route.pattern
	add := func(message, hint string) { list = append(list, doubt(x.route.source, message, hint)) }
	prefix, _, wild := strings.Cut(pattern, "*")
	if strip := strings.TrimSuffix(o.Strip, "/"); strip != "" {
		switch {
		case !wild:
			add(fmt.Sprintf("strip: %s takes one path alone", pattern), fmt.Sprintf("to take what is below it, write %q", strings.TrimSuffix(pattern, "/")+"/*"))
		case !strings.ContainsAny(pattern, ":{") && !strings.HasPrefix(prefix, strip+"/") && !strings.HasPrefix(strip+"/", prefix):
			add(fmt.Sprintf("strip: no path of %s begins with %s, so nothing is left out", pattern, o.Strip), fmt.Sprintf("write strip = %q", strings.TrimSuffix(prefix, "/")))
		}
	}
	if x.route.kind == "grpc" && (o.Strip != "" || o.Rewrite != nil) {
		add("gRPC goes by the path: with another one the backend finds no method", "leave out strip and rewrite")
	}
	if x.upstream.reach.noUpgrades() && optionIn(o.Timeout, "tunnel") != lua.LNil {
		add("timeout: tunnel is about WebSockets and other upgrades, which HTTP/2 to the backends has no way to pass on", "speak http, https, ws or wss to them, or leave tunnel out")
	}
	list = append(list, x.hedgeDoubts()...)
	if !x.upstream.named {
		return list // told with its upstream
	}
	list = append(list, o.vainRetry(x.route.source, x.hedge.After > 0)...)
	return append(list, o.Retry.doubts(x.route.source)...)
}

// grpcDoubts are about routes that no client can reach: gRPC is HTTP/2, of which clients know by TLS, or
// beforehand.
func (p *Program) grpcDoubts() (list []*fault.Error) {
	if p.Config.H2C || p.speaksTLS() {
		return nil
	}
	for _, x := range p.proxied {
		if x.route.kind == "grpc" {
			list = append(list, doubt(x.route.source, "app:grpc: the app listens with neither TLS nor h2c, so that no gRPC client can reach it",
				"app:tls gets a certificate; for HTTP/2 without TLS write app:config { h2c = true }"))
		}
	}
	return list
}

// plainDoubts are about addresses without TLS beside blocks that want to see who the client is: there nobody shows
// a certificate, and only hosts with a block of their own are known to want one.
func (p *Program) plainDoubts() (list []*fault.Error) {
	for _, t := range p.tls {
		if len(t.options.ClientCA) == 0 || certs.Mode(t.options.ClientAuth) == certs.Optional {
			continue
		}
		for _, l := range p.Config.listeners() {
			if l.TLS == server.TLSOff {
				list = append(list, doubt(t.at, fmt.Sprintf("app:tls: %s speaks plain HTTP, where clients show no certificate: requests for %s are sent to TLS, and what other hosts are answered there is for everybody",
					l.Address, cmp.Or(strings.Join(t.hosts, ", "), "the hosts of its certificate")), `leave the address out of listen, or send all that comes there to TLS: app:tls { redirect = ":80", … }`))
			}
		}
	}
	return list
}

// speaksTLS reports whether an address of the app does.
func (p *Program) speaksTLS() bool {
	return len(p.TLS()) > 0 && slices.ContainsFunc(p.Config.listeners(), func(l server.Listener) bool { return l.TLS != server.TLSOff })
}
