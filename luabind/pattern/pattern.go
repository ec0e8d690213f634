// Package pattern matches Lua 5.1 patterns under a step budget.
//
// It does what string.find, match, gmatch and gsub of the reference implementation do, with the one
// difference that no pattern can run away: every step is charged to a [Budget], and a match that
// spends it ends with [ErrSteps]. Strings are bytes; positions are byte offsets that start at 0.
//
// The pattern source is matched directly, without a compile step, as the reference does: errors in
// a part of the pattern that is never reached are never raised. Two things are stricter than 5.1.5,
// where its manual leaves the result open: a zero byte in a pattern is an ordinary byte (5.1.5 cuts
// the pattern there), and an unfinished capture is an error even if nothing asks for its value.
//
// See the Lua 5.1 manual, section 5.4.1.
package pattern

import (
	"errors"
	"strings"
)

// MaxCaptures is how many captures a pattern may have, as LUA_MAXCAPTURES of Lua 5.1.
const MaxCaptures = 32

// maxDepth bounds the nesting of one attempt, as MAXCCALLS of Lua 5.2 and later. Captures and
// repetitions nest; plain items do not, so only patterns with some 200 of them are refused.
const maxDepth = 200

var (
	errEndsWithPercent = errors.New("malformed pattern (ends with '%')")
	errMissingBracket  = errors.New("malformed pattern (missing ']')")
	errMissingBalance  = errors.New("malformed pattern (missing arguments to '%b')")
	errMissingFrontier = errors.New("missing '[' after '%f' in pattern")
	errUnfinished      = errors.New("unfinished capture")
	errCaptureIndex    = errors.New("invalid capture index")
	errPatternCapture  = errors.New("invalid pattern capture")
	errTooManyCaptures = errors.New("too many captures")
	errTooComplex      = errors.New("pattern too complex")
)

// Plain reports whether src has no special characters, so that string.find may use [strings.Index].
// As in Lua 5.1, ')' and ']' alone are not special.
func Plain(src string) bool {
	return !strings.ContainsAny(src, "^$*+?.([%-")
}

// Offset turns the init argument of string.find and string.match (from 1; negative counts from the
// end) into an offset for [Match.Find], clamped to 0..length.
func Offset(init, length int) int {
	if init < 0 {
		init = max(init+length+1, 0)
	}
	return min(max(init-1, 0), length)
}

// Match is one match and the working memory of the matcher. The zero value is ready; reusing it
// saves allocations. It keeps the last subject and pattern alive until its next use, and must not
// be used by two goroutines, nor from inside the callback of its own [Match.Gsub].
type Match struct {
	// Start and End delimit the whole match: subject[Start:End].
	Start, End int

	src    string // the pattern
	s      string // the subject
	budget *Budget
	err    error
	own    Budget // for callers that pass none
	n      int    // captures opened so far
	caps   [MaxCaptures]Capture
	sets   setCache
}

// Capture is what one pair of parentheses caught.
type Capture struct {
	Start, End int // subject[Start:End]; End is negative for a position capture
}

// Values of Capture.End that are no offsets.
const (
	unfinished = -1
	position   = -2
)

// IsPosition reports whether the capture is a position capture "()", whose value is the number
// Start+1 and not a string.
func (c Capture) IsPosition() bool { return c.End == position }

// Find looks for the first match of src in s at offset init or later, as string.find and
// string.match do: a leading '^' anchors the match at init. An init outside 0..len(s) finds nothing.
// A nil budget stands for a fresh one of [DefaultSteps].
func (m *Match) Find(src, s string, init int, b *Budget) (bool, error) {
	m.begin(src, s, b)
	return m.find(init)
}

// Captures returns the captures of the last successful match in the order of their opening
// parentheses. It is empty for a pattern without captures, where Lua uses the whole match. The
// slice is valid until the next use of m.
func (m *Match) Captures() []Capture { return m.caps[:m.n] }

// Text returns the whole match.
func (m *Match) Text() string { return m.s[m.Start:m.End] }

func (m *Match) begin(src, s string, b *Budget) {
	if b == nil {
		m.own = Budget{left: DefaultSteps}
		b = &m.own
	}
	if m.src != src {
		m.src = src
		m.sets.forget()
	}
	m.s, m.budget, m.err, m.n = s, b, nil, 0
}

func (m *Match) find(init int) (bool, error) {
	if init < 0 || init > len(m.s) {
		return false, nil
	}
	if strings.HasPrefix(m.src, "^") {
		return m.try(init, 1)
	}
	return m.search(init, 0)
}

// try matches the pattern from offset p at the subject's offset s only.
func (m *Match) try(s, p int) (bool, error) {
	m.n = 0
	end := m.match(s, p, maxDepth)
	if end == aborted {
		return false, m.err
	}
	if end == noMatch {
		return false, nil
	}
	for _, c := range m.caps[:m.n] {
		if c.End == unfinished {
			return false, errUnfinished
		}
	}
	m.Start, m.End = s, end
	return true, nil
}

// search tries every offset from init on, leaping over those that cannot begin a match.
func (m *Match) search(init, p int) (bool, error) {
	head := m.head(p)
	if head.end == aborted {
		return false, m.err
	}
	for s := init; s <= len(m.s); s++ {
		if head.end > 0 {
			s = m.leap(head, s)
		}
		if s == noMatch {
			return false, nil
		}
		if s == aborted {
			return false, m.err
		}
		if ok, err := m.try(s, p); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
