package fault

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// maxVariables is how many variables a function can have at a time; of the compiler.
const maxVariables = 200

// fromCompile is FromLoad with the place where a function has too much, which the compiler
// reports as its first line.
func fromCompile(err error, chunk []ast.Stmt, file, text string) *Error {
	e := FromLoad(err, file, text)
	if !tooMuch(err) {
		return e
	}
	c := &crowd{file: file, e: e}
	c.block(chunk, block{open: true})
	return e
}

// tooMuch reports whether the compiler ran out of registers.
func tooMuch(err error) bool {
	compile, ok := cause(err).(*lua.CompileError)
	return ok && (strings.HasPrefix(compile.Message, "too many local variables") || strings.HasPrefix(compile.Message, "register overflow"))
}

// A crowd looks for the first variable in a function that has too many at a time.
type crowd struct {
	file   string
	e      *Error
	active int
	found  bool
}

// block counts the variables of a block while it looks at the blocks within.
func (c *crowd) block(stmts []ast.Stmt, b block) []ast.Stmt {
	before := c.active
	if b.function {
		c.active = 0
	}
	c.active += b.hidden
	for _, s := range stmts {
		blocks(c.block).within(s)
		if l, ok := s.(*ast.LocalAssignStmt); ok {
			c.declare(l)
		}
	}
	c.active = before
	return stmts
}

func (c *crowd) declare(l *ast.LocalAssignStmt) {
	c.active += len(l.Names)
	if c.active <= maxVariables || c.found {
		return
	}
	c.found = true
	c.e.At = fmt.Sprintf("%s:%d", c.file, l.Line())
	c.e.Message = fmt.Sprintf("this function has more than %d local variables at a time", maxVariables)
	c.e.Hint = "split it, put related variables into a table, or move parts into a file for require"
}
