// Package fieldname compares names of header fields as the most careless reader does: CGI and its kin
// make the same of "X-User", "x_user" and "X.User". What a guard sets or looks at has to be found under
// all of them.
package fieldname

import (
	"slices"
	"strings"
)

// Fold is a name in lower case, with "-" for "_" and ".".
func Fold(name string) string {
	for i := range len(name) {
		if fold(name[i]) != name[i] {
			b := []byte(name)
			for i, c := range b {
				b[i] = fold(c)
			}
			return string(b)
		}
	}
	return name
}

func fold(c byte) byte {
	switch {
	case c == '_' || c == '.':
		return '-'
	case 'A' <= c && c <= 'Z':
		return c | 0x20
	}
	return c
}

// Same reports whether [Fold] makes the same of two names. It allocates nothing.
func Same(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if fold(a[i]) != fold(b[i]) {
			return false
		}
	}
	return true
}

// In reports whether a name is the [Same] as one of names.
func In(names []string, name string) bool {
	return slices.ContainsFunc(names, func(other string) bool { return Same(name, other) })
}

// Ambiguous reports a name with "_" or ".", which others may take for one with "-".
func Ambiguous(name string) bool {
	return strings.IndexByte(name, '_') >= 0 || strings.IndexByte(name, '.') >= 0
}

// Drop removes the fields of the names, and those that others may take for them.
func Drop(h map[string][]string, names []string) {
	for name := range h {
		if In(names, name) {
			delete(h, name)
		}
	}
}
