package upstream

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"time"

	"rws/server/cookie"
	"rws/server/exchange"
)

// Sticky keeps a client at its backend by a cookie, which names the backend by a hash: it tells
// nothing about the network, and one that is made up or out of date only means that the client is
// given another. The cookie is HttpOnly, SameSite=Lax, and Secure when the client came over TLS.
type Sticky struct {
	// Cookie is its name; empty for none.
	Cookie string
	// MaxAge is how long the browser keeps it; 0 until it is closed.
	MaxAge time.Duration
	// Path limits it; default "/".
	Path string
}

func (s Sticky) options() cookie.Options {
	return cookie.Options{Path: s.Path, MaxAge: s.MaxAge}
}

func (s Sticky) check() error {
	if s.Cookie == "" {
		if s.MaxAge != 0 || s.Path != "" {
			return fmt.Errorf("sticky needs the name of a cookie")
		}
		return nil
	}
	if s.MaxAge < 0 {
		return fmt.Errorf("sticky cookie %q: a max age of %v would delete it", s.Cookie, s.MaxAge)
	}
	if err := cookie.Set(http.Header{}, s.Cookie, "x", s.options(), true); err != nil {
		return fmt.Errorf("sticky: %w", err)
	}
	return nil
}

// tag is what the cookie calls a backend.
func (s Sticky) tag(pool, backend string) string {
	if s.Cookie == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("rws sticky\x00" + pool + "\x00" + backend))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// stuck leases the backend that the cookie of r names, if it can take r. One that is full is waited
// for by nobody: another takes the request, this once.
func (s *set) stuck(p *Pool, r *http.Request, tried []*Backend) *Lease {
	if p.o.Sticky.Cookie == "" {
		return nil
	}
	tag, ok := cookie.Get(r.Header, p.o.Sticky.Cookie)
	if !ok || tag == "" {
		return nil
	}
	i := slices.IndexFunc(s.backends, func(b *Backend) bool { return b.tag == tag })
	if i < 0 || slices.Contains(tried, s.backends[i]) || !s.backends[i].able() {
		return nil
	}
	l := s.backends[i].lease()
	if l != nil {
		l.stuck = true
	}
	return l
}

// SetSticky writes the cookie by which the next request of this client finds the backend of l, if r
// has not brought it. Call it when the answer goes out.
func (p *Pool) SetSticky(h http.Header, l *Lease, r *http.Request) {
	if p.o.Sticky.Cookie == "" || l.stuck {
		return
	}
	e := exchange.From(r.Context())
	secure := r.TLS != nil || e != nil && e.Secure
	if err := cookie.Set(h, p.o.Sticky.Cookie, l.Backend.tag, p.o.Sticky.options(), secure); err != nil {
		p.log.Error("upstream: the sticky cookie cannot be set", "pool", p.o.Name, "err", err) // as a __Host- one without TLS
	}
}
