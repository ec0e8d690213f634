package luabind

import (
	"slices"

	"rws/luabind/fault"
	"rws/luabind/vm"
)

// agree reports whether this isolate's run of the script declared what another's did.
func (s *state) agree(other *state) error {
	if !slices.EqualFunc(s.routes, other.routes, (*route).same) {
		return &fault.Error{Code: "isolates", At: s.program.Main(),
			Message: "the script declared other routes in its second isolate than in its first",
			Hint:    "with isolates above 1 the script runs once in each and must declare the same every time: don't declare by chance, by time or by what app.shared holds"}
	}
	if s.tls != other.tls {
		return &fault.Error{Code: "isolates", At: s.program.Main(), Message: "the script called app:tls another number of times in its second isolate than in its first"}
	}
	return nil
}

// Isolates returns the program's isolates.
func (p *Program) Isolates() []*vm.Isolate {
	list := make([]*vm.Isolate, len(p.states))
	for i, s := range p.states {
		list[i] = s.isolate
	}
	return list
}

// pick returns the state whose isolate has the least to do.
func (p *Program) pick() *state {
	if len(p.states) == 1 {
		return p.states[0]
	}
	start := int(p.turn.Add(1))
	best := p.states[start%len(p.states)]
	for i := 1; i < len(p.states); i++ {
		if s := p.states[(start+i)%len(p.states)]; s.isolate.Active() < best.isolate.Active() {
			best = s
		}
	}
	return best
}
