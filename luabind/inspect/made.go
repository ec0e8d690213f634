package inspect

import lua "github.com/yuin/gopher-lua"

// A made is a table that the code looked at makes: all that one place makes, for one set of
// arguments. Only what outlives the call is followed into it and out again, so that for
// { config }[1].x = 1 the table config is found.
type made struct {
	slots map[lua.LValue]*slot // by constant key
	any   set                  // under keys that can't be told
	full  bool                 // it holds something that outlives the call
}

// A slot is what a field holds that is assigned in one place, the constructor as a rule. With a
// second place it is given up: o.list = copy(o.list) is what careful code does.
type slot struct {
	held  set
	at    place
	given bool // up
}

// A place is an instruction.
type place struct {
	proto *lua.FunctionProto
	pc    int
}

// A site is where a table is made, by a function that is called with some sets.
type site struct {
	place
	args string
}

// rounds bounds how often an analysis begins anew, because a table that the code makes was found
// to hold more than a call before had seen.
const rounds = 4

// newTable does OP_NEWTABLE.
func (f *frame) newTable() *atom {
	k := site{place{f.fn.proto, f.pc}, f.args}
	t := f.sites[k]
	if t == nil {
		t = f.add(atom{made: &made{slots: make(map[lua.LValue]*slot)}})
		f.sites[k] = t
	}
	return t
}

// lasting returns the atoms of s for what may outlive the call.
func lasting(s set) (out set) {
	for _, t := range s {
		if t.table != nil || t.inside || t.object != nil || t.made != nil {
			out = append(out, t)
		}
	}
	return out
}

// put does m[key] = value; key is empty when it can't be told.
func (f *frame) put(m *made, key, value set) {
	value = lasting(value)
	if len(key) != 1 || key[0].key == nil {
		f.fill(m, &m.any, value)
		return
	}
	here := place{f.fn.proto, f.pc}
	s := m.slots[key[0].key]
	if s == nil {
		s = &slot{at: here}
		m.slots[key[0].key] = s
	}
	if s.at != here {
		s.held, s.given = nil, true
	}
	if !s.given {
		f.fill(m, &s.held, value)
	}
}

// fill adds what a field of m may hold.
func (f *frame) fill(m *made, held *set, value set) {
	s := held.union(value)
	for _, t := range value {
		if t.made == nil || t.made.full {
			m.full = true
		}
	}
	if len(s) > len(*held) {
		*held, f.grown = s, f.grown || m.full
	}
}

// get returns what a made table may hold under a key.
func (m *made) get(key set) set {
	if len(key) != 1 || key[0].key == nil {
		return m.all()
	}
	out := m.any
	if s := m.slots[key[0].key]; s != nil {
		out = s.held.union(out)
	}
	return out
}

func (m *made) all() set {
	out := m.any
	for _, s := range m.slots {
		out = out.union(s.held)
	}
	return out
}

// fieldsPerFlush is how many elements OP_SETLIST sets at most.
const fieldsPerFlush = 50

// setList does OP_SETLIST: the elements of a constructor.
func (f *frame) setList(i instruction) {
	n := i.b()
	if n == 0 { // the last one is a call or …, of which nothing is known
		n = len(f.regs) - i.a() - 1
	}
	for _, t := range f.get(i.a()) {
		for k := 1; k <= n && t.made != nil; k++ {
			key := one(f.constant(lua.LNumber((i.c()-1)*fieldsPerFlush + k)))
			if i.c() == 0 {
				key = nil
			}
			f.put(t.made, key, f.get(i.a()+k))
		}
	}
}
