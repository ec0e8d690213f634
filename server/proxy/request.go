package proxy

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"rws/server/fieldname"
	"rws/server/http1"
)

// prepare makes the request for the backend, or says why there is none.
func (c *call) prepare() *Error {
	r := c.in
	c.grpc = isGRPC(r.Header) // refusals are in its words too
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace: // TRACE would show the client what we add
		return refusal(http.StatusNotImplemented, "The method is not passed on.")
	case !httpguts.ValidHeaderFieldName(r.Method):
		return refusal(http.StatusBadRequest, "The method has an improper character.")
	case !validHost(r.Host):
		return refusal(http.StatusBadRequest, "The host has an improper character.")
	case c.h.o.MatchSNI && otherSNI(r, c.askedHost()):
		return refusal(http.StatusMisdirectedRequest, "The connection was made for another host.")
	case c.h.via.loops(r.Header):
		return refusal(http.StatusLoopDetected, "The request has come back to the proxy that sent it.")
	case c.h.o.MaxBody > 0 && r.ContentLength > c.h.o.MaxBody:
		return clientError(&http.MaxBytesError{Limit: c.h.o.MaxBody})
	}
	u := new(url.URL)
	if err := c.h.paths.place(u, r.URL); err != nil {
		return refusal(http.StatusBadRequest, "The path of the request is not passed on: "+err.Error()+".")
	}
	c.upgrade = upgradeOf(r)
	c.limit(c.h.o.Timeout.Whole)
	if c.grpc {
		if fault := c.limitGRPC(); fault != nil {
			return fault
		}
	}
	c.build(u)
	return nil
}

// build makes the request out of its parts.
func (c *call) build(u *url.URL) {
	r := c.in
	c.out = &http.Request{
		Method: r.Method, URL: u, Header: c.header(), Host: r.Host, ContentLength: r.ContentLength,
		// Those of the client, for FastCGI. HTTP to backends goes by none of them.
		RequestURI: r.RequestURI, RemoteAddr: r.RemoteAddr, TLS: r.TLS, Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		c.out.ContentLength = 0
		return
	}
	c.source = &source{from: r.Body, max: -1}
	if c.h.o.MaxBody > 0 {
		c.source.max = c.h.o.MaxBody
	}
	if c.h.retry.keeps(r.Method, c.grpc) && r.ContentLength <= int64(c.h.retry.maxReplay) {
		c.source.keep = c.h.retry.maxReplay
	}
	c.trailer()
}

// header is that of the client without what is not for the backend, and with what we add.
func (c *call) header() http.Header {
	in := c.in.Header
	out := make(http.Header, len(in)+c.h.headerLen)
	trusted := c.ex.Client.IsValid()
	for name, values := range in {
		switch {
		case isHop(name), fieldname.Ambiguous(name), name == "Via", name == "Content-Length", name == "Host", isForwarding(name) && !trusted:
		default:
			out[name] = values
		}
	}
	if len(in["Connection"]) > 0 {
		unnominate(out, in, &c.h.protect)
	}
	if httpguts.HeaderValuesContainsToken(in["Te"], "trailers") {
		out["Te"] = teTrailers
	}
	if _, ok := out["User-Agent"]; !ok {
		out["User-Agent"] = nil // or the transport would add its own
	}
	if c.upgrade != "" {
		out["Connection"], out["Upgrade"] = connectionUpgrade, c.value(c.upgrade)
	}
	c.forward(out)
	c.h.via.add(out, c.in)
	c.h.request.apply(out)
	return out
}

var (
	teTrailers        = []string{"trailers"}
	connectionUpgrade = []string{"Upgrade"}
)

// trailer passes on the trailers that the client has announced.
func (c *call) trailer() {
	from := c.in.Trailer
	for name := range from {
		if isLateTrailer(name) {
			if c.out.Trailer == nil {
				c.out.Trailer = http.Header{}
			}
			c.out.Trailer[name] = nil
		}
	}
	if to := c.out.Trailer; to != nil {
		c.source.ended = func() {
			for name := range to {
				to[name] = from[name]
			}
		}
	}
}

// upgradeOf is the protocol that an HTTP/1.1 client wants to change to, "" for none. HTTP/2 is none of
// them: requests in a tunnel of it would go past all that looks at requests.
func upgradeOf(r *http.Request) string {
	if r.ProtoMajor != 1 || r.ProtoMinor == 0 || len(r.Header["Upgrade"]) != 1 || !httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade") {
		return ""
	}
	name := r.Header["Upgrade"][0]
	protocol, _, _ := strings.Cut(name, "/")
	if !httpguts.ValidHeaderFieldName(protocol) || strings.EqualFold(protocol, "h2c") || strings.EqualFold(protocol, "HTTP") || strings.EqualFold(protocol, "TLS") {
		return ""
	}
	if strings.ContainsAny(name, ", \t") { // a choice of several
		return ""
	}
	return name
}

// validHost is what the server makes of a host too, and stricter: a list is none.
func validHost(host string) bool {
	return http1.ValidHost(host) && httpguts.ValidHostHeader(host) && !strings.ContainsAny(host, "/@?#\\,")
}

// otherSNI reports a request for another host than the one the TLS connection was made for.
func otherSNI(r *http.Request, host string) bool {
	return r.TLS != nil && r.TLS.ServerName != "" && !strings.EqualFold(plainHost(host), r.TLS.ServerName)
}

// plainHost is a host without port and final dot.
func plainHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(host, ".")
}

// hostFor is the Host for a backend.
func (h *Handler) hostFor(at *url.URL, client string) string {
	switch h.o.Host {
	case "keep":
		return client
	case "upstream":
		return at.Host
	case "":
		switch at.Scheme {
		case "https", "h2", "grpcs", "wss":
			return at.Host
		}
		if client == "" {
			return at.Host
		}
		return client
	}
	return h.o.Host
}

// invalidField is the name of a field that cannot be sent, "" if all can.
func invalidField(h http.Header) string {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return name
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return name
			}
		}
	}
	return ""
}

type fieldError struct{ name string }

func (e *fieldError) Error() string {
	return "the header " + e.name + " has a character that may not stand there"
}
