package fault

import (
	"fmt"
	"regexp"
	"strings"
)

// origin explains a nil by what it came from: the expression itself, or the one that
// was assigned to the variable last.
func origin(f frame, s *symbol) string {
	subject := s.text()
	if text := originOf(s, subject); text != "" {
		return text
	}
	switch s.kind {
	case local:
		if set := lastWrite(f.fn.Proto, f.pc, s.slot); set >= 0 {
			if from := written(f.fn.Proto, set, s.slot, maxPath); from != nil {
				return originOf(from, subject)
			}
		}
	case upvalue, global:
		if text, ok := stateOf(f.L).sources[f.file()]; ok {
			return originInText(text, f.line, s.name)
		}
	}
	return ""
}

// originOf explains why an expression gave nil. subject is what the script has it in.
func originOf(s *symbol, subject string) string {
	if s.kind == result && s.parent.name != "" {
		return originOfCall(s.parent.text(), s.parent.name, subject)
	}
	if s.kind != field || s.index != nil || s.parent == nil {
		return ""
	}
	return originOfField(s.text(), s.name, s.parent, subject)
}

// originOfCall knows functions that answer nil when there is nothing.
func originOfCall(function, name, subject string) string {
	switch name {
	case "value":
		if strings.Contains(function, ":") {
			return fmt.Sprintf("%s returns nil when no row matches: check it, or write %s or 0", function, checkable(subject))
		}
	case "one", "first":
		if !strings.Contains(function, ":") {
			return ""
		}
		thing := subject
		if !isName(thing) {
			thing = "row"
		}
		if strings.Contains(subject, "(") {
			return fmt.Sprintf("%s returns nil when no row matches: keep it in a local and check it, c:assert(%s, 404, %q)", function, thing, "no such "+thing)
		}
		return fmt.Sprintf("%s returns nil when no row matches: c:assert(%s, 404, %q)", function, subject, "no such "+thing)
	case "match", "find":
		if function != "string."+name && (name == "find" || !strings.Contains(function, ":")) {
			return ""
		}
		return fmt.Sprintf("%s returns nil when the pattern does not match: check the result, if %s then … end", function, checkable(subject))
	case "tonumber":
		return fmt.Sprintf("tonumber returns nil when the text is not a number: check it, or write %s or 0", checkable(subject))
	case "get":
		if strings.Contains(function, ":") {
			return fmt.Sprintf("%s returns nil when there is nothing under that key: check it, if %s then … end", function, checkable(subject))
		}
	case "remove":
		if function == "table.remove" {
			return "table.remove returns nil when the list is empty"
		}
	case "getmetatable":
		return "getmetatable returns nil for a value without a metatable"
	}
	return ""
}

// checkable is a subject that can be written in a condition.
func checkable(subject string) string {
	if strings.Contains(subject, "(") {
		return "result"
	}
	return subject
}

// originOfField knows tables of input, where any key may be missing.
func originOfField(path, name string, parent *symbol, subject string) string {
	if parent.kind == global && parent.name == "env" {
		return fmt.Sprintf("%s is not set: put it into the environment or into .env, or write %s or \"…\"", path, path)
	}
	if parent.kind != field {
		return ""
	}
	switch parent.name {
	case "query", "form", "cookies", "headers", "files", "session", "user", "input", "params":
	default:
		return ""
	}
	switch parent.name {
	case "query", "form":
		return fmt.Sprintf("%s is nil when the request does not have it: declare it, %s = { %s = \"string\" }, or write %s or \"\"",
			path, parent.name, name, checkable(subject))
	case "params":
		return fmt.Sprintf("%s is nil when the pattern of the route has no :%s", path, name)
	case "input":
		return fmt.Sprintf("%s is nil when the spec of the route does not have it, or has it as optional", path)
	case "files":
		return fmt.Sprintf("%s is nil when nothing was uploaded under that name: c:assert(%s, 400, \"%s is missing\")", path, checkable(subject), name)
	case "session", "user":
		return fmt.Sprintf("%s is nil for visitors who are not signed in: check it, or put the route behind a middleware that does", path)
	}
	return fmt.Sprintf("%s is nil when the request does not have it: check it, or write %s or \"\"", path, checkable(subject))
}

// originInText is origin for variables of an enclosing function, whose assignment is in
// none of the code that runs: the nearest one above the line.
func originInText(text string, line int, name string) string {
	assignment := regexp.MustCompile(`(?:^|[^\w.:])` + regexp.QuoteMeta(name) + `\s*=\s*([A-Za-z_][\w.:]*)\s*(\(?)`)
	s := newSource(text)
	for n := min(line, len(s.lines)); n > 0; n-- {
		code, _ := s.line(n)
		m := assignment.FindStringSubmatch(code)
		if m == nil {
			continue
		}
		cutAt := strings.LastIndexAny(m[1], ".:")
		last := m[1][cutAt+1:]
		if m[2] == "(" {
			return originOfCall(m[1], last, name)
		}
		if cutAt < 0 {
			return ""
		}
		parent := &symbol{kind: global, name: m[1][:cutAt]}
		if at := strings.LastIndexAny(parent.name, ".:"); at >= 0 {
			parent = &symbol{kind: field, name: parent.name[at+1:]}
		}
		return originOfField(m[1], last, parent, name)
	}
	return ""
}
