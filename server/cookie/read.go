// Package cookie reads the cookies of requests and sets those of answers (RFC 6265bis).
//
// Reading is as lenient as browsers are; setting is strict, with safe defaults, and encodes
// what a cookie cannot hold. A [Codec] signs and encrypts values.
package cookie

import (
	"iter"
	"net/http"
	"strings"
)

// Limits of what is read. Browsers send at most 180 cookies of 4 KiB; what is beyond these
// limits is not seen.
const (
	MaxCount = 256
	MaxBytes = 64 << 10 // of all Cookie fields of a request
)

// Get returns the value of a cookie of a request, decoded (see [Decode]), and whether it is
// there. Of several with the same name the first counts, which is the one with the most
// specific path (RFC 6265 §5.4).
func Get(h http.Header, name string) (string, bool) {
	for n, raw := range pairs(h) {
		if n == name {
			return Decode(raw), true
		}
	}
	return "", false
}

// Count is how many cookies of a request have a name. A page of a neighbour domain, or of another
// path, can add one of the name.
func Count(h http.Header, name string) (count int) {
	for n := range pairs(h) {
		if n == name {
			count++
		}
	}
	return count
}

// All returns the cookies of a request, each name once, with decoded values.
func All(h http.Header) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		seen := make(map[string]bool)
		for name, raw := range pairs(h) {
			if seen[name] {
				continue
			}
			seen[name] = true
			if !yield(name, Decode(raw)) {
				return
			}
		}
	}
}

// pairs yields names and raw values. Cookies without a name are left out: a server that takes
// them for one with a name lets a neighbour domain set "=__Host-id=evil". So are those with
// control characters, which no browser sends.
func pairs(h http.Header) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		count, bytes := 0, 0
		for _, field := range h["Cookie"] {
			if bytes += len(field); bytes > MaxBytes {
				return
			}
			for part := range strings.SplitSeq(field, ";") {
				name, value, ok := strings.Cut(part, "=")
				name, value = trim(name), trim(value)
				if !ok || name == "" || hasControl(name) || hasControl(value) {
					continue
				}
				if count++; count > MaxCount || !yield(name, unquote(value)) {
					return
				}
			}
		}
	}
}

func trim(s string) string { return strings.Trim(s, " \t") }

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 && s[i] != '\t' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

const hexDigits = "0123456789ABCDEF"

// Encode returns value with everything that a cookie cannot hold, and "%" itself, written as
// %XX of its UTF-8 bytes, as encodeURIComponent does in browsers. Most values stay as they are.
func Encode(value string) string {
	n := 0
	for i := range len(value) {
		if !plain(value[i]) {
			n++
		}
	}
	if n == 0 {
		return value
	}
	b := make([]byte, 0, len(value)+2*n)
	for i := range len(value) {
		if c := value[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}

// plain reports whether a byte is a cookie-octet (RFC 6265 §4.1.1) other than "%".
func plain(c byte) bool {
	return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\' && c != '%'
}

// Decode undoes Encode. A "%" without two hex digits behind it stays.
func Decode(raw string) string {
	if !strings.Contains(raw, "%") {
		return raw
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '%' && i+2 < len(raw) {
			if hi, lo := unhex(raw[i+1]), unhex(raw[i+2]); hi >= 0 && lo >= 0 {
				b = append(b, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		b = append(b, raw[i])
	}
	return string(b)
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
