package http1

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"rws/server/http1/wire"
)

// declared are the trailer fields that the header announces; what is not announced, or may not
// come late (RFC 9110 §6.5.1), is dropped.
func declared(h http.Header) http.Header {
	lists, ok := h["Trailer"]
	if !ok {
		return nil
	}
	delete(h, "Trailer")
	var trailer http.Header
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = wire.Canonical(strings.Trim(name, " \t"))
			if !wire.IsToken(name) || !httpguts.ValidTrailerHeader(name) || isProtected(name) {
				continue
			}
			if trailer == nil {
				trailer = http.Header{}
			}
			trailer[name] = nil
		}
	}
	return trailer
}

// isProtected reports fields that others trust to be in the head or nowhere.
func isProtected(name string) bool {
	switch name {
	case "Cookie", "Forwarded", "Expect", "X-Real-Ip":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-")
}
