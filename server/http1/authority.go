package http1

import (
	"strconv"
	"strings"
)

// ValidHost reports whether s is the host of a request, with its port if there is one: "name",
// "name:80", "192.0.2.1", "[2001:db8::1]:80" (RFC 9110 §4.2, RFC 3986 §3.2). The empty one is: a
// request of HTTP/1.0 has none. User names are none, nor are two ports.
func ValidHost(s string) bool {
	if s == "" {
		return true
	}
	name, port, found := cutPort(s)
	if name == "" || !isHost(name) || found && !isPort(port) {
		return false
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		return strings.HasSuffix(inner, "]") && len(inner) > 1 && !strings.ContainsAny(inner[:len(inner)-1], "[]")
	}
	return !strings.ContainsAny(name, ":[]")
}

// cutPort cuts at the colon behind the name, which of an IPv6 address is the one behind its bracket.
func cutPort(s string) (name, port string, found bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || i < strings.LastIndexByte(s, ']') {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// isPort: the empty port is the one of the scheme.
func isPort(s string) bool {
	if s == "" {
		return true
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && len(s) <= 5
}
