package luadoc

import "strings"

// line is one line of a file, taken apart.
type line struct {
	no      int
	code    string // without comments; strings are kept
	comment string // of a comment that reaches to the end of the line: what follows "--"
	doc     bool   // the line holds a "---" comment and nothing else
	outer   bool   // it starts in the first column
}

// scan takes a file apart. It knows strings and long brackets, so that nothing inside them counts
// as a comment.
func scan(src string) []line {
	var lines []line
	long := "" // the closing bracket we are inside of
	no := 0
	for text := range strings.Lines(src) {
		no++
		text = strings.TrimRight(text, "\r\n")
		inside := long != ""
		ln := line{no: no, outer: !inside && text != "" && text[0] != ' ' && text[0] != '\t'}
		ln.code, ln.comment, long = scanLine(text, long)
		ln.doc = !inside && strings.HasPrefix(ln.comment, "-") && !strings.HasPrefix(ln.comment, "--") &&
			strings.TrimSpace(ln.code) == ""
		lines = append(lines, ln)
	}
	return lines
}

// scanLine splits one line into code and comment, given the long bracket it starts inside of, and
// returns the one it ends inside of.
func scanLine(s, long string) (code, comment, after string) {
	var b strings.Builder
	for s != "" {
		if long != "" {
			_, rest, found := strings.Cut(s, long)
			if !found {
				return b.String(), "", long
			}
			s, long = rest, ""
			continue
		}
		switch {
		case strings.HasPrefix(s, "--"):
			if long = longBracket(s[2:]); long == "" {
				return b.String(), s[2:], ""
			}
			s = s[2+len(long):]
		case s[0] == '"' || s[0] == '\'':
			n := quoted(s)
			b.WriteString(s[:n])
			s = s[n:]
		case longBracket(s) != "":
			long = longBracket(s)
			b.WriteString(`""`)
			s = s[len(long):]
		default:
			b.WriteByte(s[0])
			s = s[1:]
		}
	}
	return b.String(), "", long
}

// longBracket returns the bracket that closes the long bracket s starts with, or "".
func longBracket(s string) string {
	if !strings.HasPrefix(s, "[") {
		return ""
	}
	level := len(s[1:]) - len(strings.TrimLeft(s[1:], "="))
	if !strings.HasPrefix(s[1+level:], "[") {
		return ""
	}
	return "]" + strings.Repeat("=", level) + "]"
}

// quoted returns the length of the quoted string s starts with, at most that of s.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return len(s)
}

// declaration is what a line of code declares.
type declaration struct {
	no       int
	name     string // as written: "app:get", "rws.json"; "" if the line declares nothing
	local    bool
	function bool
	params   []string
	value    string // what is assigned
}

// declare reads the declaration that starts at lines[i]. A parameter list may go on over lines.
func declare(lines []line, i int) declaration {
	d := declaration{no: lines[i].no}
	code := strings.TrimSpace(lines[i].code)
	code, d.local = cutWord(code, "local")
	rest, isFunction := cutWord(code, "function")
	if isFunction {
		d.function = true
		name, _, _ := strings.Cut(rest, "(")
		d.setName(name)
		d.params = parameters(lines, i)
		return d
	}
	name, value, assigned := strings.Cut(code, "=")
	if !assigned {
		if d.local {
			d.setName(code)
		}
		return d
	}
	if name, _, _ := strings.Cut(name, "<"); d.setName(name) { // local x <const>
		d.value = strings.TrimSpace(value)
	}
	if _, ok := cutWord(d.value, "function"); ok || strings.HasPrefix(d.value, "function(") {
		d.function = true
		d.params = parameters(lines, i)
	}
	return d
}

func (d *declaration) setName(s string) bool {
	s = strings.TrimSpace(s)
	if isPath(s) {
		d.name = s
	}
	return d.name != ""
}

// parameters returns the names between the first parentheses from lines[i] on.
func parameters(lines []line, i int) []string {
	var b strings.Builder
	for ; i < len(lines); i++ {
		b.WriteString(lines[i].code)
		if strings.Contains(lines[i].code, ")") {
			break
		}
	}
	_, list, _ := strings.Cut(b.String(), "(")
	list, _, _ = strings.Cut(list, ")")
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func cutWord(s, word string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(s, word)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return s, false
	}
	return strings.TrimSpace(rest), true
}

// isPath reports whether s is a name with dots and at most one colon, before its last part.
func isPath(s string) bool {
	owner, method, isMethod := strings.Cut(s, ":")
	if isMethod && !isName(method) {
		return false
	}
	for part := range strings.SplitSeq(owner, ".") {
		if !isName(part) {
			return false
		}
	}
	return true
}

func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) || i == 0 && s[0] >= '0' && s[0] <= '9' {
			return false
		}
	}
	return s != ""
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
