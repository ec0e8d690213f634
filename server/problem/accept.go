package problem

import (
	"net/http"
	"strconv"
	"strings"
)

// WantsHTML reports whether the client of r prefers a page to JSON.
func WantsHTML(r *http.Request) bool { return prefersHTML(r.Header["Accept"]) }

// prefersHTML reports whether the client names text/html and likes it more than any kind of JSON
// it names, and at least as much as anything at all. So a browser does, and curl, a client that
// accepts "*/*" or one that lists both alike does not.
func prefersHTML(accept []string) bool {
	var html, named, anything float64
	for _, line := range accept {
		for media := range strings.SplitSeq(line, ",") {
			kind, q := quality(media)
			switch {
			case kind == "text/html" || kind == "application/xhtml+xml":
				html = max(html, q)
			case kind == "application/json" || strings.HasSuffix(kind, "+json"):
				named = max(named, q)
			case kind == "*/*" || kind == "application/*":
				anything = max(anything, q)
			}
		}
	}
	return html > named && html >= anything && html > 0
}

// quality is a media range in lower case and its weight, RFC 9110 §12.4.2. A weight that makes
// no sense counts as 0.
func quality(media string) (kind string, q float64) {
	kind, params, _ := strings.Cut(media, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return kind, 0
		}
		return kind, q
	}
	return kind, 1
}
