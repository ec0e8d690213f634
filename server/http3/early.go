package http3

import (
	"net/http"
)

// IsEarly reports whether a request came before the handshake was complete and did not wait for that, so
// that it may be one that somebody has recorded and sends again (RFC 8470).
func IsEarly(r *http.Request) bool {
	return r.ProtoMajor == 3 && r.TLS != nil && !r.TLS.HandshakeComplete
}

// prove lets a request pass when its handshake is complete, or when it may be answered before. Until then
// the address may be anybody's, and the request one that was recorded: guards would be asked about
// the wrong client. It reports false when the handshake does not come to its end.
func (c *client) prove(r *http.Request) (*http.Request, bool) {
	if !IsEarly(r) || c.proven && repeatable(r) && anonymous(r) {
		return r, true
	}
	select {
	case <-c.conn.HandshakeComplete():
	case <-r.Context().Done():
		return nil, false
	}
	state := c.conn.ConnectionState().TLS
	proven := *r
	proven.TLS = &state
	return &proven, true
}

// repeatable reports whether it does no harm that a request comes twice.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return r.ContentLength == 0 // see withoutBody
	}
	return false
}

// anonymous reports whether a request does not tell who sends it.
func anonymous(r *http.Request) bool {
	for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie"} {
		if len(r.Header[name]) > 0 {
			return false
		}
	}
	return len(r.TLS.PeerCertificates) == 0
}
