package inspect

import (
	"cmp"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// A Global is one place where a chunk reads or assigns a global by name.
type Global struct {
	Name       string
	File       string
	Line       int
	Write      bool // assigned, not read
	InFunction bool // inside a function, not at the top level of the chunk
}

// Globals returns every use of a global in the chunk and the functions in it, in the
// order of their lines, and once per name, line and kind of use. What a script does
// through _G or setfenv is not seen.
func Globals(chunk *lua.FunctionProto) []Global {
	list := globals(nil, chunk, false)
	slices.SortStableFunc(list, func(a, b Global) int { return cmp.Compare(a.Line, b.Line) })
	seen := make(map[Global]bool, len(list))
	return slices.DeleteFunc(list, func(g Global) bool {
		again := seen[g]
		seen[g] = true
		return again
	})
}

func globals(list []Global, p *lua.FunctionProto, inside bool) []Global {
	for pc, i := range instructions(p) {
		switch i.op() {
		case lua.OP_GETGLOBAL, lua.OP_SETGLOBAL:
			list = append(list, Global{
				Name: text(p, i.bx()), File: p.SourceName, Line: line(p, pc),
				Write: i.op() == lua.OP_SETGLOBAL, InFunction: inside,
			})
		}
	}
	for _, f := range p.FunctionPrototypes {
		list = globals(list, f, true)
	}
	return list
}

// Undeclared returns the uses of globals that are probably mistakes: reads of a name
// that the chunk assigns nowhere, and assignments inside a function to a name that is
// not assigned at the top level. Names for which known is true are declared elsewhere:
// the libraries, what other files define.
func Undeclared(chunk *lua.FunctionProto, known func(name string) bool) []Global {
	list := Globals(chunk)
	assigned, declared := make(map[string]bool), make(map[string]bool)
	for _, g := range list {
		assigned[g.Name] = assigned[g.Name] || g.Write
		declared[g.Name] = declared[g.Name] || g.Write && !g.InFunction
	}
	return slices.DeleteFunc(list, func(g Global) bool {
		if known(g.Name) || declared[g.Name] {
			return true
		}
		return !g.Write && assigned[g.Name]
	})
}
