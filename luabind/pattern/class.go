package pattern

import "strings"

// set is a set of bytes, one bit each.
type set [4]uint64

func (t *set) has(c byte) bool { return t[c>>6]>>(c&63)&1 != 0 }

func (t *set) add(c byte) { t[c>>6] |= 1 << (c & 63) }

func (t *set) addRange(from, to byte) {
	for c := int(from); c <= int(to); c++ {
		t.add(byte(c))
	}
}

func (t *set) addSet(u *set) {
	for i := range t {
		t[i] |= u[i]
	}
}

func (t *set) invert() {
	for i := range t {
		t[i] = ^t[i]
	}
}

// anyByte is the set of ".".
var anyByte = set{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}

// classes holds the set of each class letter, lower case and (inverted) upper case, as the ctype
// functions give them in the C locale; nil for a byte that stands for itself after '%'.
var classes = makeClasses()

func makeClasses() (table [256]*set) {
	ranges := map[byte]string{ // pairs of first and last
		'a': "AZaz",
		'c': "\x00\x1f\x7f\x7f",
		'd': "09",
		'l': "az",
		'p': "!/:@[`{~",
		's': "\t\r  ",
		'u': "AZ",
		'w': "09AZaz",
		'x': "09AFaf",
		'z': "\x00\x00",
	}
	for letter, pairs := range ranges {
		in := &set{}
		for i := 0; i < len(pairs); i += 2 {
			in.addRange(pairs[i], pairs[i+1])
		}
		out := *in
		out.invert()
		table[letter], table[letter-'a'+'A'] = in, &out
	}
	return table
}

// item is one single-character item of a pattern: a set or, if that is nil, one byte.
type item struct {
	set *set
	lit byte
	end int // where the item ends in the pattern; aborted if it is malformed; 0 for no item
}

func (it item) has(c byte) bool {
	if it.set == nil {
		return it.lit == c
	}
	return it.set.has(c)
}

// run returns the end of the run of matching bytes that starts at offset i.
func (it item) run(s string, i int) int {
	if it.set == &anyByte {
		return len(s)
	}
	if it.set == nil {
		for i < len(s) && s[i] == it.lit {
			i++
		}
		return i
	}
	for i < len(s) && it.set.has(s[i]) {
		i++
	}
	return i
}

// item reads the single-character item at offset p of the pattern.
func (m *Match) item(p int) item {
	c := m.src[p]
	switch c {
	case '.':
		return item{set: &anyByte, end: p + 1}
	case '[':
		return m.bracket(p)
	case '%':
		if p+1 == len(m.src) {
			return item{end: m.abort(errEndsWithPercent)}
		}
		c = m.src[p+1]
		return item{set: classes[c], lit: c, end: p + 2}
	}
	return item{lit: c, end: p + 1}
}

// bytesPerStep is how many bytes of a run cost as much as one step: 1.5 ns a byte against 11 ns.
const bytesPerStep = 8

// head returns the item that every match of the pattern from offset p on begins with, or an item
// whose end is 0 if there is no such item.
func (m *Match) head(p int) item {
	for p < len(m.src) && m.src[p] == '(' {
		p++
		if p < len(m.src) && m.src[p] == ')' {
			p++
		}
	}
	if p == len(m.src) || m.src[p] == ')' || m.src[p] == '$' && p+1 == len(m.src) {
		return item{}
	}
	if m.src[p] == '%' && p+1 < len(m.src) && strings.IndexByte("bf0123456789", m.src[p+1]) >= 0 {
		return item{}
	}
	it := m.item(p)
	if it.end == aborted {
		return it
	}
	switch m.suffix(it) {
	case '*', '-', '?':
		return item{}
	}
	return it
}

// leap returns the first offset from s on where the head matches, or noMatch, or aborted.
func (m *Match) leap(head item, s int) int {
	if head.set == nil {
		i := strings.IndexByte(m.s[s:], head.lit)
		if i < 0 {
			return m.charge(len(m.s)-s, noMatch)
		}
		return m.charge(i, s+i)
	}
	set := *head.set
	subject := m.s
	i := s
	for i < len(subject) && !set.has(subject[i]) {
		i++
	}
	if i == len(m.s) {
		return m.charge(i-s, noMatch)
	}
	return m.charge(i-s, i)
}

// bracket reads the set at offset p of the pattern, from memory if it was read before.
func (m *Match) bracket(p int) item {
	if c := m.sets.at(p); c != nil {
		return item{set: &c.set, end: c.end}
	}
	last := m.bracketEnd(p)
	if last == aborted {
		return item{end: aborted}
	}
	if !m.spend((last - p) / 2) {
		return item{end: aborted}
	}
	c := m.sets.put(p, last+1)
	c.set = parseSet(m.src[p+1 : last])
	return item{set: &c.set, end: c.end}
}

// bracketEnd returns the offset of the ']' that closes the set at offset p. A ']' in the first
// place is a member, and so is one after '%'.
func (m *Match) bracketEnd(p int) int {
	i := p + 1
	if i < len(m.src) && m.src[i] == '^' {
		i++
	}
	for first := i; i < len(m.src); i++ {
		switch {
		case m.src[i] == ']' && i > first:
			return i
		case m.src[i] == '%':
			i++
		}
	}
	return m.abort(errMissingBracket)
}

// parseSet reads the inside of brackets. A class or a '%' never begins or ends a range, except that
// '%' after '-' is the byte itself, as in the reference.
func parseSet(src string) (t set) {
	negated := strings.HasPrefix(src, "^")
	if negated {
		src = src[1:]
	}
	for i := 0; i < len(src); i++ {
		switch {
		case src[i] == '%':
			i++
			c := byte(']') // "[a-%%]": the range took the first '%', and 5.1 escapes the bracket
			if i < len(src) {
				c = src[i]
			}
			if class := classes[c]; class != nil {
				t.addSet(class)
			} else {
				t.add(c)
			}
		case i+2 < len(src) && src[i+1] == '-':
			t.addRange(src[i], src[i+2])
			i += 2
		default:
			t.add(src[i])
		}
	}
	if negated {
		t.invert()
	}
	return t
}

// setCache remembers the sets of the current pattern by their offset. Without it a set is read
// again for each byte it is tried on.
type setCache struct {
	slots [8]*cachedSet
	own   [4]cachedSet // the first sets of a pattern need no allocation
	used  int
}

type cachedSet struct {
	offset, end int
	set         set
}

func (c *setCache) forget() {
	c.slots = [8]*cachedSet{}
	c.used = 0
}

func (c *setCache) at(p int) *cachedSet {
	if e := c.slots[p&7]; e != nil && e.offset == p {
		return e
	}
	return nil
}

// put takes the slot of offset p. The set that was there stays valid for whoever holds it.
func (c *setCache) put(p, end int) *cachedSet {
	var e *cachedSet
	if c.used < len(c.own) {
		e = &c.own[c.used]
		c.used++
	} else {
		e = new(cachedSet)
	}
	*e = cachedSet{offset: p, end: end}
	c.slots[p&7] = e
	return e
}
