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
)

// edgeCounters are the counters of the edge, which tallies counts.
var edgeCounters = []metrics.Reading{
	{Name: "rws_upstream_requests_total", Help: "Requests to a backend that ended.", Labels: ofBackends},
	{Name: "rws_upstream_failures_total", Help: "Requests that failed by fault of a backend.", Labels: ofBackends},
	{Name: "rws_proxy_requests_total", Help: "Requests to a proxied route.", Labels: ofProxies},
	{Name: "rws_proxy_retries_total", Help: "Requests that were sent again.", Labels: ofProxies},
	{Name: "rws_proxy_hedges_total", Help: "Requests for which another backend was asked too.", Labels: ofProxies},
	{Name: "rws_proxy_fallbacks_total", Help: "Requests that the fallback of the script answered.", Labels: ofProxies},
	{Name: "rws_proxy_upgrades_total", Help: "WebSockets and other upgrades.", Labels: ofProxies},
	{Name: "rws_proxy_failures_total", Help: "Requests for which no backend had a whole answer.", Labels: ofProxies},
	{Name: "rws_proxy_refused_total", Help: "Requests that clients did wrong.", Labels: ofProxies},
	{Name: "rws_proxy_left_total", Help: "Clients that left before the end of the answer.", Labels: ofProxies},
	{Name: "rws_canary_requests_total", Help: "Answers of both versions of a canary.", Labels: []string{"canary", "version", "result"}},
	{Name: "rws_mirror_requests_total", Help: "Requests that the shadow of a mirror got too.", Labels: ofMirrors},
	{Name: "rws_mirror_skipped_total", Help: "Requests that a mirror left out: too large, or the shadow was busy.", Labels: ofMirrors},
	{Name: "rws_mirror_differed_total", Help: "Answers in which the shadow differed.", Labels: ofMirrors},
	{Name: "rws_stream_connections_total", Help: "Connections of app:tcp, and clients of app:udp.", Labels: ofStreams},
	{Name: "rws_stream_failures_total", Help: "Of those, that found no backend.", Labels: ofStreams},
	{Name: "rws_stream_bytes_total", Help: "Bytes from clients (in) and to them (out).", Labels: []string{"network", "listen", "direction"}},
}

// readEdge adds the metrics of the edge.
func (k *kept) readEdge(m *metrics.Registry) error {
	var all []metrics.Reading
	for _, r := range edgeCounters {
		r.Counter = true
		r.Read = func(yield func(float64, ...string)) {
			for _, t := range k.ledger.read() {
				if t.name == r.Name {
					yield(t.count, t.labels...)
				}
			}
		}
		all = append(all, r)
	}
	all = append(all, k.refused.reading())
	return m.Read(append(all, k.edgeGauges()...)...)
}

// tallies are the counts of the edge in this program.
func (p *Program) tallies() (list []tally) {
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
	for _, u := range p.upstreams {
		for _, b := range u.pool.Status() {
			add("rws_upstream_requests_total", b.Requests, u.pool.Name(), b.Name)
			add("rws_upstream_failures_total", b.Failures, u.pool.Name(), b.Name)
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

// edgeGauges tell how things are in the present program. Streams and proxied requests of those before are
// added: they outlive it.
func (k *kept) edgeGauges() []metrics.Reading {
	backends := func(name, help string, value func(upstream.BackendStatus) (float64, bool)) metrics.Reading {
		return metrics.Reading{Name: name, Help: help, Labels: ofBackends, Read: func(yield func(float64, ...string)) {
			for _, u := range k.now().upstreams {
				for _, b := range u.pool.Status() {
					if v, ok := value(b); ok {
						yield(v, u.pool.Name(), b.Name)
					}
				}
			}
		}}
	}
	proxies := func(name, help string, value func(proxy.Stats) int64) metrics.Reading {
		return metrics.Reading{Name: name, Help: help, Labels: ofProxies, Read: func(yield func(float64, ...string)) {
			sums := map[[2]string]int64{}
			for _, p := range k.all() {
				for _, x := range p.proxied {
					sums[[2]string{x.route.label(), x.label()}] += value(x.handler.Stats())
				}
			}
			for labels, n := range sums {
				yield(float64(n), labels[:]...)
			}
		}}
	}
	canaries := func(name, help string, value func(proxy.CanaryState) float64) metrics.Reading {
		return metrics.Reading{Name: name, Help: help, Labels: []string{"canary"}, Read: func(yield func(float64, ...string)) {
			for _, t := range k.now().trials {
				yield(value(t.canary.State()), t.name)
			}
		}}
	}
	return []metrics.Reading{
		backends("rws_upstream_up", "1 while a backend gets requests.", func(b upstream.BackendStatus) (float64, bool) {
			return bit(b.State == "up" || b.State == string(upstream.Full)), true
		}),
		backends("rws_upstream_active", "Requests that a backend has.", func(b upstream.BackendStatus) (float64, bool) { return float64(b.Active), true }),
		backends("rws_upstream_ejected", "1 while failures keep a backend out.", func(b upstream.BackendStatus) (float64, bool) {
			return bit(b.State == string(upstream.Ejected)), b.Passive != nil
		}),
		backends("rws_upstream_breaker", "The circuit breaker: 0 closed, 1 half-open, 2 open.", func(b upstream.BackendStatus) (float64, bool) {
			if b.Breaker == nil {
				return 0, false
			}
			return breakerValue[b.Breaker.State], true
		}),
		backends("rws_upstream_connections", "Connections to a backend.", func(b upstream.BackendStatus) (float64, bool) { return float64(b.Conns.Open), b.Conns.Dials > 0 }),
		proxies("rws_proxy_active", "Requests that a proxied route has.", func(s proxy.Stats) int64 { return s.Active }),
		proxies("rws_proxy_tunnels", "WebSockets and other upgrades that are open.", func(s proxy.Stats) int64 { return s.Tunnels }),
		canaries("rws_canary_share", "The share of clients that get the new version.", func(s proxy.CanaryState) float64 { return s.Share }),
		canaries("rws_canary_rolled_back", "1 after a rollback.", func(s proxy.CanaryState) float64 { return bit(s.RolledBack) }),
		{Name: "rws_stream_open", Help: "Open connections of app:tcp, and clients of app:udp.", Labels: ofStreams, Read: func(yield func(float64, ...string)) {
			for _, r := range k.now().relays {
				yield(float64(k.open(r)), r.network, r.listen)
			}
		}},
	}
}

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
