package inspect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// A Write is a place where Lua changes something that outlives the call and that every
// isolate has its own copy of.
type Write struct {
	File string
	Line int
	// Name is the variable or the table as the script calls it: "count",
	// "stats.pages", "sessions[…]" for a table in a table under a computed key.
	Name string
	Kind Kind
	// Via says how the place is reached when it is not in the inspected function
	// itself: "called from handler app.lua:30", the nearest caller first.
	Via string
}

// A Kind is what a write changes.
type Kind string

// Kinds of writes.
const (
	LocalWrite  Kind = "local"  // a captured local variable
	GlobalWrite Kind = "global" // a global, existing or new
	TableWrite  Kind = "table"  // what a table holds

	LibraryWrite Kind = "library" // what Options.Library says
)

// String is one line for a log: place, what is written, how it is reached.
func (w Write) String() string {
	s := fmt.Sprintf("%s:%d: writes the %s %q", w.File, w.Line, w.Kind, w.Name)
	if w.Via != "" {
		s += ", " + w.Via
	}
	return s
}

// Options of SharedWrites.
type Options struct {
	// Role is what Via calls the inspected function. Default: "handler".
	Role string
	// Skip tells which files' functions not to look into, such as libraries whose
	// state may differ between isolates. Default: none.
	Skip func(file string) bool
	// Library says whether a table, or a global when it is nil, belongs to the library, and
	// how it is called there. Default: there is none.
	Library func(table *lua.LTable, key string) (name string, ok bool)
	// Field returns the table that an object of rws has as a field of its isolate's, as
	// app.state, nil for all other fields. Default: no object has one.
	Field func(object *lua.LUserData, name string) *lua.LTable
	// Call says what a function of Go returns for its first argument, a constant, when that is
	// something that outlives the call, as the table of a module that require returns; nil
	// otherwise. Default: none does.
	Call func(fn *lua.LFunction, argument lua.LValue) lua.LValue
}

// SharedWrites returns what fn writes that outlives its call, ordered by place: captured
// locals, globals, and the contents of tables that come from either. fn is a function
// that will be called later, such as a handler or a job, and the script has been run, so
// captured variables have the values they will have then.
//
// Followed are local names for a table, fields of tables, tables handed to the script's
// own functions or returned by them, elements met by pairs and ipairs, methods found
// through metatables, table.insert, remove, sort, rawset and setmetatable, every
// function that fn can reach, and a table on its way through one that the call makes: in its
// constructor, by table.insert, or in a field that is assigned in one place. Not reported are tables made by the call itself,
// parameters, userdata, tables with a __newindex written in Go, and class.__index =
// class, which changes nothing the second time.
//
// The result is a lower bound: a table is lost that travels through a field of a table made by
// the call which is assigned in a second place or by a function that gets it while it is empty,
// through the metatable of such a table, through varargs, a coroutine, a Go function that returns
// it and that Options.Call doesn't know, or setfenv. The work is bounded: what is found
// after two million instructions (0.3 s) or in the 65th call within calls is not reported.
func SharedWrites(fn *lua.LFunction, o Options) []Write {
	if fn == nil || fn.IsG {
		return nil
	}
	a := newAnalysis(fn.Env, o)
	for range rounds {
		clear(a.results)
		a.grown = false
		a.enter(a.value(fn, cmp.Or(o.Role, "handler")).fn, nil, nil)
		if !a.grown {
			break
		}
	}
	return slices.SortedFunc(maps.Values(a.found), func(v, w Write) int {
		return cmp.Or(cmp.Compare(v.File, w.File), cmp.Compare(v.Line, w.Line), cmp.Compare(v.Name, w.Name), cmp.Compare(v.Kind, w.Kind))
	})
}

// Bounds of one analysis.
const (
	maxDepth = 64      // calls within calls
	maxSteps = 2000000 // instructions looked at, and registers joined between blocks
	// callSteps is what a call costs beside its instructions: it takes 5.6 µs, an
	// instruction 0.14 µs (BenchmarkSharedWrites).
	callSteps = 40
	maxMeta   = 8 // metatables of metatables
)

// An analysis runs functions over sets of atoms instead of values.
type analysis struct {
	env     *lua.LTable
	skip    func(string) bool
	field   func(*lua.LUserData, string) *lua.LTable
	library func(*lua.LTable, string) (string, bool)
	goCall  func(*lua.LFunction, lua.LValue) lua.LValue
	natives map[*lua.LFunction]native
	shapes  map[*lua.FunctionProto]shape
	atoms   map[lua.LValue]*atom
	insides map[inside]*atom
	sites   map[site]*atom
	grown   bool // a table that the code makes holds more than before
	results map[call][]set
	found   map[Write]Write // by place, without Via
	depth   int
	steps   int
	// iterator is what pairs and ipairs return to be called in a for loop.
	iterator *atom
	next     int // id of the next atom
}

func newAnalysis(env *lua.LTable, o Options) *analysis {
	a := &analysis{
		env: env, skip: o.Skip, field: o.Field, library: o.Library, goCall: o.Call,
		natives: nativesOf(env),
		shapes:  make(map[*lua.FunctionProto]shape),
		atoms:   make(map[lua.LValue]*atom),
		insides: make(map[inside]*atom),
		sites:   make(map[site]*atom),
		results: make(map[call][]set),
		found:   make(map[Write]Write),
	}
	if a.library == nil {
		a.library = func(*lua.LTable, string) (string, bool) { return "", false }
	}
	if a.skip == nil {
		a.skip = func(string) bool { return false }
	}
	a.iterator = a.add(atom{name: "next", native: nativeNext})
	return a
}

// A call is a function with the sets it is called with; it is looked at once.
type call struct {
	fn      *function
	version int
	args    string
}

// enter looks into f as called with args, and returns what it may return. The caller is
// nil for the inspected function.
func (a *analysis) enter(f *function, args []set, caller *frame) []set {
	if a.depth == maxDepth || a.steps > maxSteps || a.skip(f.proto.SourceName) {
		return nil
	}
	args = args[:min(len(args), int(f.proto.NumParameters))]
	c := call{f, f.version, identity(args)}
	if r, done := a.results[c]; done {
		return r
	}
	a.results[c] = nil // what a recursive call sees
	a.steps += callSteps
	a.depth++
	defer func() { a.depth-- }()
	fr := &frame{analysis: a, fn: f, args: c.args, closures: make(map[int]*atom)}
	switch {
	case f.nested:
		fr.via = f.via
	case caller != nil:
		fr.via = caller.from()
	}
	fr.run(args)
	a.results[c] = fr.results
	return fr.results
}

func (a *analysis) record(w Write) {
	place := w
	place.Via = ""
	if _, known := a.found[place]; !known {
		a.found[place] = w
	}
}
