package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// index finds the site of a name. It is immutable.
type index struct {
	sites  []*site
	first  *site // for clients that send no name
	rest   *site // for names that no site has
	byName map[string]*site
	rules  bool // one of the sites has some, see site.strictness
}

// newIndex refuses names that two sites claim, or that two have a certificate for while they ask
// different things of clients: which of them counts must not depend on their order.
func newIndex(sites []*site) (*index, error) {
	x := &index{sites: sites, first: sites[0], rest: sites[0], byName: map[string]*site{}}
	claimed := map[string]bool{}
	for _, given := range []bool{true, false} {
		for _, s := range sites {
			names, stated := s.hosts()
			if stated != given {
				continue
			}
			for _, name := range names {
				name = CleanName(name)
				other := x.byName[name]
				switch {
				case other == nil:
					x.byName[name], claimed[name] = s, given
				case other == s:
				case given:
					return nil, fmt.Errorf("two sites are for the host %q", name)
				case !claimed[name] && !other.sameRules(s):
					return nil, fmt.Errorf("two certificates are for the host %q, and they ask different things of clients: name the hosts of each", name)
				}
			}
		}
	}
	for _, s := range sites {
		x.rules = x.rules || s.strictness() > 0
		if !s.spec.Rest {
			continue
		}
		if x.rest.spec.Rest && x.rest != s {
			return nil, errors.New("two sites take the names that no site has")
		}
		x.rest = s
	}
	return x, nil
}

// find is the site whose rules are those of a name. That is the one that has it; else one with a wildcard
// that the name is anywhere below and with rules for clients: routes and listeners take a wildcard for all
// names below it, so that with another label nobody may get past them. The certificate does not fit such a
// name, which the client has to judge.
func (x *index) find(name string) *site {
	name = CleanName(name)
	if name == "" {
		return x.first
	}
	if s := x.named(name); s != nil {
		return s
	}
	if s := x.above(name); s != nil {
		return s
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		if s := x.ofAddress(ip); s != nil {
			return s
		}
	}
	return x.rest
}

// asked is the site of a connection: by the server name, or else by the address that the client came to.
func (x *index) asked(hello *tls.ClientHelloInfo) *site {
	if hello.ServerName == "" && hello.Conn != nil {
		if s := x.ofAddress(addressOf(hello.Conn.LocalAddr())); s != nil {
			return s
		}
	}
	return x.find(hello.ServerName)
}

// ofAddress is the site for an address, or else the first that states no hosts and has a certificate for it; nil for none.
func (x *index) ofAddress(ip netip.Addr) *site {
	if !ip.IsValid() {
		return nil
	}
	if s := x.byName[ip.String()]; s != nil {
		return s
	}
	for _, s := range x.sites {
		if _, stated := s.hosts(); !stated && s.hasAddress(ip.String()) {
			return s
		}
	}
	return nil
}

// addressOf is the IP address of an end of a connection; not valid for one that has none.
func addressOf(a net.Addr) netip.Addr {
	var at netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		at = a.AddrPort()
	case *net.UDPAddr: // of QUIC
		at = a.AddrPort()
	}
	return at.Addr().Unmap().WithZone("")
}

// above is the strictest site with a wildcard that a name is below; nil when none of them has rules.
func (x *index) above(name string) (found *site) {
	if !x.rules {
		return nil
	}
	strictest := 0
	for _, parent, ok := strings.Cut(name, "."); ok; _, parent, ok = strings.Cut(parent, ".") {
		if s := x.byName["*."+parent]; s != nil && s.strictness() > strictest {
			found, strictest = s, s.strictness()
		}
	}
	return found
}

// named is the site that has a name, by the very name or by a wildcard, which stands for exactly one label
// (RFC 9525 §6.3); nil for none.
func (x *index) named(name string) *site {
	if s := x.byName[name]; s != nil {
		return s
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		return x.byName["*."+parent]
	}
	return nil
}

// has reports whether a site has a name.
func (x *index) has(name string) bool { return name != "" && x.named(name) != nil }

// CleanName is the name of a host in lower case without the dot at its end, or an address as it is written best
// (RFC 5952).
func CleanName(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !strings.Contains(name, ":") { // only those of IPv6 are written in many ways
		return name
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Unmap().WithZone("").String()
	}
	return name
}

// HostName is a Host header without the port, and an IPv6 address in it without brackets.
func HostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.Trim(host, "[]")
}
