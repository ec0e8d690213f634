package luabind

import (
	"cmp"
	"slices"

	"rws/server/metrics"
	"rws/server/proxy"
	"rws/server/proxy/breaker"
	"rws/server/proxy/upstream"
)

// Labels of the metrics of the edge.
var (
	ofBackends = []string{"upstream", "backend"}
	ofProxies  = []string{"route", "to"}
	ofMirrors  = []string{"route"}
	ofStreams  = []string{"network", "listen"}
	ofCanaries = []string{"canary"}
)

// edge is the metrics of the edge.
func (k *kept) edge() metrics.Reading {
	return metrics.Reading{Metrics: slices.Concat(edgeCounters, edgeGauges), Read: k.readEdge}
}

// edgeCounters are the counters of the edge, which tallies counts, and refusals.
var edgeCounters = []metrics.Metric{
	{Name: "rws_upstream_requests_total", Counter: true, Help: "Requests to a backend that ended.", Labels: ofBackends},
	{Name: "rws_upstream_failures_total", Counter: true, Help: "Requests that failed by fault of a backend.", Labels: ofBackends},
	{Name: "rws_proxy_requests_total", Counter: true, Help: "Requests to a proxied route.", Labels: ofProxies},
	{Name: "rws_proxy_retries_total", Counter: true, Help: "Requests that were sent again.", Labels: ofProxies},
	{Name: "rws_proxy_hedges_total", Counter: true, Help: "Requests for which another backend was asked too.", Labels: ofProxies},
	{Name: "rws_proxy_fallbacks_total", Counter: true, Help: "Requests that the fallback of the script answered.", Labels: ofProxies},
	{Name: "rws_proxy_upgrades_total", Counter: true, Help: "WebSockets and other upgrades.", Labels: ofProxies},
	{Name: "rws_proxy_failures_total", Counter: true, Help: "Requests for which no backend had a whole answer.", Labels: ofProxies},
	{Name: "rws_proxy_refused_total", Counter: true, Help: "Requests that clients did wrong.", Labels: ofProxies},
	{Name: "rws_proxy_left_total", Counter: true, Help: "Clients that left before the end of the answer.", Labels: ofProxies},
	{Name: "rws_canary_requests_total", Counter: true, Help: "Answers of both versions of a canary.", Labels: []string{"canary", "version", "result"}},
	{Name: "rws_mirror_requests_total", Counter: true, Help: "Requests that the shadow of a mirror got too.", Labels: ofMirrors},
	{Name: "rws_mirror_skipped_total", Counter: true, Help: "Requests that a mirror left out: too large, or the shadow was busy.", Labels: ofMirrors},
	{Name: "rws_mirror_differed_total", Counter: true, Help: "Answers in which the shadow differed.", Labels: ofMirrors},
	{Name: "rws_stream_connections_total", Counter: true, Help: "Connections of app:tcp, and clients of app:udp.", Labels: ofStreams},
	{Name: "rws_stream_failures_total", Counter: true, Help: "Of those, that found no backend.", Labels: ofStreams},
	{Name: "rws_stream_bytes_total", Counter: true, Help: "Bytes from clients (in) and to them (out).", Labels: []string{"network", "listen", "direction"}},
	{Name: "rws_proxy_protocol_refused_total", Counter: true, Labels: []string{"listen", "reason"},
		Help: "Connections refused because of the PROXY protocol: the peer is not trusted (untrusted), or sent no proper header (header)."},
}

// edgeGauges tell how things are in the present program.
var edgeGauges = []metrics.Metric{
	{Name: "rws_upstream_up", Help: "1 while a backend gets requests.", Labels: ofBackends},
	{Name: "rws_upstream_active", Help: "Requests that a backend has.", Labels: ofBackends},
	{Name: "rws_upstream_ejected", Help: "1 while failures keep a backend out.", Labels: ofBackends},
	{Name: "rws_upstream_breaker", Help: "The circuit breaker: 0 closed, 1 half-open, 2 open.", Labels: ofBackends},
	{Name: "rws_upstream_connections", Help: "Connections to a backend.", Labels: ofBackends},
	{Name: "rws_proxy_active", Help: "Requests that a proxied route has.", Labels: ofProxies},
	{Name: "rws_proxy_tunnels", Help: "WebSockets and other upgrades that are open.", Labels: ofProxies},
	{Name: "rws_canary_share", Help: "The share of clients that get the new version.", Labels: ofCanaries},
	{Name: "rws_canary_rolled_back", Help: "1 after a rollback.", Labels: ofCanaries},
	{Name: "rws_stream_open", Help: "Open connections of app:tcp, and clients of app:udp.", Labels: ofStreams},
}

// readEdge tells all metrics of the edge.
func (k *kept) readEdge(yield func(string, float64, ...string)) {
	counts, pools := k.ledger.read()
	for _, t := range counts {
		yield(t.name, t.count, t.labels...)
	}
	k.refused.read(yield)
	for _, p := range pools {
		p.gauges(yield)
	}
	k.flowing(yield)
	for _, t := range k.now().trials {
		s := t.canary.State()
		yield("rws_canary_share", s.Share, t.name)
		yield("rws_canary_rolled_back", bit(s.RolledBack), t.name)
	}
}

// A poolState is how the backends of an upstream are at one moment.
type poolState struct {
	name     string
	backends []upstream.BackendStatus
}

func (p *Program) poolStates() []poolState {
	all := make([]poolState, len(p.upstreams))
	for i, u := range p.upstreams {
		all[i] = poolState{u.pool.Name(), u.pool.Status()}
	}
	return all
}

func (p *poolState) gauges(yield func(string, float64, ...string)) {
	for _, b := range p.backends {
		yield("rws_upstream_up", bit(b.State == "up" || b.State == string(upstream.Full)), p.name, b.Name)
		yield("rws_upstream_active", float64(b.Active), p.name, b.Name)
		if b.Passive != nil {
			yield("rws_upstream_ejected", bit(b.State == string(upstream.Ejected)), p.name, b.Name)
		}
		if b.Breaker != nil {
			yield("rws_upstream_breaker", breakerValue[b.Breaker.State], p.name, b.Name)
		}
		if b.Conns.Dials > 0 {
			yield("rws_upstream_connections", float64(b.Conns.Open), p.name, b.Name)
		}
	}
}

// flowing tells what is under way. Streams and proxied requests of programs before are added: they outlive it.
func (k *kept) flowing(yield func(string, float64, ...string)) {
	type sums struct{ active, tunnels int64 }
	proxies := map[[2]string]sums{}
	for _, p := range k.all() {
		for _, x := range p.proxied {
			at, s := [2]string{x.route.label(), x.label()}, x.handler.Stats()
			sum := proxies[at]
			proxies[at] = sums{sum.active + s.Active, sum.tunnels + s.Tunnels}
		}
	}
	for at, sum := range proxies {
		yield("rws_proxy_active", float64(sum.active), at[:]...)
		yield("rws_proxy_tunnels", float64(sum.tunnels), at[:]...)
	}
	for _, r := range k.now().relays {
		yield("rws_stream_open", float64(k.open(r)), r.network, r.listen)
	}
}

// counts are the counts of the edge in this program now.
func (p *Program) counts() []tally { return p.tallies(p.poolStates()) }

// tallies are the counts of the edge in this program, whose backends are in these states.
func (p *Program) tallies(pools []poolState) (list []tally) {
	at := map[string]int{}
	add := func(name string, n uint64, labels ...string) {
		t := tally{name, labels, float64(n)}
		if i, twice := at[t.key()]; twice { // routes for several methods in one place
			list[i].count += t.count
			return
		}
		at[t.key()] = len(list)
		list = append(list, t)
	}
	for _, u := range pools {
		for _, b := range u.backends {
			add("rws_upstream_requests_total", b.Requests, u.name, b.Name)
			add("rws_upstream_failures_total", b.Failures, u.name, b.Name)
		}
	}
	for _, x := range p.proxied {
		s, route, to := x.handler.Stats(), x.route.label(), x.label()
		for name, n := range map[string]uint64{"requests": s.Requests, "retries": s.Retries, "hedges": s.Hedges, "fallbacks": x.fallbacks.Load(),
			"upgrades": s.Upgrades, "failures": s.Failed, "refused": s.Refused, "left": s.Left} {
			add("rws_proxy_"+name+"_total", n, route, to)
		}
	}
	for _, t := range p.trials {
		s := t.canary.State()
		for version, n := range map[string]proxy.CanaryCount{"old": s.Old, "new": s.New} {
			add("rws_canary_requests_total", n.Requests-n.Errors, t.name, version, "ok")
			add("rws_canary_requests_total", n.Errors, t.name, version, "error")
		}
	}
	for _, m := range p.mirrored {
		s, route := m.mirror.Stats(), m.route.label()
		add("rws_mirror_requests_total", s.Mirrored, route)
		add("rws_mirror_skipped_total", s.Skipped, route)
		add("rws_mirror_differed_total", s.Differed, route)
	}
	for _, r := range p.relays {
		s := r.stats()
		add("rws_stream_connections_total", uint64(s.Total), r.network, r.listen)
		add("rws_stream_failures_total", uint64(s.Failed), r.network, r.listen)
		add("rws_stream_bytes_total", uint64(s.In), r.network, r.listen, "in")
		add("rws_stream_bytes_total", uint64(s.Out), r.network, r.listen, "out")
	}
	return list
}

// label is the route in metrics.
func (r *route) label() string { return r.host + r.pattern }

// label is what a handler leads to, in metrics.
func (x *proxied) label() string { return cmp.Or(x.role, "backends") }

var breakerValue = map[breaker.State]float64{breaker.Closed: 0, breaker.HalfOpen: 1, breaker.Open: 2}

func bit(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// now is the present program, one without anything before there is any.
func (k *kept) now() *Program {
	if p := k.present.Load(); p != nil {
		return p
	}
	return &Program{}
}

// all are the programs that have begun and are not closed.
func (k *kept) all() []*Program {
	k.ledger.mu.Lock()
	defer k.ledger.mu.Unlock()
	return slices.Clone(k.ledger.living)
}

// open are the connections of an address. Those of programs before outlive a reload.
func (k *kept) open(r *relayed) (n int64) {
	for _, p := range k.all() {
		for _, other := range p.relays {
			if other.network == r.network && other.listen == r.listen {
				n += other.stats().Open
			}
		}
	}
	return n
}
