package luabind

import (
	"slices"
	"strings"

	"rws/luabind/fault"
)

// checkOrder finds middleware that can do nothing where it stands. What lets nobody in is an error;
// what is only weaker than it looks is logged.
func (p *Program) checkOrder(early []link) error {
	s := p.states[0]
	for _, a := range s.late {
		for _, l := range a.idle {
			p.logger.Warn("app:use: all routes were declared before this, which they do not pass: put it before them", l.behind(a)...)
		}
	}
	p.warnOfLateGuards()
	for _, a := range s.late {
		a.idle = nil
	}
	told := make(map[*Middleware]bool)
	for _, r := range s.routes {
		if err := p.checkChain(slices.Concat(early, r.chain), told); err != nil {
			return err
		}
	}
	return nil
}

// checkChain looks for what goes by the user where nothing can have found out who that is.
func (p *Program) checkChain(chain []link, told map[*Middleware]bool) error {
	for _, l := range chain {
		switch {
		case l.native == nil || l.native.identifies(): // a function may set c.user
			return nil
		case l.native.requires():
			return &fault.Error{Code: "order", At: l.source, Message: "rws.auth.require: nobody is known yet where it stands, so that it lets nobody in",
				Hint: "put a guard before it, as rws.auth.jwt, or a function that sets c.user"}
		case l.native.perUser && !told[l.native]:
			told[l.native] = true
			p.logger.Warn("rws."+l.native.Name+": it goes by the user, and nobody is known yet where it stands, so that it counts by address: put a guard before it", "limit", l.native.Limit, "at", l.source)
		}
	}
	return nil
}

// identifies reports whether m finds out who the user is.
func (m *Middleware) identifies() bool {
	return strings.HasPrefix(m.Name, "auth.") && !m.requires()
}

// requires reports whether m is rws.auth.require.
func (m *Middleware) requires() bool { return strings.HasPrefix(m.Name, "auth.require") }

// used notes middleware that a got behind its routes, until there is another one. For what no route
// answers, functions that the whole app has last are the way to go.
func (a *App) used(l link) {
	if a.declared && (a.parent != nil || l.native != nil) {
		a.idle = append(a.idle, l)
		a.state.late = append(a.state.late, a)
	}
}

// declares notes that a has a route, which passes all that a and what it is part of have so far.
func (a *App) declares() {
	for ; a != nil; a = a.parent {
		a.declared, a.idle = true, nil
	}
}
