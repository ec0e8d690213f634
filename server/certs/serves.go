package certs

import (
	"crypto/tls"
	"net/netip"
	"slices"
)

// Signer is a [Source] that makes certificates for more than the hosts of its site.
type Signer interface {
	// Signs reports whether it makes them for a name or an address, in lower case.
	Signs(name string) bool
}

// Serves reports whether the host of a request, with a port or without, is one that there is a certificate
// for. localhost always is, which is this machine. Where a site may have certificates for any name, as one
// with Rest, all names are, but no address, by which no client asks for a certificate.
func (s *Store) Serves(host string) bool {
	name := CleanName(HostName(host))
	if name == "localhost" || s.current.Load().has(name) {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return slices.ContainsFunc(s.sites, func(one *site) bool {
		if one.signs(name) {
			return true
		}
		if err == nil {
			return one.hasAddress(ip.Unmap().String())
		}
		return one.spec.Rest || one.spec.Source != nil && len(one.spec.Hosts) == 0
	})
}

// signs reports whether the source makes a certificate for a name.
func (s *site) signs(name string) bool {
	signer, ok := s.spec.Source.(Signer)
	return ok && signer.Signs(name)
}

// hasAddress reports whether a certificate is for an address.
func (s *site) hasAddress(ip string) bool {
	t := s.table.Load()
	return t != nil && slices.ContainsFunc(t.certs, func(c *tls.Certificate) bool { return c.Leaf != nil && c.Leaf.VerifyHostname(ip) == nil })
}
