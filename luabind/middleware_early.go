package luabind

import (
	"fmt"
	"net/http"
	"slices"

	"rws/luabind/fault"
	"rws/server/router"
)

// early returns what stands before the routing, outermost first: the one who tells clients apart
// comes before all that ask who the client is.
func (p *Program) early() ([]link, error) {
	list := p.states[0].root.early
	proxies, err := p.Config.clientIP()
	if err != nil || proxies == nil {
		return list, err
	}
	return append([]link{{native: proxies}}, list...), nil
}

// before is the middleware as it stands before the routing. In development the stream that reloads a
// page is not among what is limited: it stays open for as long as the page does.
func (p *Program) before(m *Middleware) func(http.Handler) http.Handler {
	if p.Config.Production() || !m.limits() {
		return m.Wrap
	}
	return func(next http.Handler) http.Handler {
		limited := m.Wrap(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == reloadPath {
				next.ServeHTTP(w, r)
				return
			}
			limited.ServeHTTP(w, r)
		})
	}
}

// limits reports whether m bounds what requests may take.
func (m *Middleware) limits() bool { return m.Limit != "" }

// Early names the middleware that every request passes before a route is looked for.
func (p *Program) Early() []string {
	list, _ := p.early() // the program has loaded, so it can't fail
	names := make([]string, len(list))
	for i, l := range list {
		names[i] = l.name()
	}
	return names
}

// Limits names the middleware that limits all requests.
func (p *Program) Limits() []string {
	names := []string{}
	for _, l := range p.states[0].root.early {
		if l.native.limits() {
			names = append(names, l.name())
		}
	}
	return names
}

// preflight returns what answers the preflights of CORS for r, nil without CORS in its chain. No
// Lua is in it: a browser sends nothing with a preflight that a function could ask for.
func (r *route) preflight() http.Handler {
	if !slices.ContainsFunc(r.chain, link.answersPreflights) {
		return nil
	}
	return wrapped(r.chain, link.isNative, http.HandlerFunc(noContent))
}

// optionsGuard is what stands before the engine's own answer to OPTIONS: the chain without its
// functions, as for preflights. nil is for none.
func (r *route) optionsGuard() func(http.Handler) http.Handler {
	if !slices.ContainsFunc(r.chain, link.isNative) {
		return nil
	}
	return func(h http.Handler) http.Handler { return wrapped(r.chain, link.isNative, h) }
}

func (l link) isNative() bool { return l.native != nil }

func (l link) answersPreflights() bool { return l.native != nil && l.native.Preflight }

func noContent(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// wrapped puts h behind those of a chain that are chosen.
func wrapped(chain []link, chosen func(link) bool, h http.Handler) http.Handler {
	for _, l := range slices.Backward(chain) {
		if chosen(l) {
			h = l.native.Wrap(h)
		}
	}
	return h
}

// misses are the parts of an app with CORS: what no route answers there gets its header fields,
// or a page of another origin could not tell "not found" from a broken network.
type misses struct {
	table *router.Table[[]link] // nil for none
}

// compileMisses collects the parts. Those of an app that another one mounts have no place of
// their own.
func (s *state) compileMisses() (misses, error) {
	b, found := router.New[[]link](), map[string]bool{}
	for _, part := range s.parts {
		chain := part.ownLinks()
		place := part.host + part.prefix
		if part.top().detached || found[place] || !slices.ContainsFunc(chain, link.answersPreflights) {
			continue
		}
		found[place] = true
		if err := b.Add(router.Route{Host: part.host, Pattern: part.prefix + "/*"}, chain); err != nil {
			return misses{}, &fault.Error{Code: "routes", Message: fmt.Sprintf("the group %q: %s", part.prefix, err), Cause: err}
		}
	}
	if len(found) == 0 {
		return misses{}, nil
	}
	return misses{b.Build()}, nil
}

// ownLinks are the links of a part without those of the whole app, which stand before misses
// anyway.
func (a *App) ownLinks() []link {
	if a.parent == nil {
		return nil
	}
	return append(a.parent.ownLinks(), a.chain...)
}

// handler puts h, which answers r, behind the CORS of the part in which r asks for something.
func (m misses) handler(r *http.Request, h http.Handler) http.Handler {
	if m.table == nil {
		return h
	}
	var match router.Match[[]link]
	if m.table.Match(r.Host, r.Method, r.URL.EscapedPath(), &match) != router.Found {
		return h
	}
	return wrapped(match.Value, link.answersPreflights, h)
}
