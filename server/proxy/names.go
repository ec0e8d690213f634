package proxy

import (
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"rws/server/fieldname"
)

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
			n.prefixes = append(n.prefixes, fieldname.Fold(bare))
		case strings.HasPrefix(text, "*"):
			n.suffixes = append(n.suffixes, fieldname.Fold(bare))
		default:
			n.whole[fieldname.Fold(bare)] = struct{}{}
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
	name = fieldname.Fold(name)
	if _, ok := n.whole[name]; ok {
		return true
	}
	return slices.ContainsFunc(n.prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) ||
		slices.ContainsFunc(n.suffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

// canonical is the name as headers of package http have it.
func canonical(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }
