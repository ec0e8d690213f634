package basic

import (
	"net/netip"
	"sync"
	"time"

	"rws/server/secret"
)

// maxRemembered bounds how many passwords are remembered at once.
const maxRemembered = 4096

// fingerprint of a name with its password and its hash, which nobody can make or check without
// the keys of this process. A changed hash makes another.
type fingerprint [secret.MACSize]byte

func (g *Guard) key(name, pass, hash string) (f fingerprint) {
	// No hash has a 0 in it, so no other split is the same.
	copy(f[:], g.keys.Sign(name, []byte(hash+"\x00"+pass)))
	return f
}

// remembered are passwords that were right.
type remembered struct {
	mu   sync.RWMutex
	list map[fingerprint]time.Time // until when
}

func (m *remembered) has(f fingerprint) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return time.Now().Before(m.list[f])
}

func (m *remembered) add(f fingerprint, d time.Duration) {
	if d < 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.list == nil {
		m.list = map[fingerprint]time.Time{}
	}
	now := time.Now()
	if len(m.list) >= maxRemembered {
		for other, until := range m.list {
			if !now.Before(until) || len(m.list) >= maxRemembered {
				delete(m.list, other)
			}
		}
	}
	m.list[f] = now.Add(d)
}

// clientKey is what counts as one client: an address, or 2^64 of IPv6, which anybody has.
func clientKey(ip netip.Addr) string {
	if ip = ip.Unmap(); !ip.Is6() {
		return ip.String()
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil { // it cannot be
		return ip.String()
	}
	return prefix.String()
}
