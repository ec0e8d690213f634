package middleware

import (
	"fmt"
	"net/netip"
)

// Prefixes reads a list of addresses, prefixes, and the words "loopback", "private" and "all", as
// [ClientIP] does for Trusted.
func Prefixes(list []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range list {
		texts := named[text]
		if texts == nil {
			texts = []string{text}
		}
		for _, t := range texts {
			p, err := parsePrefix(t)
			if err != nil {
				return nil, fmt.Errorf("trusted: %w", err)
			}
			all = append(all, p)
		}
	}
	return all, nil
}
