package forward

import (
	"net/http"
	"slices"
	"strings"

	"rws/server/exchange"
	"rws/server/fieldname"
)

// hop are the headers of one connection (RFC 9110 §7.6.1), and what proxies add to them.
var hop = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Alt-Svc", "Http2-Settings",
}

// unsent are the headers that the service does not get. With conditions it could answer 304,
// which the client would take for its own.
var unsent = slices.Concat(hop, []string{
	"Content-Length", "Content-Encoding", "Content-Type", "Expect", "Range", "If-Range",
	"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Accept-Encoding", "Proxy",
})

// forwarded are the headers that the guard sets itself.
var forwarded = []string{
	"X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-For",
	"X-Forwarded-Port", "X-Forwarded-Prefix", "X-Real-Ip", "Forwarded", "X-Original-Url", "X-Original-Method",
}

// credentials are nominated at times, and the service needs those of the client to judge them.
var credentials = []string{"Authorization", "Cookie"}

// header is what the service gets.
func (g *Guard) header(r *http.Request, e *exchange.Exchange) http.Header {
	h := r.Header.Clone()
	if g.o.Headers != nil {
		h = http.Header{}
		for _, name := range g.o.Headers {
			if values, ok := r.Header[name]; ok {
				h[name] = slices.Clone(values)
			}
		}
	}
	removeConnectionListed(h, r.Header["Connection"])
	fieldname.Drop(h, unsent)
	fieldname.Drop(h, forwarded)
	for name := range h {
		if fieldname.In(g.o.Copy, name) && !slices.Contains(credentials, name) {
			delete(h, name)
		}
	}
	delete(h, "Host")
	if h["User-Agent"] == nil {
		h["User-Agent"] = []string{""} // none, as from the client
	}
	h.Set("X-Forwarded-Method", r.Method)
	h.Set("X-Forwarded-Proto", g.o.Scheme(r))
	h.Set("X-Forwarded-Host", r.Host)
	h.Set("X-Forwarded-Uri", r.URL.RequestURI())
	if ip := e.ClientIP(); ip.IsValid() {
		h.Set("X-Forwarded-For", ip.String())
	}
	return h
}

// removeHop removes the headers of the connection that a message came by.
func removeHop(h http.Header) {
	removeConnectionListed(h, h["Connection"])
	fieldname.Drop(h, hop)
	delete(h, "Content-Length") // the body may have been decompressed
}

// removeConnectionListed removes the headers that are named in Connection.
func removeConnectionListed(h http.Header, connection []string) {
	for token := range tokens(connection) {
		delete(h, http.CanonicalHeaderKey(token))
	}
}

// keepFromConnection takes names out of Connection: a proxy behind us would remove the headers of
// these names, and who sent it would be somebody whom the service has not named.
func keepFromConnection(h http.Header, names []string) {
	var keep []string
	found := false
	for token := range tokens(h["Connection"]) {
		if fieldname.In(names, token) {
			found = true
			continue
		}
		keep = append(keep, token)
	}
	switch {
	case !found:
	case len(keep) == 0:
		delete(h, "Connection")
	default:
		h["Connection"] = []string{strings.Join(keep, ", ")}
	}
}

// tokens yields the words of a header that is a list.
func tokens(values []string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, value := range values {
			for token := range strings.SplitSeq(value, ",") {
				if token = strings.Trim(token, " \t"); token != "" && !yield(token) {
					return
				}
			}
		}
	}
}
