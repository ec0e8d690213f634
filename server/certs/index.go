package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
)

// index finds the site of a name. It is immutable.
type index struct {
	first  *site // for clients that send no name
	rest   *site // for names that no site has
	byName map[string]*site
	asks   bool // one of the sites asks for client certificates
}

// newIndex refuses names that two sites claim, or that two have a certificate for while they ask
// different things of clients: which of them counts must not depend on their order.
func newIndex(sites []*site) (*index, error) {
	x := &index{first: sites[0], rest: sites[0], byName: map[string]*site{}}
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
				case !claimed[name] && other.authKey != s.authKey:
					return nil, fmt.Errorf("two certificates are for the host %q, and they ask different things of clients: name the hosts of each", name)
				}
			}
		}
	}
	for _, s := range sites {
		x.asks = x.asks || s.authKey != ""
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

// find looks for the very name, then for a wildcard: it stands for exactly one label (RFC 9525
// §6.3).
func (x *index) find(name string) *site {
	name = CleanName(name)
	if name == "" {
		return x.first
	}
	if s := x.named(name); s != nil {
		return s
	}
	return x.rest
}

// named is the site that has a name, nil for none.
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

// CleanName is the name of a host in lower case without the dot at its end.
func CleanName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// HostName is a Host header without the port, and an IPv6 address in it without brackets.
func HostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.Trim(host, "[]")
}

// Misdirected reports whether a request for a host must be answered 421 (RFC 9110 §15.5.20),
// because its connection was opened for a name of which other client certificates are asked, or
// before the host began to ask for one. Otherwise whoever may connect to one host could get past
// the certificates of another by its Host header.
func (s *Store) Misdirected(conn *tls.ConnectionState, host string) bool {
	x := s.current.Load()
	if !x.asks {
		return false
	}
	to := x.find(HostName(host))
	if x.find(conn.ServerName).authKey != to.authKey {
		return true
	}
	return to.spec.Client.Mode == Require && len(conn.VerifiedChains) == 0
}
