package schema

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// looksLikeRange tells a range, or a failed attempt at one, from other words.
func looksLikeRange(word string) bool {
	return strings.Contains(word, "..") || digits(strings.TrimLeft(word, "-.")) > 0
}

// bounds parses the range of f, if there is one, and prepares its limits.
func (p *parser) bounds(f *Field) error {
	at, word := p.start(), p.peekWord()
	if !looksLikeRange(word) {
		f.limits, _ = newLimits(f.info.measure, "", "")
		return nil
	}
	p.pos += len(word)
	m := f.info.measure
	if m == noRange {
		return p.fail(at, "%s takes no range; %s", f.Type, f.info.noRange)
	}
	low, high, ok := strings.Cut(word, "..")
	switch dash := strings.LastIndexByte(word, '-'); {
	case !ok && strings.HasPrefix(p.peekWord(), ".."):
		return p.fail(at, `a range has no white space in it: "1..5"`)
	case !ok && dash > 0:
		return p.fail(at, `a range is written with two dots: "%s..%s"`, word[:dash], word[dash+1:])
	case !ok && m == byBytes:
		return p.fail(at, `%q is not a range; "..%[1]s" is at most %[1]s, "%[1]s.." at least`, word)
	case !ok:
		return p.fail(at, `%q is not a range; "%[1]s.." is at least %[1]s, "..%[1]s" at most, "%[1]s..%[1]s" exactly`, word)
	case low == "" && high == "":
		return p.fail(at, `".." needs an end: "1..", "..80" or "1..80"`)
	}
	var mistake string
	if f.Min, mistake = parseBound(m, low); mistake != "" {
		return p.fail(at, "%s", mistake)
	}
	if f.Max, mistake = parseBound(m, high); mistake != "" {
		return p.fail(at+len(low)+len(".."), "%s", mistake)
	}
	if f.limits, ok = newLimits(m, f.Min, f.Max); ok {
		return nil
	}
	switch {
	case high == "":
		return p.fail(at, `the open end of %q is %d by default; to go further write the end: "%s..N"`, word, f.hi, low)
	case low == "":
		return p.fail(at, `the open end of %q is %d by default; to go further write the end: "N..%s"`, word, f.lo, high)
	}
	return p.fail(at, `the range is reversed: write "%s..%s"`, high, low)
}

// parseBound is the canonical text of one end, or the mistake in it.
func parseBound(m measure, s string) (text, mistake string) {
	if s == "" {
		return "", ""
	}
	switch m {
	case byInt:
		return parseWhole(s, "an int")
	case byNumber:
		n, err := strconv.ParseFloat(s, 64)
		if !isNumber(s) || err != nil {
			return "", strconv.Quote(s) + " is not a number a range can end at"
		}
		return strconv.FormatFloat(n, 'g', -1, 64), ""
	case byDecimal:
		if !isDecimal(s) {
			return "", strconv.Quote(s) + " is not a decimal such as 12.50"
		}
		return s, ""
	case byBytes:
		return parseSize(s)
	}
	if strings.HasPrefix(s, "-") {
		return "", "a length cannot be negative: " + strconv.Quote(s)
	}
	return parseWhole(s, "a length")
}

func parseWhole(s, what string) (text, mistake string) {
	if !isInt(s) {
		return "", what + " ends at a whole number, not at " + strconv.Quote(s)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return "", strconv.Quote(s) + " does not fit in 64 bits"
	}
	return strconv.FormatInt(n, 10), ""
}

func parseSize(s string) (text, mistake string) {
	number, unit := s[:digits(s)], s[digits(s):]
	switch {
	case number == "" || strings.HasPrefix(unit, "."):
		return "", strconv.Quote(s) + ` is not a size: a whole number and its unit, such as "5mb" or "512kb"`
	case unit == "":
		return "", "the size " + s + ` has no unit: "` + s + `b", "` + s + `kb", "` + s + `mb" or "` + s + `gb"`
	}
	for _, u := range units {
		if u.name != unit {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n > math.MaxInt64/u.bytes {
			return "", "the size " + strconv.Quote(s) + " does not fit in 64 bits"
		}
		return strconv.FormatInt(n*u.bytes, 10), ""
	}
	return "", "unknown unit " + strconv.Quote(unit) + "; units are b, kb, mb and gb (1 kb = 1024 b)"
}

// newLimits prepares canonical ends for comparing, and tells whether they are in order.
func newLimits(m measure, low, high string) (l limits, ordered bool) {
	switch m {
	case byNumber:
		l.min, l.max = floatBound(low), floatBound(high)
		return l, l.min == nil || l.max == nil || *l.min <= *l.max
	case byDecimal:
		l.from, l.to = ratBound(low), ratBound(high)
		return l, l.from == nil || l.to == nil || l.from.Cmp(l.to) <= 0
	case byInt:
		l.lo, l.hi = -MaxInt, MaxInt
	case byItems:
		l.hi = MaxItems
	default:
		l.hi = math.MaxInt64
	}
	l.lo, l.hi = intBound(low, l.lo), intBound(high, l.hi)
	return l, l.lo <= l.hi
}

func intBound(s string, open int64) int64 {
	if s == "" {
		return open
	}
	n, _ := strconv.ParseInt(s, 10, 64) // canonical
	return n
}

func floatBound(s string) *float64 {
	if s == "" {
		return nil
	}
	n, _ := strconv.ParseFloat(s, 64) // canonical
	return &n
}

func ratBound(s string) *big.Rat {
	if s == "" {
		return nil
	}
	r, _ := new(big.Rat).SetString(s) // canonical
	return r
}
