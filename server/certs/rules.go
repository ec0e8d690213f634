package certs

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"slices"
)

// Misdirected reports whether a request for a host must be answered 421 (RFC 9110 §15.5.20), because its
// connection does not keep the rules of the host: it was opened for a name of which other client
// certificates are asked, in a version of TLS that the host does not have, or before the host began to ask
// for this. Otherwise whoever may connect to one host could get past the rules of another by its Host
// header.
func (s *Store) Misdirected(conn *tls.ConnectionState, host string) bool {
	x := s.current.Load()
	if !x.rules {
		return false
	}
	name := HostName(host)
	to := x.find(name)
	if conn.ServerName == "" && x.isAddress(name, to) { // the connection was for it, or admits keeps it out
		return !to.admits(conn)
	}
	return x.find(conn.ServerName).authKey != to.authKey || !to.admits(conn)
}

// isAddress reports whether a host is an address that s is the site of.
func (x *index) isAddress(host string, s *site) bool {
	ip, err := netip.ParseAddr(CleanName(host))
	return err == nil && x.ofAddress(ip) == s
}

// Wants reports whether a host, with a port or without, is that of a site, or below one with a wildcard, whose
// clients have to show a certificate: it is not served without TLS.
func (s *Store) Wants(host string) bool {
	x := s.current.Load()
	if !x.rules {
		return false
	}
	name := CleanName(HostName(host))
	to := x.named(name)
	if to == nil {
		to = x.above(name)
	}
	return to != nil && to.spec.Client.Mode == Require
}

// Newest is the newest version of TLS that a host, with a port or without, has.
func (s *Store) Newest(host string) uint16 {
	if x := s.current.Load(); x.rules {
		if newest := x.find(HostName(host)).spec.Max; newest != 0 {
			return newest
		}
	}
	return tls.VersionTLS13
}

// strictness tells how much a site wants of clients beyond what all do; 0 for nothing.
func (s *site) strictness() int {
	switch {
	case s.spec.Client.Mode == Require:
		return 3
	case s.spec.Client.Mode == Optional:
		return 2
	case s.oldest() > tls.VersionTLS12 || s.spec.Max != 0:
		return 1
	}
	return 0
}

func (s *site) oldest() uint16 { return max(s.spec.Min, tls.VersionTLS12) }

func (s *site) sameRules(other *site) bool {
	return s.authKey == other.authKey && s.oldest() == other.oldest() && s.spec.Max == other.spec.Max
}

// admits reports whether a connection keeps the rules of the site.
func (s *site) admits(conn *tls.ConnectionState) bool {
	if conn.Version < s.oldest() || s.spec.Max != 0 && conn.Version > s.spec.Max {
		return false
	}
	if len(conn.VerifiedChains) == 0 {
		return s.spec.Client.Mode != Require
	}
	roots := s.policy.Load().roots
	return roots == nil || roots.vouch(conn.VerifiedChains)
}

// vouch reports whether one of the authorities as they are now has signed a certificate: they may have
// been others when the connection was opened.
func (a *authorities) vouch(chains [][]*x509.Certificate) bool {
	return slices.ContainsFunc(chains, func(chain []*x509.Certificate) bool {
		return slices.ContainsFunc(a.certs, chain[len(chain)-1].Equal)
	})
}
