package proxy

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"
)

// Each handler has a name of its own in Via: the process by chance, the handler by number. A request
// that has it already goes in a circle, of whatever length.
var (
	process  = "rws-" + strings.ToLower(rand.Text()[:10])
	handlers atomic.Uint64
)

// via is what a handler adds to the Via field (RFC 9110 §7.6.3).
type via struct {
	name  string
	lines [4][]string // alone: for HTTP/1.0, 1.1, 2 and 3
}

func newVia() via {
	v := via{name: process + "-" + strconv.FormatUint(handlers.Add(1), 36)}
	for i, version := range []string{"1.0", "1.1", "2.0", "3.0"} {
		v.lines[i] = []string{version + " " + v.name}
	}
	return v
}

func (v *via) line(r *http.Request) []string {
	switch {
	case r.ProtoMajor >= 3:
		return v.lines[3]
	case r.ProtoMajor == 2:
		return v.lines[2]
	case r.ProtoMinor == 0:
		return v.lines[0]
	}
	return v.lines[1]
}

// loops reports whether the request has been here.
func (v *via) loops(h http.Header) bool {
	for _, line := range h["Via"] {
		for hop := range strings.SplitSeq(line, ",") {
			_, by, _ := strings.Cut(strings.TrimLeft(hop, " \t"), " ")
			by, _, _ = strings.Cut(strings.TrimLeft(by, " \t"), " ")
			if strings.Trim(by, " \t") == v.name {
				return true
			}
		}
	}
	return false
}

func (v *via) add(out http.Header, r *http.Request) {
	own, before := v.line(r), joinLines(r.Header["Via"])
	if before == "" {
		out["Via"] = own
		return
	}
	out["Via"] = []string{before + ", " + own[0]}
}

// joinLines makes one of the lines of a list. Empty elements do not count (RFC 9110 §5.6.1): a line that has no
// other, and those at the ends, are left out, so that what is appended has nothing before it that is none.
func joinLines(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		if line = strings.Trim(line, ", \t"); line == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// joinNodes is joinLines for X-Forwarded-For, whose elements have no quotes: it leaves out those between commas,
// too.
func joinNodes(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		for node := range strings.SplitSeq(line, ",") {
			if node = strings.Trim(node, " \t"); node == "" {
				continue
			}
			if b.Len() > 0 {
				b.WriteString(", ")
			}
			b.WriteString(node)
		}
	}
	return b.String()
}

var protos = map[bool][]string{false: {"http"}, true: {"https"}}

// forward tells the backend of the client. What the client itself says of this was not copied; what a
// proxy says that middleware trusts is in the header and is continued.
func (c *call) forward(out http.Header) {
	trusted := c.ex.Client.IsValid()
	secure := c.in.TLS != nil || c.ex.Secure
	peer := peerOf(c.in)
	switch {
	case trusted:
		c.continueChain(out, peer)
	case peer.IsValid():
		out["X-Forwarded-For"] = c.value(peer.String())
	}
	out["X-Forwarded-Proto"] = protos[secure]
	c.forwardHost(out)
	if c.h.o.Strip != "" {
		before := strings.TrimSuffix(strings.Join(out["X-Forwarded-Prefix"], ""), "/")
		out["X-Forwarded-Prefix"] = c.value(before + c.h.o.Strip)
	}
	if c.h.o.Forwarded {
		c.addForwarded(out, trusted, secure)
	} else {
		delete(out, "Forwarded") // one that we do not continue would end before us
	}
}

// forwardHost tells the host that the client asked for, whatever a rewriting before us has made of it.
// Requests of HTTP/1.0 may have none.
func (c *call) forwardHost(out http.Header) {
	if told := out["X-Forwarded-Host"]; len(told) == 1 && httpguts.ValidHostHeader(told[0]) {
		return
	}
	host := c.askedHost()
	if host == "" {
		delete(out, "X-Forwarded-Host")
		return
	}
	out["X-Forwarded-Host"] = c.value(host)
}

// askedHost is the host as the client sent it.
func (c *call) askedHost() string {
	if host := c.ex.Host(); validHost(host) {
		return host
	}
	return c.in.Host
}

// continueChain appends the peer to what it says, if that names the client whom middleware has found:
// else the peer told of the client in another field, and this one came from anybody.
func (c *call) continueChain(out http.Header, peer netip.Addr) {
	chain := joinNodes(out["X-Forwarded-For"])
	if !namesClient(chain, c.ex.Client) {
		if chain = nodeText(c.ex.Client); c.ex.Client == peer { // a proxy that asks for itself
			out["X-Forwarded-For"] = c.value(chain)
			return
		}
	}
	if peer.IsValid() {
		chain += ", " + peer.String()
	}
	out["X-Forwarded-For"] = c.value(chain)
}

// peerOf is the address at the other end of the connection; not valid for unix sockets.
func peerOf(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// nodeText is an address in X-Forwarded-For. Middleware has "::" for a client that no proxy names.
func nodeText(ip netip.Addr) string {
	if ip.IsUnspecified() {
		return "unknown"
	}
	return ip.String()
}

func namesClient(chain string, client netip.Addr) bool {
	for entry := range strings.SplitSeq(chain, ",") {
		if ip, ok := nodeOf(strings.Trim(entry, " \t")); ok && ip == client {
			return true
		}
	}
	return false
}

// nodeOf reads an address with or without a port.
func nodeOf(text string) (netip.Addr, bool) {
	if strings.EqualFold(text, "unknown") || strings.HasPrefix(text, "_") {
		return netip.IPv6Unspecified(), true
	}
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone(""), true
	}
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return ip.Unmap().WithZone(""), err == nil
}

// addForwarded writes the field of RFC 7239, behind that of a trusted peer.
func (c *call) addForwarded(out http.Header, trusted, secure bool) {
	var b strings.Builder
	if before := joinLines(out["Forwarded"]); trusted && before != "" {
		b.WriteString(before)
		b.WriteString(", ")
	}
	b.WriteString("for=" + forwardedNode(peerOf(c.in)))
	if host := c.askedHost(); host != "" {
		b.WriteString(";host=" + quoted(host))
	}
	b.WriteString(";proto=" + protos[secure][0])
	out["Forwarded"] = c.value(b.String())
}

func forwardedNode(ip netip.Addr) string {
	switch {
	case !ip.IsValid() || ip.IsUnspecified():
		return "unknown"
	case ip.Is6():
		return `"[` + ip.String() + `]"`
	}
	return ip.String()
}

// quoted is a token, or a quoted string (RFC 9110 §5.6.4). Hosts have neither quotes nor backslashes.
func quoted(host string) string {
	if httpguts.ValidHeaderFieldName(host) {
		return host
	}
	return `"` + host + `"`
}
