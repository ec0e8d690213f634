package repl

import (
	"fmt"
	"regexp"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// function names a function: "function signed_in(c, next)  app.lua:27", or
// "rws.json.encode".
func (p *printer) function(f *lua.LFunction) string {
	if f.IsG {
		if p.known == nil {
			p.known = libraryNames(p.L.G.Global)
		}
		return orText(p.known[f], "function of rws")
	}
	name := functionName(f, p.source)
	if name != "" {
		name = " " + name
	}
	return fmt.Sprintf("function%s(%s)  %s", name, strings.Join(parameters(f), ", "), place(f))
}

// place returns where a Lua function was written, "app.lua:27".
func place(f *lua.LFunction) string {
	return fmt.Sprintf("%s:%d", f.Proto.SourceName, f.Proto.LineDefined)
}

func parameters(f *lua.LFunction) []string {
	var names []string
	for i, l := range f.Proto.DbgLocals {
		if i >= int(f.Proto.NumParameters) {
			break
		}
		names = append(names, l.Name)
	}
	if f.Proto.IsVarArg != 0 {
		names = append(names, "...")
	}
	return names
}

var (
	declared = regexp.MustCompile(`\bfunction\s+([A-Za-z_][\w.:]*)\s*\(`)
	assigned = regexp.MustCompile(`([A-Za-z_][\w.]*)\s*=\s*function\b`)
)

// functionName is the name on the line where the function begins, "" when there is none.
func functionName(f *lua.LFunction, source func(string) (string, bool)) string {
	return declaredName(sourceLine(source, f.Proto.SourceName, f.Proto.LineDefined))
}

// declaredName returns the name of the function that a line declares.
func declaredName(line string) string {
	if m := declared.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	if m := assigned.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

func sourceLine(source func(string) (string, bool), file string, line int) string {
	lines := sourceLines(source, file, line, line)
	if len(lines) == 0 {
		return ""
	}
	return lines[0]
}

// sourceLines returns the lines from first to last of a file, without their ends.
func sourceLines(source func(string) (string, bool), file string, first, last int) []string {
	text, ok := source(file)
	if !ok {
		return nil
	}
	lines := strings.Split(text, "\n")
	if first < 1 || first > len(lines) {
		return nil
	}
	return lines[first-1 : min(max(last, first), len(lines))]
}
