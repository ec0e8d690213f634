// Package wire reads what HTTP/1 messages are made of: heads, fields, the length of a body, chunks.
// The server engine and the client of the proxy read with the same code, so that what one of them
// refuses does not get past the other.
//
// It is as strict as RFC 9112 allows: lines end with CR LF, nothing is folded, a body has one
// length.
package wire

import (
	"strings"
)

// A Fault says what is improper about a message.
type Fault string

func (f Fault) Error() string { return string(f) }

// IsToken reports whether s is a token (RFC 9110 §5.6.2), as names and methods are.
func IsToken(s string) bool {
	for i := range len(s) {
		if kinds[s[i]]&token == 0 {
			return false
		}
	}
	return s != ""
}

// IsValue reports whether s may be the value of a field (RFC 9110 §5.5): no control characters but
// the tab.
func IsValue(s string) bool {
	for i := range len(s) {
		if kinds[s[i]]&control != 0 {
			return false
		}
	}
	return true
}

// IsTarget reports whether s may stand in a request line: no white space, nothing but ASCII, and no
// fragment.
func IsTarget(s string) bool {
	for i := range len(s) {
		if kinds[s[i]]&target == 0 {
			return false
		}
	}
	return s != ""
}

const (
	token   = 1 << iota // may stand in a name
	control             // may not stand in a value
	target              // may stand in a request target
)

// kinds says where each byte may stand.
var kinds = func() (t [256]byte) {
	for c := range 256 {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if letter || c < 128 && strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0 {
			t[c] |= token
		}
		if c < ' ' && c != '\t' || c == 127 {
			t[c] |= control
		}
		if c > ' ' && c < 127 && c != '#' {
			t[c] |= target
		}
	}
	return t
}()
