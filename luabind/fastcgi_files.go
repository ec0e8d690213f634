package luabind

import (
	"cmp"
	"fmt"
	"strings"

	"rws/luabind/fault"
)

// A staticFolder is that of an app:static.
type staticFolder struct {
	name   string // as the script has it
	source string // the place of the declaration
}

// isScript reports whether a file is a script of a FastCGI application, by its name. No app:static sends
// those, in any folder: visitors are to see what a script answers, and the same folder may have another
// name where the application runs.
func (p *Program) isScript(name string) bool {
	for _, u := range p.upstreams {
		if f := u.options.FastCGI; f != nil && strings.HasSuffix(strings.ToLower(name), strings.ToLower(cmp.Or(f.Extension, ".php"))) {
			return true
		}
	}
	return false
}

// hides returns what is hidden in the folder of an app:static.
func (p *Program) hides(folder string) func(name string) bool {
	if !p.holdsApp(folder) {
		return p.isScript
	}
	private := p.private(folder)
	return func(name string) bool { return private(name) || p.isScript(name) }
}

// staticDoubts are about folders where the files of a FastCGI application lie, which are more than its scripts.
func (p *Program) staticDoubts() (list []*fault.Error) {
	for _, s := range p.statics {
		for _, u := range p.upstreams {
			if f := u.options.FastCGI; f != nil && f.Root != "" {
				if how := relation(realPath(p.path(s.name)), realPath(p.path(f.Root))); how != "" {
					list = append(list, doubt(s.source, fmt.Sprintf("app:static: the folder %q %s the root of the FastCGI application %q, whose files visitors could read, but for its scripts", s.name, how, u.pool.Name()),
						"keep static files in a folder of their own, beside that root"))
				}
			}
		}
	}
	return list
}

// relation says how a folder lies to another one, "" when they have nothing in common.
func relation(folder, other string) string {
	switch {
	case folder == other:
		return "is"
	case isBelow(other, folder):
		return "holds"
	case isBelow(folder, other):
		return "lies in"
	}
	return ""
}
