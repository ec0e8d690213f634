package httpcache

import (
	"net/http"
	"strings"
)

// controlOf are the directives of an answer: those that are meant for caches like this one alone,
// in CDN-Cache-Control (RFC 9213), else Cache-Control. The former is a dictionary of structured
// fields (RFC 9651): one mistake, and all of it counts as not there.
func controlOf(h http.Header) (d directives, targeted bool) {
	if fields := h["Cdn-Cache-Control"]; len(fields) > 0 {
		if d, ok := parseTargeted(strings.Join(fields, ",")); ok {
			return d, true
		}
	}
	return parseDirectives(h["Cache-Control"]), false
}

// timed are the directives whose value is a number; the others have none, or names of fields.
var timed = []string{"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"}

// parseTargeted reads a dictionary whose members are integers, booleans, or strings where those
// make sense.
func parseTargeted(s string) (directives, bool) {
	d := parseDirectives(nil)
	if strings.TrimSpace(s) == "" {
		return d, false
	}
	for s != "" {
		name, value, has, rest, ok := nextDirective(s)
		quoted := has && strings.HasPrefix(strings.TrimPrefix(strings.TrimLeft(s, " \t"), name+"="), `"`)
		if !ok || !isKey(name) {
			return d, false
		}
		value, _, _ = strings.Cut(value, ";") // parameters mean nothing here
		number := value != "" && strings.Trim(value, "0123456789") == "" && !quoted
		for _, t := range timed {
			if t == name && !number {
				return d, false
			}
		}
		if has && !number && !quoted && value != "?1" && value != "?0" && !isToken(value) {
			return d, false
		}
		if value != "?0" {
			d.set(name, value, has)
		}
		s = rest
	}
	return d, true
}

// isKey is for RFC 9651 §3.1.2.
func isKey(s string) bool {
	if s == "" || s[0] != '*' && (s[0] < 'a' || s[0] > 'z') {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-.*") == ""
}
