package httpcache

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// entry is an answer that is kept. It does not change, but for told; a 304 makes a new one.
type entry struct {
	status   int
	header   http.Header // slices are full, so that appending copies
	body     []byte
	spelling string
	route    string // the pattern that answered, for metrics and logs

	vary     []string // names of request headers, canonical, sorted
	selected []string // their values

	control  directives
	targeted bool // control is from CDN-Cache-Control, and Expires does not count
	etag     string
	modified time.Time     // Last-Modified, zero for none
	received time.Time     // when it came
	age      time.Duration // that it had then
	lifetime time.Duration
	tags     []string

	told atomic.Pointer[told]
}

// overhead is what an entry takes up beside its texts: the structs, the map of headers and the
// places in the lists, measured with some to spare.
const overhead = 1024

func (e *entry) size() int64 {
	n := overhead + len(e.body) + len(e.spelling)
	for name, values := range e.header {
		n += len(name) + 64
		for _, v := range values {
			n += len(v) + 16
		}
	}
	for _, list := range [][]string{e.vary, e.selected, e.tags} {
		for _, s := range list {
			n += len(s) + 16
		}
	}
	return int64(n)
}

// matches reports whether e is for r.
func (e *entry) matches(r *http.Request, spelling string) bool {
	if e.spelling != spelling {
		return false
	}
	for i, name := range e.vary {
		if selecting(r, name) != e.selected[i] {
			return false
		}
	}
	return true
}

// selecting is the value of a request header as Vary compares it: fields joined, and without the
// spaces and the case that mean nothing in lists of codings (RFC 9111 §4.1).
func selecting(r *http.Request, name string) string {
	values := r.Header[name]
	if name == "Host" {
		return r.Host
	}
	switch len(values) {
	case 0:
		return "\x00" // not what an empty field is
	case 1:
		if !strings.ContainsAny(values[0], " \t") && name != "Accept-Encoding" {
			return values[0]
		}
	}
	joined := strings.Join(values, ",")
	var b strings.Builder
	for part := range strings.SplitSeq(joined, ",") {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.TrimSpace(part))
	}
	if name == "Accept-Encoding" {
		return strings.ToLower(b.String())
	}
	return b.String()
}

// currentAge is RFC 9111 §4.2.3.
func (e *entry) currentAge(now time.Time) time.Duration { return e.age + max(0, now.Sub(e.received)) }

// left is for how long e is fresh; negative is for how long it has been stale.
func (e *entry) left(now time.Time) time.Duration { return e.lifetime - e.currentAge(now) }

// strict reports whether the answer forbids that it is used stale.
func (e *entry) strict() bool {
	return e.control.MustRevalidate || e.control.ProxyRevalidate || e.control.NoCache
}

// window is how long e may be used stale: what the answer says, else what the options say, if it is
// not for shared caches that s-maxage was meant, which want to be asked again then (RFC 9111
// §5.2.2.10).
func (e *entry) window(said, option time.Duration) time.Duration {
	switch {
	case e.strict():
		return 0
	case said != absent:
		return said
	case e.control.SMaxAge != absent:
		return 0
	}
	return option
}

// validators reports whether there is something to ask again with.
func (e *entry) validators() bool { return e.etag != "" || !e.modified.IsZero() }

// shared reports whether the answer says by itself that it is for everybody.
func (e *entry) shared() bool { return e.control.Public || e.control.SMaxAge != absent }

// perHop are headers of a connection, not of an answer (RFC 9110 §7.6.1), and those that are not
// for others: what they say is of one exchange.
var perHop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Set-Cookie", "Set-Cookie2", "Cache-Status", "Age",
}

// kept is a copy of h to keep.
func kept(h http.Header) http.Header {
	all := make(http.Header, len(h)+1)
	for name, values := range h {
		all[name] = slices.Clip(slices.Clone(values))
	}
	dropHops(all)
	return all
}

func dropHops(h http.Header) {
	for _, field := range h["Connection"] {
		for name := range strings.SplitSeq(field, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range perHop {
		delete(h, name)
	}
}

// frozen are headers that a 304 does not change: they describe the body that is kept (RFC 9111
// §3.2).
var frozen = []string{"Content-Length", "Content-Encoding", "Content-Type", "Content-Range", "Etag"}

// merged is e with what a 304 says (RFC 9111 §4.3.4).
func (e *entry) merged(h http.Header) http.Header {
	all := maps.Clone(e.header)
	delete(all, "Date") // without one it counts from now
	for name, values := range kept(h) {
		if !slices.Contains(frozen, name) {
			all[name] = values
		}
	}
	if age := h["Age"]; len(age) > 0 {
		all["Age"] = age
	}
	return all
}
