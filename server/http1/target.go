package http1

import (
	"net/http"
	"net/url"
	"strings"

	"rws/server/http1/wire"
)

// resolve reads the target and the host (RFC 9112 §3.2, §3.3) into u and returns the host.
func (h *head) resolve(u *url.URL) (host string, fault *RequestError) {
	if fault := h.checkHost(); fault != nil {
		return "", fault
	}
	if !wire.IsTarget(h.target) {
		return "", bad("the request target has a character that must be encoded")
	}
	switch {
	case h.method == http.MethodConnect:
		return h.resolveAuthority(u)
	case h.target[0] == '/':
		return h.host, parseOrigin(u, h.target)
	case h.target == "*" && h.method == http.MethodOptions:
		u.Path = "*"
		return h.host, nil
	}
	return h.resolveAbsolute(u)
}

func (h *head) checkHost() *RequestError {
	switch {
	case h.hosts > 1:
		return bad("there is more than one Host")
	case h.hosts == 0 && h.minor > 0:
		return bad("the Host is missing")
	case !ValidHost(h.host):
		return bad("the Host has an improper character or port")
	}
	return nil
}

func isHost(s string) bool {
	for i := range len(s) {
		if !inHost[s[i]] {
			return false
		}
	}
	return true
}

// inHost are the bytes that may stand in an authority: RFC 3986 §3.2.2, and the port.
var inHost = func() (t [256]bool) {
	const others = "!$%&'()*+,-.:;=[]_~"
	for c := range t {
		t[c] = 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c < 128 && strings.IndexByte(others, byte(c)) >= 0
	}
	return t
}()

// parseOrigin reads "/path?query". Most paths need no decoding.
func parseOrigin(u *url.URL, target string) *RequestError {
	path, query, found := strings.Cut(target, "?")
	if !isPlainPath(path) {
		parsed, err := url.ParseRequestURI(target)
		if err != nil {
			return bad("the request target is badly encoded")
		}
		// "//x" is a path here, not a host: url takes it for one only without a slash before it.
		u.Path, u.RawPath, u.RawQuery, u.ForceQuery = parsed.Path, parsed.RawPath, parsed.RawQuery, parsed.ForceQuery
		return nil
	}
	u.Path, u.RawQuery, u.ForceQuery = path, query, found && query == ""
	return nil
}

// isPlainPath reports whether a path stands for itself, and is what [url.URL.EscapedPath] would
// write.
func isPlainPath(path string) bool {
	for i := range len(path) {
		c := path[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '/' || c == '-' || c == '.' || c == '_' || c == '~' {
			continue
		}
		return false
	}
	return true
}

// resolveAuthority reads the target of CONNECT: "host:port".
func (h *head) resolveAuthority(u *url.URL) (string, *RequestError) {
	if !ValidHost(h.target) || !strings.Contains(h.target, ":") {
		return "", bad("the target of CONNECT is not host:port")
	}
	if h.hosts > 0 && !strings.EqualFold(h.host, h.target) {
		return "", bad("the Host is not that of the request target")
	}
	u.Host = h.target
	return h.target, nil
}

// resolveAbsolute reads "http://host/path". RFC 9112 §3.2.2 has the Host ignored then; one that
// says something else is refused, as not everybody does.
func (h *head) resolveAbsolute(u *url.URL) (string, *RequestError) {
	parsed, err := url.ParseRequestURI(h.target)
	switch {
	case err != nil || parsed.Host == "" || parsed.User != nil || parsed.Opaque != "" || !ValidHost(parsed.Host):
		return "", bad("the request target is neither a path nor a URL")
	case !strings.EqualFold(parsed.Scheme, "http") && !strings.EqualFold(parsed.Scheme, "https"):
		return "", bad("the request target has a scheme that is not http")
	case h.hosts > 0 && !strings.EqualFold(parsed.Host, h.host):
		return "", bad("the Host is not that of the request target")
	}
	*u = *parsed
	if u.Path == "" {
		u.Path = "/"
	}
	return parsed.Host, nil
}
