package luabind

import "slices"

// A guardBehind is a guard of the engine that a part of the app got behind routes, which it does not guard.
type guardBehind struct {
	link
	part   *App
	before *route // the first of those routes
}

// noteRoute keeps the first route of a and of what it is part of. Those of who runs the service are left
// out: they stand before guards on purpose.
func (a *App) noteRoute(r *route) {
	if r.kind == "health" || r.kind == "metrics" {
		return
	}
	for ; a != nil; a = a.parent {
		if a.first == nil {
			a.first = r
		}
	}
}

// noteGuard keeps a guard that comes behind routes.
func (a *App) noteGuard(l link) {
	if a.first != nil && l.native != nil && l.native.Guard {
		a.state.guardsBehind = append(a.state.guardsBehind, guardBehind{l, a, a.first})
	}
}

// warnOfLateGuards tells of guards that are behind some routes of their part and before others: that may
// be meant, and a group would say so. Those behind all routes have been told already.
func (p *Program) warnOfLateGuards() {
	for _, g := range p.states[0].guardsBehind {
		if slices.ContainsFunc(g.part.idle, func(l link) bool { return l.native == g.native }) {
			continue
		}
		p.logger.Warn("app:use: a guard does not guard the routes that were declared before it: put it before them, or what it guards into a group with it",
			"middleware", g.name(), "at", g.source, "unguarded", g.before.String(), "declared", g.before.source)
	}
}

// behind is what a warning says of a link behind all routes of a part.
func (l link) behind(a *App) []any {
	attrs := []any{"middleware", l.name(), "at", l.source}
	if a.first == nil {
		return attrs
	}
	return append(attrs, "first_route", a.first.String(), "declared", a.first.source)
}
