package router

import (
	"iter"
	"strings"
)

// Param is one matched parameter.
type Param struct {
	Name  string // as in the pattern; "*" for an unnamed wildcard
	Value string // percent-decoded; an encoded slash (%2F) is a plain "/" here
	Type  Type   // what the pattern asked for and Value satisfies
}

// InlineParams is how many parameters fit without a heap allocation. Patterns with more are rare, and every request that
// waits pays for the room. A copy of Params with more shares memory with the original.
const InlineParams = 4

// Params are the parameters of one match in the order of the pattern. Parameters of an optional part that was left out
// are absent. The zero value is empty.
type Params struct {
	n      int
	inline [InlineParams]Param
	more   []Param
}

// Len is the number of parameters.
func (p *Params) Len() int { return p.n }

// At is the i-th parameter, from 0 to Len()-1; outside of that it panics.
func (p *Params) At(i int) Param {
	if i >= p.n {
		panic("router: Params.At: index out of range")
	}
	return *p.slot(i)
}

// Get is the value of the parameter called name, and whether there is one.
func (p *Params) Get(name string) (string, bool) {
	for i := range p.n {
		if s := p.slot(i); s.Name == name {
			return s.Value, true
		}
	}
	return "", false
}

// All iterates over the parameters in the order of the pattern.
func (p *Params) All() iter.Seq[Param] {
	return func(yield func(Param) bool) {
		for i := range p.n {
			if !yield(*p.slot(i)) {
				return
			}
		}
	}
}

// slot is the place of the i-th parameter, made on demand; the walk writes values there before it knows their names.
func (p *Params) slot(i int) *Param {
	if i < InlineParams {
		return &p.inline[i]
	}
	i -= InlineParams
	for len(p.more) <= i {
		p.more = append(p.more, Param{})
	}
	return &p.more[i]
}

// fill names the values that the walk has left in the slots.
func (p *Params) fill(named []Param, decoded bool) {
	p.n = len(named)
	for i := range named {
		s := p.slot(i)
		s.Name, s.Type = named[i].Name, named[i].Type
		if decoded {
			s.Value = strings.ReplaceAll(s.Value, hidden, "/")
		}
	}
}
