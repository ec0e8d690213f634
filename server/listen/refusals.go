package listen

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Refusals count connections that were closed because of the PROXY protocol. Safe for concurrent use.
type Refusals struct {
	untrusted atomic.Int64
	header    atomic.Int64

	mu   sync.Mutex
	told map[netip.Prefix]struct{} // peers that the log has heard of since
	from time.Time
}

// Untrusted is how many peers were none of [ProxyProtocol.Trusted].
func (r *Refusals) Untrusted() int64 { return r.untrusted.Load() }

// Header is how many trusted peers sent no header in time, or one that makes no sense.
func (r *Refusals) Header() int64 { return r.header.Load() }

// A log of refusals names each peer once in logEvery, and no more peers than maxTold: a flood must not fill it.
const (
	logEvery = time.Minute
	maxTold  = 50
)

func (r *Refusals) refuse(n *atomic.Int64, log *slog.Logger, peer net.Addr, why string) {
	n.Add(1)
	if r.mayTell(clientOf(peer), time.Now()) {
		log.Warn("refusing a connection: "+why+" (told once a minute for each peer)", "peer", peer.String())
	}
}

func (r *Refusals) mayTell(peer netip.Prefix, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.told == nil || now.Sub(r.from) >= logEvery {
		r.told, r.from = map[netip.Prefix]struct{}{}, now
	}
	if _, known := r.told[peer]; known || len(r.told) >= maxTold {
		return false
	}
	r.told[peer] = struct{}{}
	return true
}
