package proxy

import (
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// fold is the name of a field as the most careless reader sees it: in lower case, with "_" and "."
// for "-", as CGI makes of it.
func fold(name string) string {
	for i := range len(name) {
		if foldByte(name[i]) != name[i] {
			b := []byte(name)
			for i, c := range b {
				b[i] = foldByte(c)
			}
			return string(b)
		}
	}
	return name
}

func foldByte(c byte) byte {
	switch {
	case c == '_' || c == '.':
		return '-'
	case 'A' <= c && c <= 'Z':
		return c | 0x20
	}
	return c
}

// ambiguous reports a name that others may take for one with "-".
func ambiguous(name string) bool {
	return strings.IndexByte(name, '_') >= 0 || strings.IndexByte(name, '.') >= 0
}

// names is a set of names of fields: whole ones, and globs with one "*" at an end. All are folded.
type names struct {
	whole    map[string]struct{}
	prefixes []string
	suffixes []string
}

// parseNames reads names like "X-Trace", "X-Internal-*" and "*-Secret".
func parseNames(list []string) (names, error) {
	n := names{whole: map[string]struct{}{}}
	for _, text := range list {
		bare := strings.Trim(text, "*")
		if !httpguts.ValidHeaderFieldName(bare) || len(text)-len(bare) > 1 {
			return n, &nameError{text}
		}
		switch {
		case strings.HasSuffix(text, "*"):
			n.prefixes = append(n.prefixes, fold(bare))
		case strings.HasPrefix(text, "*"):
			n.suffixes = append(n.suffixes, fold(bare))
		default:
			n.whole[fold(bare)] = struct{}{}
		}
	}
	return n, nil
}

type nameError struct{ name string }

func (e *nameError) Error() string {
	return `header "` + e.name + `": want a name, as "X-Trace", with a "*" at one end for all that begin or end like it`
}

// has reports whether a name, folded or not, is in the set.
func (n *names) has(name string) bool {
	name = fold(name)
	if _, ok := n.whole[name]; ok {
		return true
	}
	return slices.ContainsFunc(n.prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) ||
		slices.ContainsFunc(n.suffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

// canonical is the name as headers of package http have it.
func canonical(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }

// hasToken reports whether one of the lists names a token, in any case.
func hasToken(lists []string, token string) bool {
	for _, list := range lists {
		if strings.EqualFold(list, token) {
			return true
		}
		for item := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.Trim(item, " \t"), token) {
				return true
			}
		}
	}
	return false
}
