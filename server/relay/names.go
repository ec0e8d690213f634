package relay

import (
	"fmt"
	"strings"
)

// names are pools by the server name of TLS, in lower case; "*.example.com" under ".example.com".
type names map[string]Pool

func newNames(given map[string]Pool) (names, error) {
	n := make(names, len(given))
	for name, pool := range given {
		key := strings.ToLower(strings.TrimSuffix(name, "."))
		rest, wild := strings.CutPrefix(key, "*.")
		if wild {
			key = "." + rest
		}
		switch {
		case pool == nil:
			return nil, fmt.Errorf("tcp: %q has no backends", name)
		case rest == "" || strings.ContainsAny(rest, "*/: ") || strings.HasPrefix(rest, "."):
			return nil, fmt.Errorf(`tcp: %q is no server name; want one as "db.example.com" or "*.example.com"`, name)
		case n[key] != nil:
			return nil, fmt.Errorf("tcp: the server name %q is there twice", name)
		}
		n[key] = pool
	}
	return n, nil
}

// find returns the pool for a name, or that for the rest.
func (n names) find(name string, rest Pool) Pool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if pool := n[name]; pool != nil && name != "" {
		return pool
	}
	if at := strings.IndexByte(name, '.'); at > 0 {
		if pool := n[name[at:]]; pool != nil {
			return pool
		}
	}
	return rest
}
