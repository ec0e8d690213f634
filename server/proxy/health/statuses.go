package health

import (
	"fmt"
	"strconv"
	"strings"
)

// Statuses is a set of status codes. The zero value has none; made by [ParseStatuses].
type Statuses struct {
	text string
	has  [10]uint64 // a bit for each code below 640
}

// The codes that a final answer can have.
const minStatus, maxStatus = 100, 599

// ParseStatuses reads codes, classes and ranges with both ends, separated by commas or spaces:
//
//	204
//	2xx
//	200-399
//	200, 204, 3xx, 401
func ParseStatuses(text string) (Statuses, error) {
	s := Statuses{text: text}
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	if len(parts) == 0 {
		return Statuses{}, fmt.Errorf(`no status is given: write 204, "2xx" or "200-399"`)
	}
	for _, part := range parts {
		first, last, err := parseStatus(part)
		if err != nil {
			return Statuses{}, err
		}
		for code := first; code <= last; code++ {
			s.has[code/64] |= 1 << (code % 64)
		}
	}
	return s, nil
}

// parseStatus reads one part, a range of codes.
func parseStatus(part string) (first, last int, err error) {
	if len(part) == 3 && strings.EqualFold(part[1:], "xx") && part[0] >= '1' && part[0] <= '5' {
		first = int(part[0]-'0') * 100
		return first, first + 99, nil
	}
	from, to, isRange := strings.Cut(part, "-")
	if !isRange {
		to = from
	}
	first, ok := parseCode(from)
	last, ok2 := parseCode(to)
	switch {
	case !ok || !ok2:
		return 0, 0, fmt.Errorf(`status %q: write a code from %d to %d, a class like "2xx" or a range like "200-399"`, part, minStatus, maxStatus)
	case first > last:
		return 0, 0, fmt.Errorf("status %q: the range ends before it begins", part)
	}
	return first, last, nil
}

func parseCode(text string) (int, bool) {
	code, err := strconv.Atoi(text)
	return code, err == nil && len(text) == 3 && code >= minStatus && code <= maxStatus
}

func mustStatuses(text string) Statuses {
	s, err := ParseStatuses(text)
	if err != nil {
		panic(err)
	}
	return s
}

// Has reports whether a code is in the set.
func (s Statuses) Has(code int) bool {
	return code >= minStatus && code <= maxStatus && s.has[code/64]&(1<<(code%64)) != 0
}

// String is the text that the set was made from.
func (s Statuses) String() string { return s.text }

func (s Statuses) empty() bool { return s.text == "" }
