package luabind

import (
	"fmt"
	"slices"

	"rws/luabind/fault"
)

// checkCaches refuses chains in which a guard of the engine stands behind a cache: what the cache has
// it would give to everybody, past the guard.
func (s *state) checkCaches(early []link) error {
	if err := checkCache(slices.Concat(early, s.root.links()), "the whole app"); err != nil {
		return err
	}
	for _, r := range s.routes {
		if err := checkCache(slices.Concat(early, r.chain), "the route "+r.String()); err != nil {
			return err
		}
	}
	return nil
}

// checkCache finds the first guard behind a cache in the chain of what.
func checkCache(chain []link, what string) error {
	cache := slices.IndexFunc(chain, func(l link) bool { return l.native != nil && l.native.cache != nil })
	if cache < 0 {
		return nil
	}
	guard := slices.IndexFunc(chain[cache:], func(l link) bool { return l.native != nil && l.native.Guard })
	if guard < 0 {
		return nil
	}
	l := chain[cache+guard]
	return &fault.Error{Code: "order", At: l.source,
		Message: fmt.Sprintf("%s: rws.%s stands behind the cache of %s, which would give its answers to everybody", what, l.native.Name, chain[cache].source),
		Hint:    "put rws.http_cache behind the guards"}
}

// String is how errors call a route, "GET /notes".
func (r *route) String() string {
	if r.method == "" {
		return r.host + r.pattern
	}
	return r.method + " " + r.host + r.pattern
}
