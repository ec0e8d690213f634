package server

import (
	"net/http"
	"slices"
	"strings"
)

// ofConnection reports whether there are fields that HTTP/2 and HTTP/3 do not have (RFC 9113 §8.2.2): who
// makes HTTP/1 of the request would take them for its own.
func ofConnection(h http.Header) bool {
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade"} {
		if len(h[name]) > 0 {
			return true
		}
	}
	return slices.ContainsFunc(h["Te"], func(value string) bool { return !strings.EqualFold(value, "trailers") })
}
