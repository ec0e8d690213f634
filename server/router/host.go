package router

import (
	"fmt"
	"net/netip"
	"strings"
)

// maxHost is the longest DNS name (RFC 1035 §2.3.4). A longer Host belongs to no named host, which also bounds the work
// a hostile one can cause.
const maxHost = 253

// hosts finds the trees for a host, the most specific first.
type hosts struct {
	exact map[string]*node
	wild  map[string]*node // by what follows "*."
	any   *node
}

// root is the tree of a host pattern as parseHost returns it, made on demand.
func (h *hosts) root(pattern string) *node {
	if pattern == "" {
		if h.any == nil {
			h.any = &node{}
		}
		return h.any
	}
	table, key := h.exact, pattern
	if suffix, ok := strings.CutPrefix(pattern, "*."); ok {
		table, key = h.wild, suffix
	}
	if table[key] == nil {
		table[key] = &node{}
	}
	return table[key]
}

// roots appends the trees that may answer for host to list.
func (h *hosts) roots(host string, list []*node) []*node {
	if len(h.exact)+len(h.wild) > 0 {
		list = h.named(cleanHost(host), list)
	}
	if h.any != nil {
		list = append(list, h.any)
	}
	return list
}

func (h *hosts) named(host string, list []*node) []*node {
	if host == "" {
		return list
	}
	if n := h.exact[host]; n != nil {
		list = append(list, n)
	}
	for len(h.wild) > 0 {
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			break
		}
		if n := h.wild[rest]; n != nil {
			list = append(list, n)
		}
		host = rest
	}
	return list
}

// cleanHost is a Host header lower-cased, without port and trailing dot; "" when it is no host name. It allocates only
// to lower-case.
func cleanHost(host string) string {
	host = strings.TrimSuffix(withoutPort(host), ".")
	if len(host) > maxHost || strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		return ""
	}
	var upper bool
	for i := range len(host) {
		if host[i] >= 0x80 {
			return "" // strings.ToLower would turn the Kelvin sign into "k"
		}
		upper = upper || isUpper(host[i])
	}
	if upper {
		return strings.ToLower(host)
	}
	return host
}

func withoutPort(host string) string {
	if strings.HasPrefix(host, "[") {
		if i := strings.IndexByte(host, ']'); i > 0 {
			return host[:i+1]
		}
		return ""
	}
	host, _, _ = strings.Cut(host, ":")
	return host
}

// CheckHost returns what is wrong with a host pattern, as "api.example.com", "*.example.com", or ""
// for any host.
func CheckHost(pattern string) error {
	_, err := parseHost(pattern)
	return err
}

// parseHost checks a host pattern and returns it lower-cased, without port and trailing dot.
func parseHost(pattern string) (string, error) {
	if pattern == "" {
		return "", nil
	}
	name, wild := strings.CutPrefix(pattern, "*.")
	rest := strings.TrimPrefix(name, withoutPort(name))
	name = cleanHost(name)
	if name == "" || !isPort(rest) || !isHostName(name) && !isIPv6(name) {
		return "", fmt.Errorf("host %q is not a name: %s", pattern, hostHint(pattern))
	}
	if wild {
		return "*." + name, nil
	}
	return name, nil
}

func hostHint(pattern string) string {
	switch {
	case pattern == "*":
		return `leave the host out to match any`
	case strings.ContainsAny(pattern, "/"):
		return `leave out the scheme and the path`
	case strings.Contains(pattern, "*"):
		return `"*" stands only at the start, as in "*.example.com"`
	case strings.IndexFunc(pattern, func(r rune) bool { return r >= 0x80 }) >= 0:
		return `write it in its ASCII form, "xn--…"`
	}
	return `write it as in "api.example.com" or "*.example.com"`
}

// isPort reports whether what follows a host is nothing or ":" and a number.
func isPort(rest string) bool {
	return rest == "" || rest[0] == ':' && strings.Trim(rest[1:], "0123456789") == ""
}

// isHostName reports whether a clean name has only letters, digits, "-" and "_" in its labels.
func isHostName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !isLower(c) && !isDigit(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func isIPv6(name string) bool {
	inner, ok := strings.CutPrefix(name, "[")
	if !ok {
		return false
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
	return err == nil && a.Is6()
}
