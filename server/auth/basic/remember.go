package basic

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"
)

// maxRemembered bounds how many passwords are remembered at once.
const maxRemembered = 4096

func newSecret() []byte {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	return secret
}

// fingerprint of a name with its password and its hash, which nobody can make or check without
// the secret of this process. A changed hash makes another.
type fingerprint [sha256.Size]byte

func (g *Guard) key(name, pass, hash string) (f fingerprint) {
	mac := hmac.New(sha256.New, g.secret)
	var size [8]byte
	for _, part := range []string{name, pass, hash} { // with its length, so that no other split is the same
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		mac.Write(size[:])
		mac.Write([]byte(part))
	}
	mac.Sum(f[:0])
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
	if !ip.Is6() {
		return ip.String()
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil { // it cannot be
		return ip.String()
	}
	return prefix.String()
}
