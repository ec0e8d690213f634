package httpcache

import (
	"math"
	"strings"
	"time"
)

// absent is the value of a directive that is not there.
const absent time.Duration = -1

// forever stands for numbers that are too large (RFC 9111 §1.2.2).
const forever = math.MaxInt32 * time.Second

// directives are what Cache-Control says, of a request or an answer. Times are absent where the
// directive is not there. What cannot be read counts as what keeps the least: a broken time is 0,
// a broken field is no-store, and private and no-cache with names of fields mean the whole answer.
type directives struct {
	NoStore, NoCache, Private, Public, MustRevalidate, ProxyRevalidate, MustUnderstand bool
	Immutable, NoTransform, OnlyIfCached                                               bool

	MaxAge, SMaxAge, StaleWhileRevalidate, StaleIfError time.Duration
	MinFresh, MaxStale                                  time.Duration // MaxStale without a value is forever
}

// parseDirectives reads the fields Cache-Control of a message.
func parseDirectives(fields []string) directives {
	d := directives{MaxAge: absent, SMaxAge: absent, StaleWhileRevalidate: absent, StaleIfError: absent, MinFresh: absent, MaxStale: absent}
	for _, field := range fields {
		for field != "" {
			var name, value string
			var has, ok bool
			name, value, has, field, ok = nextDirective(field)
			if !ok {
				d.NoStore = true
				break
			}
			d.set(name, value, has)
		}
	}
	return d
}

// nextDirective cuts the first directive off a list. ok is false for quotes that do not end:
// whatever they hide might have been no-store.
func nextDirective(s string) (name, value string, has bool, rest string, ok bool) {
	end := strings.IndexAny(s, "=,")
	if end < 0 {
		return strings.TrimSpace(s), "", false, "", true
	}
	name, rest = strings.TrimLeft(s[:end], " \t"), s[end+1:]
	if s[end] == ',' {
		return strings.TrimSpace(name), "", false, rest, true
	}
	if !strings.HasPrefix(rest, `"`) {
		value, rest, _ = strings.Cut(rest, ",")
		return name, strings.TrimRight(value, " \t"), true, rest, true
	}
	value, rest, ok = unquote(rest[1:])
	extra, rest, _ := strings.Cut(rest, ",")
	if strings.TrimSpace(extra) != "" {
		value += extra // no number any more
	}
	return name, value, true, rest, ok
}

// unquote reads a quoted string to its end.
func unquote(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			i++
			if i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

func (d *directives) set(name, value string, has bool) {
	switch strings.ToLower(name) {
	case "no-store":
		d.NoStore = true
	case "no-cache":
		d.NoCache = true
	case "private":
		d.Private = true
	case "public":
		d.Public = true
	case "must-revalidate":
		d.MustRevalidate = true
	case "proxy-revalidate":
		d.ProxyRevalidate = true
	case "must-understand":
		d.MustUnderstand = true
	case "immutable":
		d.Immutable = true
	case "no-transform":
		d.NoTransform = true
	case "only-if-cached":
		d.OnlyIfCached = true
	case "max-age":
		least(&d.MaxAge, seconds(value))
	case "s-maxage":
		least(&d.SMaxAge, seconds(value))
	case "stale-while-revalidate":
		least(&d.StaleWhileRevalidate, seconds(value))
	case "stale-if-error":
		least(&d.StaleIfError, seconds(value))
	case "min-fresh":
		d.MinFresh = max(d.MinFresh, seconds(value))
	case "max-stale":
		if !has {
			value = "2147483647"
		}
		least(&d.MaxStale, seconds(value))
	}
}

// least keeps the smaller of the values of a directive that is there twice.
func least(to *time.Duration, d time.Duration) {
	if *to == absent || d < *to {
		*to = d
	}
}

// seconds reads a number of seconds, 0 if it is none.
func seconds(s string) time.Duration {
	n := int64(0)
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0
		}
		n = min(n*10+int64(s[i]-'0'), math.MaxInt32)
	}
	return time.Duration(n) * time.Second
}

// requested are the directives of a request; Pragma counts where there is no Cache-Control
// (RFC 9111 §5.4).
func requested(cacheControl, pragma []string) directives {
	d := parseDirectives(cacheControl)
	if cacheControl == nil && len(pragma) > 0 && strings.Contains(strings.ToLower(strings.Join(pragma, ",")), "no-cache") {
		d.NoCache = true
	}
	return d
}
