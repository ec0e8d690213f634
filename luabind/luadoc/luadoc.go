// Package luadoc reads LuaCATS annotated Lua files, the faces of the modules a script can use, into
// data: for the manual, for help in the REPL, for completion, and for the test that compares the
// faces with what is bound.
//
// It is strict, because one text feeds them all: an unknown tag, a @param that is no parameter, a
// @field outside a class or a name that is declared twice is an error with file and line. It reads
// declarations that start in the first column; indented ones are the inside of an implementation,
// and local functions and names that start with '_' are private.
//
// A class whose last name part is upper case, as rws.App, is a kind of value: scripts know it by
// the name of a global of that type, or by the local variable that its face declares (local app = {}).
// Any other, as rws.json, is a table that scripts reach by its name. A global table without
// ---@class counts as a class of its own name.
//
// See https://luals.github.io/wiki/annotations.
package luadoc

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Package is everything that a tree of annotated files declares, each list in the order of the files.
type Package struct {
	Classes   []*Class
	Functions []*Function // of all classes and tables, and global ones
	Fields    []*Field    // of all classes and tables, and global variables
	Aliases   []*Alias

	classes map[string]*Class   // by name
	owners  map[string]*Class   // by all the names scripts and documents use for it
	members map[string][]Symbol // by owner
	names   map[string]Symbol   // by full name, with dots
}

// Symbol is a [*Class], [*Function], [*Field] or [*Alias].
type Symbol interface {
	// Head returns what every documented name has.
	Head() *Doc
}

// Pos is a place in a file. It prints as file:line.
type Pos struct {
	File string
	Line int // from 1
}

func (p Pos) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

func (p Pos) compare(q Pos) int {
	return cmp.Or(strings.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line))
}

// Doc is what every documented name has.
type Doc struct {
	Name       string // full name: "rws.App", "rws.App:get", "rws.json.encode"
	Pos        Pos    // of the declaration, or of its tag
	Text       string // Markdown
	Examples   []Example
	See        []string
	Deprecated bool
	Reason     string // what to use instead of a deprecated name
	Meta       bool   // the file starts with ---@meta: Go implements the name
}

// Head returns d itself.
func (d *Doc) Head() *Doc { return d }

// Example is one fenced Lua block of a text.
type Example struct {
	Code string
	Info string // what follows the word "lua" after the fence
	Pos  Pos    // of the first line of code
}

// Class is a class, or a table of functions.
type Class struct {
	Doc
	Parents []string
	Label   string   // how scripts name a value of it: "app", "rws.json"
	Path    string   // the global table that holds its functions, or ""
	Calls   []string // the @overload types by which the table itself can be called

	variable string   // the local that a face declares it with
	members  []Symbol // see Package.Members
}

// Function is a function or method.
type Function struct {
	Doc
	Owner     string // name of the class or global table, "" for a global function
	Member    string // last part of the name
	Method    bool   // declared with ':'
	Call      string // how scripts write it: "app:get", "rws.json.encode"
	Params    []Param
	Returns   []Return
	Generics  []string
	Overloads []string
	Async     bool // it waits: other requests run meanwhile
	NoDiscard bool
}

// Param is one declared parameter; "..." for the rest.
type Param struct {
	Name     string
	Optional bool
	Type     string // "any" if the file says nothing
	Text     string
}

// Return is one result.
type Return struct {
	Type string
	Name string // may be empty
	Text string
}

// Field is a field of a class or table, or a global variable.
type Field struct {
	Doc
	Owner    string // name of the class or global table, "" for a global variable
	Member   string // last part of the name; "[string]" for an index
	Call     string // how scripts write it: "c.path"
	Optional bool
	Type     string
}

// Alias is another name of a type.
type Alias struct {
	Doc
	Type   string
	Values []Value // of an enumeration, one "---|" line each
}

// Value is one value of an enumerating alias.
type Value struct {
	Type string
	Text string
}

// ParseFS reads all *.lua files of a file system, in the order of their paths. All errors are
// reported, joined, each with file and line; the package is nil then.
func ParseFS(fsys fs.FS) (*Package, error) {
	l := &linker{pkg: &Package{}}
	err := fs.WalkDir(fsys, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".lua") {
			return err
		}
		src, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		l.errs = append(l.errs, parseFile(l, path, string(src))...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading annotated files: %w", err)
	}
	l.link()
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	return l.pkg, nil
}
