package pattern

import "strings"

// What match returns instead of an end offset.
const (
	noMatch = -1
	aborted = -2 // m.err says why; it travels up like a match, so that nothing else is tried
)

func (m *Match) abort(err error) int {
	m.err = err
	return aborted
}

func (m *Match) spend(n int) bool {
	m.err = m.budget.Spend(n)
	return m.err == nil
}

// match matches the pattern from offset p at the subject's offset s and returns where the match
// ends. It calls itself only for what may have to be undone.
func (m *Match) match(s, p, depth int) int {
	if depth == 0 {
		return m.abort(errTooComplex)
	}
	for s >= 0 {
		if !m.spend(1) {
			return aborted
		}
		if p == len(m.src) {
			return s
		}
		switch m.src[p] {
		case '(':
			return m.open(s, p+1, depth)
		case ')':
			return m.close(s, p+1, depth)
		case '$':
			if p+1 < len(m.src) {
				break
			}
			if s < len(m.s) {
				return noMatch
			}
			return s
		case '%':
			if end, next := m.escape(s, p); next > 0 {
				s, p = end, next
				continue
			}
		}
		it := m.item(p)
		if it.end == aborted {
			return aborted
		}
		hit := s < len(m.s) && it.has(m.s[s])
		switch m.suffix(it) {
		case '*':
			return m.longest(s, it, depth)
		case '+':
			if !hit {
				return noMatch
			}
			return m.longest(s+1, it, depth)
		case '-':
			return m.shortest(s, it, depth)
		case '?':
			if hit {
				if end := m.match(s+1, it.end+1, depth-1); end != noMatch {
					return end
				}
			}
			p = it.end + 1
			continue
		}
		if !hit {
			return noMatch
		}
		s, p = s+1, it.end
	}
	return s
}

// suffix returns the byte after an item, 0 at the end of the pattern.
func (m *Match) suffix(it item) byte {
	if it.end == len(m.src) {
		return 0
	}
	return m.src[it.end]
}

// longest matches as many items as there are, then gives them back one by one until the rest of
// the pattern matches.
func (m *Match) longest(s int, it item, depth int) int {
	i := it.run(m.s, s)
	if !m.spend((i - s) / bytesPerStep) {
		return aborted
	}
	for ; i >= s; i-- {
		if end := m.match(i, it.end+1, depth-1); end != noMatch {
			return end
		}
	}
	return noMatch
}

// shortest takes one item more each time the rest of the pattern does not match.
func (m *Match) shortest(s int, it item, depth int) int {
	for {
		if end := m.match(s, it.end+1, depth-1); end != noMatch {
			return end
		}
		if s == len(m.s) || !it.has(m.s[s]) {
			return noMatch
		}
		s++
	}
}

func (m *Match) open(s, p, depth int) int {
	if m.n == MaxCaptures {
		return m.abort(errTooManyCaptures)
	}
	m.caps[m.n] = Capture{s, unfinished}
	if p < len(m.src) && m.src[p] == ')' {
		m.caps[m.n].End = position
		p++
	}
	m.n++
	end := m.match(s, p, depth-1)
	if end == noMatch {
		m.n--
	}
	return end
}

func (m *Match) close(s, p, depth int) int {
	i := m.n - 1
	for i >= 0 && m.caps[i].End != unfinished {
		i--
	}
	if i < 0 {
		return m.abort(errPatternCapture)
	}
	m.caps[i].End = s
	end := m.match(s, p, depth-1)
	if end == noMatch {
		m.caps[i].End = unfinished
	}
	return end
}

// escape matches what is no single character: "%b()", "%f[set]" and "%1". It returns where it
// ends in the subject (or noMatch, aborted) and where the pattern goes on: 0 for any other escape.
func (m *Match) escape(s, p int) (end, next int) {
	if p+1 == len(m.src) {
		return s, 0
	}
	switch c := m.src[p+1]; c {
	case 'b':
		return m.balance(s, p+2), p + 4
	case 'f':
		return m.frontier(s, p+2)
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return m.backReference(s, int(c-'1')), p + 2
	}
	return s, 0
}

func (m *Match) balance(s, p int) int {
	if p+2 > len(m.src) {
		return m.abort(errMissingBalance)
	}
	begin, end := m.src[p], m.src[p+1]
	if s == len(m.s) || m.s[s] != begin {
		return noMatch
	}
	level := 1
	for i := s + 1; i < len(m.s); i++ {
		switch m.s[i] {
		case end:
			level--
		case begin:
			level++
		}
		if level == 0 {
			return m.charge(i+1-s, i+1)
		}
	}
	return m.charge(len(m.s)-s, noMatch)
}

// frontier matches the empty string between a byte outside the set and one inside it; both ends
// of the subject count as a zero byte.
func (m *Match) frontier(s, p int) (end, next int) {
	if p == len(m.src) || m.src[p] != '[' {
		return m.abort(errMissingFrontier), p
	}
	it := m.item(p)
	if it.end == aborted {
		return aborted, p
	}
	var before, after byte
	if s > 0 {
		before = m.s[s-1]
	}
	if s < len(m.s) {
		after = m.s[s]
	}
	if it.has(before) || !it.has(after) {
		return noMatch, it.end
	}
	return s, it.end
}

func (m *Match) backReference(s, i int) int {
	if i < 0 || i >= m.n || m.caps[i].End == unfinished {
		return m.abort(errCaptureIndex)
	}
	c := m.caps[i]
	if c.IsPosition() {
		return noMatch
	}
	text := m.s[c.Start:c.End]
	if !strings.HasPrefix(m.s[s:], text) {
		return m.charge(len(text), noMatch)
	}
	return m.charge(len(text), s+len(text))
}

// charge spends the steps of a run over n bytes and returns end.
func (m *Match) charge(n, end int) int {
	if !m.spend(n / bytesPerStep) {
		return aborted
	}
	return end
}
