package middleware

import (
	"fmt"
	"net/netip"
	"strings"
)

// Prefixes reads a list of addresses, prefixes, and the words "loopback", "private" and "all", as
// [ClientIP] does for Trusted. The other words of that stand for no address, and are refused.
func Prefixes(list []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range list {
		text = strings.TrimSpace(text)
		if text == "unix" || text == "unknown" {
			return nil, fmt.Errorf("trusted: %q stands for no address: name the proxies by theirs, as in \"10.0.0.0/8\"", text)
		}
		texts := named[text]
		if texts == nil {
			texts = []string{text}
		}
		for _, t := range texts {
			p, err := parsePrefix(t, networkWords)
			if err != nil {
				return nil, fmt.Errorf("trusted: %w", err)
			}
			all = append(all, p)
		}
	}
	return all, nil
}
