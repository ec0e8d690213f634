package middleware

import (
	"fmt"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// hostPattern is a host in lower case without port, with a "." in front for all below it, or "" for any.
type hostPattern string

func parseHostPattern(host string) (hostPattern, error) {
	name, wild := strings.CutPrefix(host, "*.")
	if host == "" {
		return "", nil
	}
	if name == "" || strings.ContainsAny(name, "*/:@ ") || !httpguts.ValidHostHeader(name) {
		return "", fmt.Errorf(`host %q: want "a.example.com" or "*.example.com", without a port`, host)
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if wild {
		name = "." + name
	}
	return hostPattern(name), nil
}

func (p hostPattern) matches(host string) bool {
	if p == "" {
		return true
	}
	host = plainHost(host)
	if p[0] == '.' {
		return len(host) > len(p) && strings.HasSuffix(host, string(p))
	}
	return host == string(p)
}

// plainHost is a Host header in lower case, without port and final dot.
func plainHost(host string) string {
	if !strings.HasPrefix(host, "[") {
		host, _, _ = strings.Cut(host, ":")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
