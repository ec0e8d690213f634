package middleware

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"rws/server/fieldname"
)

// ClientIPOptions say whom to believe about the address of the client.
type ClientIPOptions struct {
	// Trusted are the proxies before us: addresses, prefixes like "10.0.0.0/8", and the words
	// "loopback", "private" (RFC 1918, 4193 and link-local), "all", and "unix" for whoever connects
	// to a unix socket. Needed.
	Trusted []string
	// Header is where they write the client: "X-Forwarded-For", the default, "Forwarded" (RFC 7239),
	// or one that they overwrite with a single address, as "X-Real-Ip" or "Cf-Connecting-Ip". Only
	// this one is read: a proxy passes on the others as the client sent them.
	Header string
}

// forwarded are the headers by which proxies tell of the client. From others they are lies.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
	"X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Real-Ip"}

// maxHops bounds what one request can make us look at.
const maxHops = 32

// ClientIP finds the address of the client behind trusted proxies and makes it the Client of the
// exchange; whether the client spoke TLS with the nearest proxy, by X-Forwarded-Proto or the proto
// of Forwarded, becomes Secure.
//
// A list is read from its right end: each entry was written by the proxy that the entry to the right
// of it names, so the first that is not trusted is the client. What stands further left was sent
// by the client, and is not looked at. A client that a proxy does not tell ("unknown", or a
// name like "_hidden", RFC 7239 §6) becomes the unspecified address "::", which is in no
// list of addresses but by the word "unknown". A header that is malformed
// where it should be believed is answered 400.
//
// From a peer that is not trusted these headers are removed, in every spelling ("X_Forwarded_For").
func ClientIP(o ClientIPOptions) (Func, error) {
	if len(o.Trusted) == 0 {
		return nil, fmt.Errorf(`client ip: no proxy is trusted: name them, as in {"10.0.0.0/8"}; without a proxy leave this middleware out`)
	}
	trusted, err := parseAmong(proxyWords, o.Trusted)
	if err != nil {
		return nil, fmt.Errorf("client ip: trusted: %w", err)
	}
	if trusted.unknown {
		return nil, fmt.Errorf(`client ip: trusted: "unknown" is whom no proxy names, and nobody to believe`)
	}
	header := textproto.CanonicalMIMEHeaderKey(o.Header)
	if header == "" {
		header = "X-Forwarded-For"
	}
	if !httpguts.ValidHeaderFieldName(header) {
		return nil, fmt.Errorf("client ip: %q is no name of a header", o.Header)
	}
	c := clientIP{trusted, header, append(slices.Clone(forwarded), header)}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.serve(next, w, r) })
	}, nil
}

type clientIP struct {
	trusted *addresses
	header  string
	strip   []string
}

func (c *clientIP) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	e, r := exchanged(r)
	peer := e.ClientIP()
	if !c.trusted.has(peer) {
		fieldname.Drop(r.Header, c.strip)
		next.ServeHTTP(w, r)
		return
	}
	h, ok := c.find(r.Header)
	if !ok {
		refuse(w, r, http.StatusBadRequest, "The header "+c.header+" is malformed.", nil)
		return
	}
	if e.Client = h.ip; !h.ip.IsValid() {
		e.Client = peer // which speaks for itself
	}
	e.Secure = h.proto == "https" || h.proto == "wss"
	next.ServeHTTP(w, r)
}

// find walks the header from its right end.
func (c *clientIP) find(h http.Header) (client hop, ok bool) {
	if c.header != "Forwarded" {
		client.proto = lastProto(h)
	}
	hops := 0
	for _, line := range slices.Backward(h[c.header]) {
		for rest := line; rest != ""; {
			var entry string
			rest, entry = c.last(rest)
			if entry = strings.Trim(entry, " \t"); entry == "" {
				continue // RFC 9110 §5.6.1: empty elements of a list do not count
			}
			if hops++; hops > maxHops {
				return client, false
			}
			found, ok := c.parse(entry)
			if !ok {
				return client, false
			}
			if hops == 1 && c.header == "Forwarded" {
				client.proto = found.proto
			}
			client.ip = found.ip
			if !c.trusted.has(found.ip) {
				return client, true
			}
		}
	}
	return client, true
}

// last cuts the last element off a list. Only Forwarded knows quotes, around commas too: elsewhere one
// that a client has opened must not swallow what the proxy has appended.
func (c *clientIP) last(list string) (rest, entry string) {
	if c.header == "Forwarded" {
		return lastItem(list)
	}
	i := strings.LastIndexByte(list, ',')
	return list[:max(i, 0)], list[i+1:]
}

func (c *clientIP) parse(entry string) (hop, bool) {
	if c.header == "Forwarded" {
		return parseForwarded(entry)
	}
	ip, ok := parseNode(entry)
	return hop{ip: ip}, ok
}

// lastProto is the right end of X-Forwarded-Proto, which the nearest proxy has written.
func lastProto(h http.Header) string {
	for _, line := range slices.Backward(h["X-Forwarded-Proto"]) {
		if line = strings.Trim(line, ", \t"); line != "" { // empty elements do not count
			return strings.ToLower(strings.TrimLeft(line[strings.LastIndexByte(line, ',')+1:], " \t"))
		}
	}
	return ""
}

// hop is what one proxy says.
type hop struct {
	ip    netip.Addr // "::" for one that is not told
	proto string     // lower case
}

// parseNode reads an address, with or without port: "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80",
// "2001:db8::1", "[2001:db8::1]", "unknown" and "_name" (RFC 7239 §6).
func parseNode(text string) (netip.Addr, bool) {
	if node, _, _ := strings.Cut(text, ":"); strings.EqualFold(node, "unknown") || strings.HasPrefix(text, "_") {
		return netip.IPv6Unspecified(), true
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		inner, port, ok := strings.Cut(inner, "]")
		if !ok || port != "" && !isNodePort(port) {
			return netip.Addr{}, false
		}
		ip, ok := parseIP(inner)
		return ip, ok && strings.Contains(inner, ":")
	}
	if strings.Count(text, ":") == 1 {
		host, port, _ := strings.Cut(text, ":")
		ip, err := netip.ParseAddr(host)
		return ip, err == nil && ip.Is4() && isNodePort(":"+port)
	}
	return parseIP(text)
}

// parseIP reads an address. A zone is dropped, and must be a name: package netip takes anything for
// one.
func parseIP(text string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(text)
	for _, c := range []byte(ip.Zone()) {
		if !httpguts.IsTokenRune(rune(c)) {
			return netip.Addr{}, false
		}
	}
	return clean(ip), err == nil
}

func clean(ip netip.Addr) netip.Addr { return ip.WithZone("").Unmap() }

// isNodePort reports ":80", or ":_name" (RFC 7239 §6).
func isNodePort(text string) bool {
	port, ok := strings.CutPrefix(text, ":")
	if !ok || port == "" || len(port) > 5 && port[0] != '_' {
		return false
	}
	return port[0] == '_' || strings.Trim(port, "0123456789") == ""
}

// parseForwarded reads one element of a Forwarded header: for=192.0.2.1;proto=https;by=… (RFC 7239
// §4). An element without "for" tells no address.
func parseForwarded(element string) (hop, bool) {
	h := hop{ip: netip.IPv6Unspecified()}
	seen := map[string]bool{}
	for element != "" {
		var name, value string
		var ok bool
		if name, value, element, ok = pair(element); !ok || seen[name] {
			return h, false
		}
		seen[name] = true
		switch name {
		case "for":
			if h.ip, ok = parseNode(value); !ok {
				return h, false
			}
		case "proto":
			h.proto = strings.ToLower(value)
		}
	}
	return h, true
}

// pair reads name=value and the ";" that follows; the value is a token or a quoted string.
func pair(text string) (name, value, rest string, ok bool) {
	name, rest, ok = strings.Cut(strings.TrimLeft(text, " \t"), "=")
	if !ok || !httpguts.ValidHeaderFieldName(name) {
		return "", "", "", false
	}
	if strings.HasPrefix(rest, `"`) {
		value, rest, ok = unquote(rest)
	} else {
		end := strings.IndexByte(rest, ';')
		if end < 0 {
			end = len(rest)
		}
		// RFC 7239 wants quotes around what is no token; addresses with a port come without.
		value, rest = strings.Trim(rest[:end], " \t"), rest[end:]
		ok = value != "" && !strings.ContainsAny(value, " \t\",=")
	}
	if rest = strings.TrimLeft(rest, " \t"); rest != "" {
		if rest[0] != ';' {
			return "", "", "", false
		}
		rest = rest[1:]
	}
	return strings.ToLower(name), value, rest, ok
}

// unquote reads a quoted string (RFC 9110 §5.6.4).
func unquote(text string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), text[i+1:], true
		case '\\':
			if i++; i == len(text) {
				return "", "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", false
}

// lastItem cuts the last element off a list; commas in quoted strings do not separate.
func lastItem(list string) (rest, item string) {
	cut, quoted := -1, false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			cut = i
		}
	}
	if cut < 0 {
		return "", list
	}
	return list[:cut], list[cut+1:]
}
