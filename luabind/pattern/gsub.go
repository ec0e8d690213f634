package pattern

import (
	"errors"
	"strconv"
	"strings"
)

var errTemplate = errors.New("invalid use of '%' in replacement string: write '%%' for a percent sign")

// Walk goes from match to match as string.gmatch does. Its embedded [Match] is the current one.
type Walk struct {
	Match
	pattern, subject string
	next             int
}

// NewWalk returns a walk over the matches of src in s. A leading '^' is an ordinary character here,
// as in Lua 5.1.
func NewWalk(src, s string) *Walk { return &Walk{pattern: src, subject: s} }

// Next goes to the next match and reports whether there is one. After an empty match the walk goes
// on one byte further. A nil budget stands for a fresh one of [DefaultSteps].
func (w *Walk) Next(b *Budget) (bool, error) {
	if w.next > len(w.subject) {
		return false, nil
	}
	w.begin(w.pattern, w.subject, b)
	ok, err := w.search(w.next, 0)
	if !ok {
		w.next = len(w.subject) + 1
		return false, err
	}
	w.next = w.after()
	return true, nil
}

// after returns where to look for the next match.
func (m *Match) after() int {
	if m.End > m.Start {
		return m.End
	}
	return m.End + 1
}

// Gsub replaces the first limit matches of src in s as string.gsub does (none if limit is not
// positive; [math.MaxInt] for all) and returns the new string and the number of matches. For each
// match it calls replace, which appends the replacement to dst and returns it; to keep the match it
// appends m.Text(). A nil budget stands for one of [DefaultSteps] for the whole call.
func (m *Match) Gsub(src, s string, limit int, b *Budget, replace func(dst []byte, m *Match) ([]byte, error)) (string, int, error) {
	m.begin(src, s, b)
	var dst []byte
	done, from, count := 0, 0, 0
	for count < limit {
		ok, err := m.find(from)
		if err != nil {
			return "", count, err
		}
		if !ok {
			break
		}
		count++
		dst = append(dst, s[done:m.Start]...)
		if dst, err = replace(dst, m); err != nil {
			return "", count, err
		}
		done, from = m.End, m.after()
		if strings.HasPrefix(src, "^") {
			break
		}
	}
	if count == 0 {
		return s, 0, nil
	}
	return string(append(dst, s[done:]...)), count, nil
}

// Expand appends the replacement string of string.gsub to dst: "%0" is the whole match, "%1" to
// "%9" the captures ("%1" also the whole match of a pattern without captures), and '%' before any
// other character that character. A '%' at the end is an error, where 5.1.5 adds a zero byte.
// Expand stops early once dst is longer than limit bytes.
func (m *Match) Expand(dst []byte, template string, limit int) ([]byte, error) {
	for {
		i := strings.IndexByte(template, '%')
		if i < 0 || len(dst) > limit {
			return append(dst, template...), nil
		}
		dst = append(dst, template[:i]...)
		if i+1 == len(template) {
			return dst, errTemplate
		}
		c := template[i+1]
		template = template[i+2:]
		if c < '0' || c > '9' {
			dst = append(dst, c)
			continue
		}
		var err error
		if dst, err = m.appendCapture(dst, int(c-'0')); err != nil {
			return dst, err
		}
	}
}

func (m *Match) appendCapture(dst []byte, i int) ([]byte, error) {
	if i == 0 || i == 1 && m.n == 0 {
		return append(dst, m.Text()...), nil
	}
	if i > m.n {
		return dst, errCaptureIndex
	}
	c := m.caps[i-1]
	if c.IsPosition() {
		return strconv.AppendInt(dst, int64(c.Start+1), 10), nil
	}
	return append(dst, m.s[c.Start:c.End]...), nil
}
