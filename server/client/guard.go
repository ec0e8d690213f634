package client

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
)

type (
	proxyFunc   = func(*http.Request) (*url.URL, error)
	controlFunc = func(network, address string, _ syscall.RawConn) error
)

// guard refuses connections to addresses that are not on the public internet. It sits where
// the dialer has resolved the name and is about to connect, so a name cannot change between
// the check and the connection.
type guard struct{ allow []netip.Prefix }

// deniedError is the refusal of an address.
type deniedError struct{ ip netip.Addr }

func (e *deniedError) Error() string {
	return fmt.Sprintf("%s is a private address", e.ip)
}

func (g guard) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("checking the address %q: %w", address, err)
	}
	ip := ap.Addr().WithZone("").Unmap()
	if isPublic(ip) || slices.ContainsFunc(g.allow, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return nil
	}
	return &deniedError{ip}
}

// nat64 is the prefix that carries IPv4 addresses over IPv6-only networks (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// isPublic reports whether ip is a unicast address of the public internet.
func isPublic(ip netip.Addr) bool {
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	return !slices.ContainsFunc(nonPublic, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// nonPublic are the special-purpose blocks of IANA (RFC 6890 and its registries) and what
// clouds put on public addresses for their own machines.
var nonPublic = prefixes(
	"0.0.0.0/8",        // this network; 0.0.0.0 connects to the machine itself
	"10.0.0.0/8",       // private (RFC 1918)
	"100.64.0.0/10",    // shared, CGNAT (RFC 6598); metadata service of Alibaba
	"127.0.0.0/8",      // loopback
	"168.63.129.16/32", // platform services of Azure
	"169.254.0.0/16",   // link-local (RFC 3927); metadata service of most clouds
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocol assignments; metadata service of Oracle
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // 6to4 relays, retired
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // benchmarking
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, broadcast
	"::/96",            // unspecified, loopback, IPv4-compatible (retired)
	"64:ff9b:1::/48",   // NAT64 for local use (RFC 8215)
	"100::/64",         // discard
	"2001::/23",        // protocol assignments, Teredo, ORCHID
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4, retired: carries any IPv4 address
	"3fff::/20",        // documentation
	"5f00::/16",        // segment routing
	"fc00::/7",         // unique local (RFC 4193); metadata service of AWS
	"fe80::/10",        // link-local
	"fec0::/10",        // site-local, retired
	"ff00::/8",         // multicast
)

func prefixes(text ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(text))
	for i, s := range text {
		list[i] = netip.MustParsePrefix(s)
	}
	return list
}
