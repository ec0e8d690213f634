package fault

import "strings"

// FieldLine returns the line of the field called name in the tables of the call that begins at
// a line, 0 when it isn't found: another file may have it. With a value only the field counts
// that has this text.
func FieldLine(text string, line int, name, value string) int {
	s := newSource(text)
	if line < 1 || line > len(s.lines) {
		return 0
	}
	from := s.lines[line-1]
	tokens := scan(text[from:])
	word := func(n int) string {
		if n >= len(tokens) {
			return ""
		}
		return text[from+tokens[n].start : from+tokens[n].end]
	}
	depth := 0
	for n := range tokens {
		switch word(n) {
		case "(", "{", "[":
			depth++
		case ")", "}", "]":
			if depth--; depth == 0 && word(n) != "]" {
				return 0
			}
		case name, `"` + name + `"`, `'` + name + `'`:
			at := n + 1
			if word(at) == "]" {
				at++
			}
			if depth > 0 && word(at) == "=" && (value == "" || strings.Contains(word(at+1), value)) {
				return s.lineOf(from + tokens[n].start)
			}
		}
	}
	return 0
}
