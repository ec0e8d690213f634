package luabind

import (
	"sync"

	"rws/server/listen"
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

// read tells the metric of all.
func (r *refusals) read(yield func(string, float64, ...string)) {
	const name = "rws_proxy_protocol_refused_total"
	r.mu.Lock()
	defer r.mu.Unlock()
	for address, n := range r.at {
		yield(name, float64(n.Untrusted()), address, "untrusted")
		yield(name, float64(n.Header()), address, "header")
	}
}
