package httpcache

import (
	"net/http"
	"strings"
)

// holds evaluates the conditions of the client against an answer (RFC 9110 §13.2.2).
func holds(r *http.Request, h http.Header) bool {
	if fields := r.Header["If-None-Match"]; len(fields) > 0 {
		return noneMatch(strings.Join(fields, ","), h.Get("Etag"))
	}
	since, err := parseTime(r.Header.Get("If-Modified-Since"))
	modified, err2 := parseTime(h.Get("Last-Modified"))
	return err == nil && err2 == nil && !modified.After(since)
}

// noneMatch reports whether a list of entity tags has etag, by the weak comparison.
func noneMatch(list, etag string) bool {
	if etag == "" {
		return false
	}
	for list = strings.TrimLeft(list, " \t,"); list != ""; list = strings.TrimLeft(list, " \t,") {
		if list[0] == '*' {
			return true
		}
		tag := strings.TrimPrefix(list, "W/")
		end := strings.IndexByte(strings.TrimPrefix(tag, `"`), '"')
		if tag[:min(1, len(tag))] != `"` || end < 0 {
			return false
		}
		if tag[:end+2] == strings.TrimPrefix(etag, "W/") {
			return true
		}
		list = tag[end+2:]
	}
	return false
}
