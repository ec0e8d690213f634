package inspect

import (
	"cmp"
	"slices"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// A Local is a local variable declared at the top level of a chunk.
type Local struct {
	Name string
	Line int
}

// TopLocals returns the locals that stay in scope to the end of the chunk, in the order
// of their declaration; a name declared twice is there twice, and the last one counts.
// Locals of blocks and loops are left out.
//
// It reads the parsed chunk (parse.Parse), not the prototype: gopher-lua 1.1.2 numbers
// the scopes it records in DbgLocals by register, so that a chunk with one block before
// its end says nothing reliable about which local belongs to which block.
func TopLocals(chunk []ast.Stmt) []Local {
	var list []Local
	for _, s := range chunk {
		if s, ok := s.(*ast.LocalAssignStmt); ok {
			for _, name := range s.Names {
				list = append(list, Local{Name: name, Line: s.Line()})
			}
		}
	}
	return list
}

// A Cell is a captured variable: the one place that all closures sharing it read and
// assign. Value and SetValue of Upvalue do the same from Go.
type Cell struct {
	Name string
	// File and Line say where the last function that holds the cell begins.
	File string
	Line int
	// Top is true for a variable of the chunk itself, false for one of a function in it.
	Top bool
	*lua.Upvalue
}

// Captured returns the cells that the functions hold, by name, and those that functions
// hold which are found in such cells, in tables there, and so on, however nested. Cells
// of one name are ordered by preference: variables of the chunks first, then the one
// whose last holder comes last in the file.
//
// Chunks are the main functions' prototypes of the script and its modules; without the
// one a function was made by, its cells are not marked Top. Of a table, the first
// thousand entries are looked at.
func Captured(fns []*lua.LFunction, chunks ...*lua.FunctionProto) map[string][]Cell {
	w := walk{seen: make(map[lua.LValue]bool), index: make(map[*lua.Upvalue]int), top: make(topCaptures)}
	for _, c := range chunks {
		w.top.add(c, nil, true)
	}
	for _, fn := range fns {
		w.push(fn)
	}
	for len(w.todo) > 0 {
		v := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		w.visit(v)
	}
	byName := make(map[string][]Cell)
	for _, c := range w.cells {
		byName[c.Name] = append(byName[c.Name], c)
	}
	for _, list := range byName {
		slices.SortStableFunc(list, prefer)
	}
	return byName
}

func prefer(a, b Cell) int {
	if a.Top != b.Top {
		if a.Top {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(b.Line, a.Line))
}

// topCaptures says for each function in a chunk which of its upvalues are variables of
// the chunk itself.
type topCaptures map[*lua.FunctionProto][]bool

func (t topCaptures) add(p *lua.FunctionProto, own []bool, main bool) {
	for pc, i := range instructions(p) {
		if i.op() != lua.OP_CLOSURE {
			continue
		}
		f := child(p, i)
		if f == nil {
			continue
		}
		var top []bool
		for _, c := range captures(p, pc) {
			top = append(top, c.register && main || !c.register && c.index < len(own) && own[c.index])
		}
		t[f] = top
		t.add(f, top, false)
	}
}

// entriesSeen bounds how much of one table a walk looks at.
const entriesSeen = 1000

// A walk visits every function and table that can be reached from a closure.
type walk struct {
	todo  []lua.LValue
	seen  map[lua.LValue]bool
	cells []Cell
	index map[*lua.Upvalue]int // into cells
	top   topCaptures
}

func (w *walk) push(v lua.LValue) {
	switch v := v.(type) {
	case *lua.LFunction:
		if v == nil || v.IsG {
			return
		}
	case *lua.LTable:
	default:
		return
	}
	if !w.seen[v] {
		w.seen[v] = true
		w.todo = append(w.todo, v)
	}
}

func (w *walk) visit(v lua.LValue) {
	switch v := v.(type) {
	case *lua.LFunction:
		w.function(v)
	case *lua.LTable:
		for _, e := range entries(v, entriesSeen) {
			w.push(e)
		}
		w.push(v.Metatable)
	}
}

func (w *walk) function(fn *lua.LFunction) {
	top := w.top[fn.Proto]
	for n, cell := range fn.Upvalues {
		if cell == nil {
			continue
		}
		at, known := w.index[cell]
		if !known {
			at = len(w.cells)
			w.index[cell] = at
			w.cells = append(w.cells, Cell{Name: upvalueName(fn.Proto, n), Upvalue: cell, File: fn.Proto.SourceName})
		}
		c := &w.cells[at]
		c.Line = max(c.Line, fn.Proto.LineDefined)
		c.Top = c.Top || n < len(top) && top[n]
		w.push(cell.Value())
	}
}

// entries returns the values of up to limit entries of t, in a stable order.
func entries(t *lua.LTable, limit int) []lua.LValue {
	var list []lua.LValue
	k, v := t.Next(lua.LNil)
	for ; k != lua.LNil && len(list) < limit; k, v = t.Next(k) {
		list = append(list, v)
	}
	return list
}
