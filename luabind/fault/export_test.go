package fault

import (
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// FrameFields reports whether the private fields of gopher-lua that name variables are
// where we look for them.
func FrameFields() bool { return debugFrame != nil && debugPc != nil && debugTail != nil }

// WithoutFrameFields runs f as with a version of gopher-lua that has other fields.
func WithoutFrameFields(f func()) {
	defer func(pc, tail []int) { debugPc, debugTail = pc, tail }(debugPc, debugTail)
	debugPc, debugTail = nil, nil
	f()
}

// Mark sets what the caret of e points at.
func Mark(e *Error, column, length int, expr, after string) {
	e.mark = mark{column: column, length: length, expr: expr, after: after}
}

// ParseError is an error of the parser at any place.
func ParseError(line, column int, token string) error {
	return &parse.Error{Pos: ast.Position{Line: line, Column: column}, Message: "syntax error", Token: token}
}
