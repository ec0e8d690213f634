package luabind

import (
	"sync"

	"rws/server/listen"
	"rws/server/metrics"
)

// refusals count, by address, whom the PROXY protocol keeps out. They outlive reloads, as the addresses do.
type refusals struct {
	mu sync.Mutex
	at map[string]*listen.Refusals
}

// of is the count of an address.
func (r *refusals) of(address string) *listen.Refusals {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = map[string]*listen.Refusals{}
	}
	if r.at[address] == nil {
		r.at[address] = &listen.Refusals{}
	}
	return r.at[address]
}

// reading is the metric of all.
func (r *refusals) reading() metrics.Reading {
	return metrics.Reading{Name: "rws_proxy_protocol_refused_total", Counter: true, Labels: []string{"listen", "reason"},
		Help: "Connections refused because of the PROXY protocol: the peer is not trusted (untrusted), or sent no proper header (header).",
		Read: func(yield func(float64, ...string)) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for address, n := range r.at {
				yield(float64(n.Untrusted()), address, "untrusted")
				yield(float64(n.Header()), address, "header")
			}
		}}
}
