package middleware

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/gaissmai/bart"

	"rws/server/suggest"
)

// addresses is a set of client addresses.
type addresses struct {
	table   bart.Lite
	unix    bool // also clients without an address
	unknown bool // also those that a proxy does not name
	size    int
	words   []string // that may stand for clients, for errors
}

// words stand for other clients than an address does. Places that do not take all of them name theirs in
// errors: proxies have names, and networks have addresses.
var (
	words        = []string{"unix", "loopback", "private", "all", "unknown"}
	proxyWords   = words[:4]
	networkWords = words[1:4]
)

// named are words that stand for prefixes.
var named = map[string][]string{
	"all":      {"0.0.0.0/0", "::/0"},
	"loopback": {"127.0.0.0/8", "::1/128"},
	// RFC 1918, RFC 6598 is not among them, RFC 4193, and link-local ones.
	"private": {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "169.254.0.0/16", "fe80::/10"},
}

// parseAddresses reads a list of addresses, prefixes and words.
func parseAddresses(list []string) (*addresses, error) { return parseAmong(words, list) }

// parseAmong is parseAddresses where errors name other words. Who calls it refuses the rest.
func parseAmong(words, list []string) (*addresses, error) {
	a := &addresses{words: words}
	for _, text := range list {
		if err := a.add(strings.TrimSpace(text)); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *addresses) add(text string) error {
	a.size++
	switch text {
	case "unix":
		a.unix = true
		return nil
	case "unknown":
		a.unknown = true
		return nil
	}
	texts := named[text]
	if texts == nil {
		texts = []string{text}
	}
	for _, t := range texts {
		p, err := parsePrefix(t, a.words)
		if err != nil {
			return err
		}
		a.table.Insert(p)
	}
	return nil
}

// parsePrefix reads "192.0.2.0/24" or a single address. IPv4 in IPv6 form means IPv4. Its errors name the
// words that could stand there instead.
func parsePrefix(text string, words []string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf(`address %q%s: want an address, a prefix like "10.0.0.0/8", or one of %s`,
			text, suggest.DidYouMean(text, words), strings.Join(words, ", "))
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, fmt.Errorf("address %q: the prefix of an IPv4 address in IPv6 form has 96 bits or more; write it as IPv4", text)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return p, fmt.Errorf("address %q: bits are set beyond the prefix; did you mean %q, or the one address without the length?", text, p.Masked())
	}
	return p, nil
}

// isAddress reports whether a client has an address: not one on a unix socket, nor one that a trusted
// proxy does not name, for which [ClientIP] gives "::".
func isAddress(ip netip.Addr) bool { return ip.IsValid() && !ip.IsUnspecified() }

// has reports whether an address is in the set; one that is not valid is a client on a unix socket
// or in this process. One that no proxy names is in no prefix, "::/0" either.
func (a *addresses) has(ip netip.Addr) bool {
	switch {
	case !ip.IsValid():
		return a.unix
	case ip.IsUnspecified():
		return a.unknown
	}
	return a.table.Contains(ip.WithZone("").Unmap())
}

// maxList is the longest line of a list of addresses.
const maxList = 1 << 10

// readAddresses reads one address or prefix a line. "#" begins a comment.
func (a *addresses) readAddresses(src io.Reader, name string) error {
	lines := bufio.NewScanner(src)
	lines.Buffer(nil, maxList)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if err := a.add(text); err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	return nil
}
