package certs

import (
	"net/netip"
	"slices"
)

// Serves reports whether the host of a request, with a port or without, is one that the sites are
// about: one of their hosts, or in a certificate of theirs. This machine itself is always. Where a site
// may have certificates for any name, as one with Rest, all are.
func (s *Store) Serves(host string) bool {
	name := CleanName(HostName(host))
	ip, err := netip.ParseAddr(name)
	if name == "localhost" || err == nil && ip.IsLoopback() || slices.ContainsFunc(s.sites, (*site).any) {
		return true
	}
	if s.current.Load().has(name) {
		return true
	}
	return err == nil && slices.ContainsFunc(s.sites, func(one *site) bool { return one.hasAddress(name) })
}

// any reports whether there may be a certificate for any name.
func (s *site) any() bool {
	return s.spec.Rest || s.spec.Source != nil && len(s.spec.Hosts) == 0
}

// hasAddress reports whether a certificate is for an address, where the hosts are those in it.
func (s *site) hasAddress(ip string) bool {
	t := s.table.Load()
	if t == nil || len(s.spec.Hosts) > 0 {
		return false
	}
	for _, c := range t.certs {
		if c.Leaf != nil && c.Leaf.VerifyHostname(ip) == nil {
			return true
		}
	}
	return false
}
