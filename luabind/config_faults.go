package luabind

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rws/luabind/fault"
)

// joinFaults makes one error of several: what they have in common, at the place of the first, and a
// line for each with its own place. The Cause has them for who shows each by itself. One alone
// stays as it is; none is nil.
func joinFaults(what string, list []*fault.Error) error {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	slices.SortStableFunc(list, func(a, b *fault.Error) int {
		fileA, lineA := splitPlace(a.At)
		fileB, lineB := splitPlace(b.At)
		return cmp.Or(cmp.Compare(fileA, fileB), cmp.Compare(lineA, lineB))
	})
	text, errs := what+":", make([]error, len(list))
	for i, e := range list {
		text += "\n  " + e.Error()
		errs[i] = e
	}
	return &fault.Error{Code: list[0].Code, At: list[0].At, Message: text, Cause: errors.Join(errs...)}
}

// splitPlace takes "app.lua:12" apart; a place without a line is in line 0.
func splitPlace(at string) (file string, line int) {
	i := strings.LastIndexByte(at, ':')
	if i < 0 {
		return at, 0
	}
	line, _ = strconv.Atoi(at[i+1:])
	return at[:i], line
}

// optionPlace is where an option of app:config stands, "session.ttl" inside that of session. It is
// the call itself, at, when that can't be told.
func (s *state) optionPlace(at, name string) string {
	file, line := splitPlace(at)
	text, _ := s.program.Source(file)
	for part := range strings.SplitSeq(name, ".") {
		if line = fault.FieldLine(text, line, part, ""); line == 0 {
			return at
		}
	}
	return fmt.Sprintf("%s:%d", file, line)
}
