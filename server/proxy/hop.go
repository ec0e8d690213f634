package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"rws/server/fieldname"
)

// isHop reports fields that are about one connection or are made anew for the next (RFC 9110 §7.6.1),
// by their canonical names. Proxy is what CGI programs take for their own setting (httpoxy), Alt-Svc
// speaks of the server's own addresses, and HTTP2-Settings smuggles requests past us.
func isHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Alt-Svc", "Http2-Settings", "Proxy":
		return true
	}
	return false
}

// isForwarding reports fields by which proxies tell of the client, and of what it asked for: those of the
// standard, of nginx, of IIS, and of networks that deliver for others. Those of a client are lies.
func isForwarding(name string) bool {
	switch name {
	case "Forwarded", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip",
		"Client-Ip", "X-Proxyuser-Ip", "X-Envoy-External-Address",
		"X-Original-Url", "X-Original-Uri", "X-Original-Host", "X-Rewrite-Url", "X-Host", "Front-End-Https":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-")
}

// protected are fields that the Connection field of a message cannot take away: what frames and
// addresses it, and what says who the client is, be it by the client or by a guard before us.
var protected = []string{
	"Host", "Via", "Expect", "Content-*", "Date", "Range", "If-*", "Cache-Control", "Set-Cookie",
	"Forwarded", "X-Forwarded-*", "X-Real-Ip", "X-Request-Id", "Traceparent", "Tracestate", "Baggage",
	"Authorization", "Cookie", "Origin", "Remote-*", "X-Remote-*", "X-Auth-*", "X-User*", "Cf-Connecting-Ip", "True-Client-Ip",
	"X-Client-Ip", "X-Cluster-Client-Ip", "Fastly-Client-Ip", "Client-Ip", "X-Proxyuser-Ip", "X-Envoy-External-Address",
	"X-Original-*", "X-Rewrite-Url", "X-Host", "Front-End-Https",
	"Sec-*", "Access-Control-*", "Strict-Transport-Security", "X-Frame-Options", "X-Content-Type-Options", "Content-Security-Policy",
	"Grpc-*", "WWW-Authenticate",
}

// unnominate removes from to what the Connection field of from says belongs to the connection. Names
// in keep stay.
func unnominate(to, from http.Header, keep *names) {
	for _, list := range from["Connection"] {
		for item := range strings.SplitSeq(list, ",") {
			name := strings.Trim(item, " \t")
			if name == "" || len(to) == 0 || keep.has(name) {
				continue
			}
			delete(to, canonical(name))
		}
	}
}

// Protected are names of request fields that a Connection field cannot take away. Made by [Protect]; safe
// for concurrent use.
type Protected struct{ names names }

// Protect adds names, with "*" at an end for many, to those that are protected everywhere.
func Protect(more []string) (*Protected, error) {
	n, err := parseNames(slices.Concat(more, protected))
	if err != nil {
		return nil, fmt.Errorf("protect: %w", err)
	}
	return &Protected{n}, nil
}

// StripNominated takes out of the header of an HTTP/1 request what its Connection field names, but for what
// is protected, and the names out of the field: "close", "keep-alive" and the fields about the connection, as
// "upgrade" and "TE", stay. It is for a server to call before anything else sees the request: left in the
// field, a name would later take away what a guard has set.
func (p *Protected) StripNominated(h http.Header) {
	lists, ok := h["Connection"]
	if !ok || onlyOptions(lists) {
		return
	}
	var options []string
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			switch name := strings.Trim(item, " \t"); {
			case name == "":
			case isOption(name):
				options = append(options, name)
			case !p.names.has(name):
				delete(h, canonical(name))
			}
		}
	}
	if len(options) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = []string{strings.Join(options, ", ")}
}

func onlyOptions(lists []string) bool {
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			if !isOption(strings.Trim(item, " \t")) {
				return false
			}
		}
	}
	return true
}

// isOption reports what may stay in a Connection field.
func isOption(name string) bool {
	return strings.EqualFold(name, "close") || strings.EqualFold(name, "keep-alive") || strings.EqualFold(name, "upgrade") || isHop(canonical(name))
}

// isLateTrailer reports trailer fields that are passed on: none that frames, addresses or authorises the
// message (RFC 9110 §6.5.1), for these were decided on when the head came.
func isLateTrailer(name string) bool {
	switch name {
	case "Host", "Authorization", "Cookie", "Set-Cookie", "Expect", "Range", "Cache-Control", "Max-Forwards", "Content-Encoding",
		"Content-Type", "Content-Range", "Content-Length", "Age", "Expires", "Date", "Location", "Retry-After", "Vary", "Www-Authenticate", "Via":
		return false
	}
	return !isHop(name) && !isForwarding(name) && !fieldname.Ambiguous(name) && !strings.HasPrefix(name, "If-")
}
