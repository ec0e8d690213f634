package certs

import (
	"crypto/tls"
	"net/netip"
	"strings"
)

// table is an immutable set of certificates with its index by name.
type table struct {
	certs  []*tls.Certificate // the first is the default
	byName map[string][]*tls.Certificate
}

func newTable(certs []*tls.Certificate) *table {
	t := &table{certs: certs, byName: map[string][]*tls.Certificate{}}
	for _, c := range certs {
		for _, name := range certNames(c) {
			t.byName[name] = append(t.byName[name], c)
		}
	}
	return t
}

// certNames returns the DNS names of a certificate in lower case, "*.example.com" for a wildcard.
// The common name counts only when there are no others (RFC 9525 §2 retired it).
func certNames(c *tls.Certificate) []string {
	if c.Leaf == nil {
		return nil
	}
	names := c.Leaf.DNSNames
	if len(names) == 0 && len(c.Leaf.IPAddresses) == 0 {
		names = []string{c.Leaf.Subject.CommonName}
	}
	lower := make([]string, len(names))
	for i, name := range names {
		lower[i] = strings.ToLower(name)
	}
	return lower
}

func (t *table) pick(hello *tls.ClientHelloInfo) *tls.Certificate {
	name := CleanName(hello.ServerName)
	if found := supported(t.byName[name], hello); found != nil {
		return found
	}
	// A wildcard stands for exactly one label (RFC 9525 §6.3).
	if _, parent, ok := strings.Cut(name, "."); ok {
		if found := supported(t.byName["*."+parent], hello); found != nil {
			return found
		}
	}
	if name == "" && hello.Conn != nil {
		if found := supported(t.forAddress(addressOf(hello.Conn.LocalAddr())), hello); found != nil {
			return found
		}
	}
	return t.certs[0]
}

// forAddress returns the certificates for an address.
func (t *table) forAddress(ip netip.Addr) (found []*tls.Certificate) {
	for _, c := range t.certs {
		if ip.IsValid() && c.Leaf != nil && c.Leaf.VerifyHostname(ip.String()) == nil {
			found = append(found, c)
		}
	}
	return found
}

// supported returns the first certificate that the client can verify; if there is none, the
// first, so that the client gets to say what it misses.
func supported(certs []*tls.Certificate, hello *tls.ClientHelloInfo) *tls.Certificate {
	if len(certs) == 0 {
		return nil
	}
	if len(certs) == 1 { // nothing to choose; saves the check
		return certs[0]
	}
	for _, c := range certs {
		if hello.SupportsCertificate(c) == nil {
			return c
		}
	}
	return certs[0]
}
