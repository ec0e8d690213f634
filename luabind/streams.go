package luabind

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"rws/luabind/bind"
	"rws/luabind/fault"
	"rws/server"
	"rws/server/certs"
	"rws/server/listen"
	"rws/server/proxy/transport"
	"rws/server/proxy/upstream"
	"rws/server/relay"
)

// streamBackends are the options of backends that take bytes.
type streamBackends struct {
	To        lua.LValue    `json:"to"`
	Balance   lua.LValue    `json:"balance"`
	SlowStart time.Duration `json:"slow_start"`
	Refresh   time.Duration `json:"refresh"`
	Health    lua.LValue    `json:"health"`
	Passive   lua.LValue    `json:"passive"`
	Breaker   lua.LValue    `json:"breaker"`
}

func (o *streamBackends) pool() poolOptions {
	return poolOptions{To: o.To, Balance: o.Balance, SlowStart: o.SlowStart, Refresh: o.Refresh, Health: o.Health, Passive: o.Passive, Breaker: o.Breaker}
}

// tcpOptions are the options of app:tcp.
type tcpOptions struct {
	streamBackends
	Names         *lua.LTable `json:"names"`
	Cert          string      `json:"cert"`
	Key           string      `json:"key"`
	TLS           *backendTLS `json:"tls"`
	ProxyProtocol int         `json:"proxy_protocol"`
	AcceptProxy   *lua.LTable `json:"accept_proxy"`
	Timeout       tcpTimes    `json:"timeout"`
	Tries         int         `json:"tries"`
	MaxConns      int         `json:"max_conns"`
	MaxConnsPerIP int         `json:"max_conns_per_ip"`
}

// tcpTimes are the times of app:tcp.
type tcpTimes struct {
	Connect   time.Duration `json:"connect"`
	Handshake time.Duration `json:"handshake"`
	Idle      time.Duration `json:"idle"`
}

// udpOptions are the options of app:udp.
type udpOptions struct {
	streamBackends
	Idle        time.Duration `json:"idle"`
	MaxSessions int           `json:"max_sessions"`
	MaxPerIP    int           `json:"max_per_ip"`
}

// check refuses what has no effect.
func (o *tcpOptions) check(t *lua.LTable) error {
	if o.Timeout.Handshake != 0 && o.Cert == "" && o.Names == nil {
		return errors.New(`option "timeout": handshake is for the TLS of visitors, which is looked at only with cert or names`)
	}
	if err := noZeros("timeout", t.RawGetString("timeout")); err != nil {
		return err
	}
	if err := o.checkPassing(t); err != nil {
		return err
	}
	if err := o.checkLimits(); err != nil {
		return err
	}
	return checkZeros(t)
}

// passes reports that the TLS of visitors is passed through as it is, to backends by its server name.
func (o *tcpOptions) passes() bool { return o.Names != nil && o.Cert == "" && o.Key == "" }

// checkPassing refuses TLS with backends around the TLS that is passed through to them. Where checks speak TLS
// the option is theirs.
func (o *tcpOptions) checkPassing(t *lua.LTable) error {
	if o.TLS == nil || !o.passes() || checkedOverTLS(t) {
		return nil
	}
	for _, name := range bind.Keys(o.Names) {
		if own, ok := o.Names.RawGetString(name).(*lua.LTable); ok && checkedOverTLS(own) {
			return nil
		}
	}
	return errors.New(`option "tls": without cert and key the TLS of visitors is passed through by its name, and a second TLS around it would reach no backend: ` +
		`leave tls out, or end the visitors' TLS here by cert and key; for health = { scheme = "tls" } it says how checks verify`)
}

// checkedOverTLS reports whether the backends in a table of options are asked over TLS whether they work.
func checkedOverTLS(t *lua.LTable) bool {
	o := poolOptions{Health: t.RawGetString("health")}
	return slices.Contains(overTLS, o.healthScheme(nil))
}

// A relayed is an address of app:tcp or app:udp.
type relayed struct {
	network, listen, source string
	secure                  bool         // TLS of visitors ends there
	cert                    certs.Pair   // by which, as the script names the files
	insecure                bool         // certificates of backends are not verified
	names                   []string     // of TLS, "" for those that have none or another
	upstreams               []*Upstream  // by names
	accepts                 *ProxyListen // whom it expects the PROXY protocol of; nil for none
	stats                   func() relay.Stats
}

// add notes backends for a server name.
func (r *relayed) add(name string, u *Upstream) *upstream.Pool {
	r.names, r.upstreams = append(r.names, name), append(r.upstreams, u)
	return u.pool
}

// appTCP is app:tcp(listen, options).
func appTCP(L *lua.LState, a *App) int {
	const name = "app:tcp"
	a.mustBeWhole(L, name)
	address := L.CheckString(2)
	if err := listen.Check(address); err != nil {
		bind.ArgError(L, name, 1, "%s", err)
	}
	o := bind.Options[tcpOptions](L, name, 3)
	mustFit(L, name, o.check(L.CheckTable(3)))
	seen := &relayed{network: "tcp", listen: address, source: fault.Where(L), secure: o.Cert != "", cert: certs.Pair{CertFile: o.Cert, KeyFile: o.Key}, insecure: o.TLS != nil && o.TLS.Insecure && !o.passes()}
	engine, err := a.relayOptions(L, name, seen, &o)
	mustFit(L, name, err)
	accept := listen.Options{MaxConns: o.MaxConns, MaxConnsPerIP: o.MaxConnsPerIP}
	if o.AcceptProxy != nil {
		p, err := readProxyListen(L, o.AcceptProxy, listen.IsUnix(address))
		if err != nil {
			bind.Raise(L, name, bind.Errorf("option", "option \"accept_proxy\": %w", err))
		}
		accept.Proxy = p.engine()
		accept.Proxy.Refused = a.state.program.shared.kept.refused.of(address)
		seen.accepts = p
	}
	if a.state.isolate.Number() != 0 {
		return 0
	}
	r, err := relay.NewTCP(engine)
	if err != nil {
		bind.Raise(L, name, bind.Errorf("option", "%w", errors.New(strings.TrimPrefix(err.Error(), "tcp: "))))
	}
	seen.stats = r.Stats
	a.state.program.relays = append(a.state.program.relays, seen)
	a.state.program.streams = append(a.state.program.streams, server.Stream{
		Listen: address, Options: accept, Conn: r.ServeConn, Source: seen.source,
	})
	return 0
}

// relayOptions reads what app:tcp is told.
func (a *App) relayOptions(L *lua.LState, name string, seen *relayed, o *tcpOptions) (e relay.TCPOptions, err error) {
	times := o.Timeout
	e = relay.TCPOptions{Connect: times.Connect, Handshake: times.Handshake, Idle: times.Idle, Tries: o.Tries, ProxyProtocol: o.ProxyProtocol,
		Logger: a.state.program.log(), Names: map[string]relay.Pool{}}
	if a.state.isolate.Number() == 0 {
		if e.TLS, err = a.state.program.ownTLS(o.Cert, o.Key); err != nil {
			return e, err
		}
	}
	if t := o.TLS; t != nil && !o.passes() {
		if e.BackendTLS, err = a.state.program.backendTLS(t); err != nil {
			return e, fmt.Errorf("option \"tls\": %w", err)
		}
	}
	pool := o.pool()
	if pool.To != nil {
		pool.TLS = o.tlsFor(L, &pool)
		e.Pool = streamPool{seen.add("", a.state.newStreamUpstream(L, name, "tcp", "tcp "+seen.listen, pool))}
	} else if given := pool.given(); len(given) > 0 {
		return e, fmt.Errorf("option %q: it is about the backends of \"to\", which is missing", given[0])
	}
	if o.Names == nil {
		return e, nil
	}
	for _, server := range bind.Keys(o.Names) {
		e.Names[server] = streamPool{seen.add(server, a.namedPool(L, name, seen.listen, server, o.Names.RawGetString(server), o))}
	}
	return e, nil
}

// tlsFor is how the backends of a pool are spoken to over TLS, by checks at least; nil for not at all.
func (o *tcpOptions) tlsFor(L *lua.LState, pool *poolOptions) *backendTLS {
	if o.passes() && !slices.Contains(overTLS, pool.healthScheme(L)) {
		return nil
	}
	return o.TLS
}

// namedPool is the pool for a server name of TLS: backends, or a table with "to" and what else they are
// told.
func (a *App) namedPool(L *lua.LState, name, address, server string, v lua.LValue, of *tcpOptions) *Upstream {
	o := streamBackends{To: v}
	if t, ok := v.(*lua.LTable); ok && t.RawGetString("to") != lua.LNil {
		o = streamBackends{}
		if err := bind.Decode(L, t, &o); err != nil {
			bind.Raise(L, name, bind.Errorf("option", "option \"names\": %q: %w", server, err))
		}
		mustFit(L, name, checkZeros(t))
	}
	pool := o.pool()
	pool.TLS = of.tlsFor(L, &pool)
	return a.state.newStreamUpstream(L, name, "tcp", "tcp "+address+" "+server, pool)
}

// appUDP is app:udp(listen, options).
func appUDP(L *lua.LState, a *App) int {
	const name = "app:udp"
	a.mustBeWhole(L, name)
	address := L.CheckString(2)
	if listen.Check(address) != nil || strings.HasPrefix(address, "unix:") {
		bind.ArgError(L, name, 1, "an address with a port expected, as in \":53\", got %q", address)
	}
	o := bind.Options[udpOptions](L, name, 3)
	mustFit(L, name, checkZeros(L.CheckTable(3)))
	u := a.state.newStreamUpstream(L, name, "udp", "udp "+address, o.pool())
	if a.state.isolate.Number() != 0 {
		return 0
	}
	r, err := relay.NewUDP(relay.UDPOptions{Pool: streamPool{u.pool}, Idle: o.Idle, MaxSessions: o.MaxSessions, MaxPerIP: o.MaxPerIP, Logger: a.state.program.log()})
	if err != nil {
		bind.Raise(L, name, bind.Errorf("option", "%w", errors.New(strings.TrimPrefix(err.Error(), "udp: "))))
	}
	seen := &relayed{network: "udp", listen: address, source: fault.Where(L), stats: r.Stats}
	seen.add("", u)
	a.state.program.relays = append(a.state.program.relays, seen)
	a.state.program.streams = append(a.state.program.streams, server.Stream{Listen: address, Packets: r.ServePackets, Leave: r.Leave, Source: seen.source})
	return 0
}

// mustBeWhole raises for what has an address of its own and so belongs to no group or host.
func (a *App) mustBeWhole(L *lua.LState, name string) {
	a.mustLoad(L, name)
	if a.parent != nil || a.detached {
		fault.Raisef(L, "option", "%s: an address belongs to the whole app: call it on `app`, not on a group, a host or an app that is mounted", name)
	}
}

// newStreamUpstream is newUpstream for backends that are no URLs: "127.0.0.1:15432", and "unix:/x.sock"
// for TCP.
func (s *state) newStreamUpstream(L *lua.LState, name, scheme, label string, o poolOptions) *Upstream {
	o.scheme = scheme
	return s.newUpstream(L, name, label, o)
}

// streamMakers let a pool have backends that no request is sent to.
func streamMakers() map[string]upstream.Maker {
	none := func(transport.Options) (http.RoundTripper, error) { return noRequests{}, nil }
	return map[string]upstream.Maker{"tcp": none, "udp": none}
}

type noRequests struct{}

func (noRequests) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("this backend takes bytes, not requests")
}

// streamPool is a pool whose backends take connections.
type streamPool struct{ pool *upstream.Pool }

// Pick implements relay.Pool.
func (s streamPool) Pick(client netip.Addr, tried []relay.Lease) (relay.Lease, error) {
	before := make([]*upstream.Backend, len(tried))
	for i, t := range tried {
		before[i] = t.(streamLease).lease.Backend
	}
	r := &http.Request{RemoteAddr: netip.AddrPortFrom(client, 0).String(), URL: &url.URL{}} // which balancing goes by
	l, err := s.pool.Pick(r, before)
	return streamLease{l}, err
}

// streamLease is one connection.
type streamLease struct{ lease *upstream.Lease }

// Address implements relay.Lease.
func (s streamLease) Address() string {
	_, address, found := strings.Cut(s.lease.Backend.Name(), "://")
	if !found {
		return s.lease.Backend.Name() // "unix:/run/x.sock"
	}
	return address
}

// ServerName implements relay.Lease.
func (s streamLease) ServerName() string { return s.lease.Backend.URL().Hostname() }

// Done implements relay.Lease.
func (s streamLease) Done(failed bool) {
	kind := upstream.Success
	if failed {
		kind = upstream.Failure
	}
	s.lease.Done(upstream.Outcome{Kind: kind})
}

// ownTLS ends the TLS of clients by a certificate, whose files are looked at while the program runs; nil
// without one.
func (p *Program) ownTLS(cert, key string) (*tls.Config, error) {
	if cert == "" && key == "" {
		return nil, nil
	}
	if cert == "" || key == "" {
		return nil, errors.New(`options "cert" and "key": both files are needed (they may be the same)`)
	}
	store, err := certs.Open(certs.Options{Logger: p.log(), Poll: p.options.certPoll}, certs.Site{Pairs: []certs.Pair{{CertFile: p.path(cert), KeyFile: p.path(key)}}})
	if err != nil {
		return nil, err
	}
	if err := p.stores.atClose(store.Close); err != nil {
		return nil, err
	}
	p.certs = append(p.certs, store)
	return &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c, err := store.ConfigFor(hello)
		if err != nil {
			return nil, err
		}
		c = c.Clone()
		c.NextProtos = nil // what is spoken behind it is not ours
		return c, nil
	}}, nil
}

// startCertificates begins to look at the files, which ends when the program is closed.
func (p *Program) startCertificates(ctx context.Context) error {
	for _, store := range p.certs {
		if err := store.Start(ctx, certs.Ports{}); err != nil {
			return err
		}
	}
	return nil
}

// backendTLS is how backends of streams are spoken to. Their pools, whose checks go by it too, warn of what is
// not verified.
func (p *Program) backendTLS(o *backendTLS) (*tls.Config, error) {
	c, err := upstream.TLS{CA: p.optionalPath(o.CA), Cert: p.optionalPath(o.Cert), Key: p.optionalPath(o.Key), ServerName: o.ServerName}.Client("stream", p.log())
	if err == nil {
		c.InsecureSkipVerify = o.Insecure
	}
	return c, err
}

// withScheme completes an address: "127.0.0.1:15432" is none of a URL.
func withScheme(scheme, address string) (string, error) {
	switch {
	case scheme == "udp" && strings.HasPrefix(address, "unix:"):
		return "", fmt.Errorf("%q: datagrams go to an address with a port, as \"10.0.0.7:53\", and to no unix socket", address)
	case scheme == "" || strings.HasPrefix(address, "unix:") || strings.HasPrefix(address, "file:") || strings.HasPrefix(address, scheme+"://"):
		return address, nil
	case strings.HasPrefix(address, "srv+") || strings.HasPrefix(address, "dns+"):
		return address, nil
	case strings.Contains(address, "://"):
		return "", fmt.Errorf("%q: an address such as \"127.0.0.1:15432\" expected", address)
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", fmt.Errorf("%q: an address with a port expected, as in \"127.0.0.1:15432\"", address)
	}
	return scheme + "://" + address, nil
}
