package httpcache

import (
	"net/http"
	"strings"

	"rws/server/exchange"
)

// place is the key of an answer, in two parts. Requests with the same place go to the same
// resource as the router sees it; spelling holds what they may still differ in. Invalidation goes by
// place and finds every spelling, while an answer is given out only for its own: whatever a
// handler makes of an odd spelling stays with those who use it.
type place struct {
	key      []byte // scheme "://" host path ["?" query]
	path     int    // length of key up to the query
	spelling string // host and path as they came, and the routing headers; "" if all is plain
}

// routing are headers that applications and frameworks take for another host, scheme, path or
// method than the request has. They choose between answers although no Vary names them.
var routing = [...]string{
	"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server",
	"X-Forwarded-Path", "X-Forwarded-Uri", "X-Forwarded-Ssl", "X-Forwarded-Protocol", "X-Scheme", "X-Url-Scheme", "Front-End-Https", "X-Host", "X-Original-Host", "X-Original-Url",
	"X-Rewrite-Url", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Http-Host-Override",
}

// rerouting are those that change the URL or the method, and that no proxy writes by itself.
var rerouting = []string{"X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Http-Host-Override"}

// placeOf appends the key of r to buf. It reports false for hosts that are none, whose key could
// be another's.
func placeOf(r *http.Request, buf []byte) (place, bool) {
	if strings.ContainsAny(r.Host, "/?#\\@ \t") {
		return place{}, false
	}
	p := place{}
	buf = append(buf, scheme(r)...)
	buf = append(buf, "://"...)
	host := len(buf)
	plain := true
	for i := range len(r.Host) {
		b := r.Host[i]
		if 'A' <= b && b <= 'Z' {
			b, plain = b+'a'-'A', false
		}
		buf = append(buf, b)
	}
	if trimmed := trimPort(buf[host:], string(buf[:host])); trimmed < len(buf)-host {
		buf, plain = buf[:host+trimmed], false
	}
	path := r.URL.EscapedPath()
	buf = appendPath(buf, path)
	plain = plain && !strings.Contains(path, "%")
	p.path = len(buf)
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		buf = append(append(buf, '?'), r.URL.RawQuery...)
	}
	p.key = buf
	if !plain {
		p.spelling = r.Host + path
	}
	if how := routed(r.Header); how != "" {
		p.spelling += "\n" + how
	}
	return p, true
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	if e := exchange.From(r.Context()); e != nil && e.Secure {
		return "https"
	}
	return "http"
}

// trimPort is the length of host without the port that the scheme has by default.
func trimPort(host []byte, scheme string) int {
	port := ":80"
	if scheme == "https://" {
		port = ":443"
	}
	if n := len(host) - len(port); n > 0 && string(host[n:]) == port {
		return n
	}
	return len(host)
}

// appendPath appends the path decoded, but for slashes and percent signs: so are two paths equal
// whose segments the router finds equal.
func appendPath(dst []byte, escaped string) []byte {
	for i := 0; i < len(escaped); i++ {
		b := escaped[i]
		if b == '%' && i+2 < len(escaped) {
			if v, ok := unhex(escaped[i+1], escaped[i+2]); ok {
				i += 2
				switch v {
				case '/':
					dst = append(dst, "%2F"...)
				case '%':
					dst = append(dst, "%25"...)
				case '?':
					dst = append(dst, "%3F"...)
				default:
					dst = append(dst, v)
				}
				continue
			}
		}
		dst = append(dst, b)
	}
	return dst
}

func unhex(a, b byte) (byte, bool) {
	hi, ok := nibble(a)
	lo, ok2 := nibble(b)
	return hi<<4 | lo, ok && ok2
}

func nibble(b byte) (byte, bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		return b | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// routed are the routing headers as one text, "" if there are none.
func routed(h http.Header) string {
	if !mayRoute(h) {
		return ""
	}
	var b strings.Builder
	for _, name := range routing {
		for _, v := range h[name] {
			b.WriteString(name + ":" + v + "\n")
		}
	}
	for _, field := range h["Forwarded"] {
		for pair := range strings.FieldsFuncSeq(field, func(c rune) bool { return c == ';' || c == ',' }) {
			name, _, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if name = strings.ToLower(name); name != "for" && name != "by" { // who the client is chooses no answer
				b.WriteString("Forwarded:" + pair + "\n")
			}
		}
	}
	return b.String()
}

// mayRoute reports whether looking for routing headers is worth it: it mostly is not.
func mayRoute(h http.Header) bool {
	for name := range h {
		if name != "" && (name[0] == 'X' || name[0] == 'F') {
			return true
		}
	}
	return false
}
