package fault

import "github.com/yuin/gopher-lua/ast"

// A block is what blocks tells of a list of statements.
type block struct {
	hidden int  // variables that are not in its statements: those of a for
	open   bool // ends with its function, or with the condition of its repeat
	loop   bool // its end jumps back to its start
	// function is for the body of one; hidden are its parameters.
	function bool
}

// Blocks replaces the statements of a block. It calls within for each statement, which
// applies it to the blocks inside.
type blocks func(stmts []ast.Stmt, b block) []ast.Stmt

// within edits the blocks of a statement. A numeric for has three hidden variables besides
// its own, the other for has three besides its names.
func (f blocks) within(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		f.exprs(s.Lhs...)
		f.exprs(s.Rhs...)
	case *ast.LocalAssignStmt:
		f.exprs(s.Exprs...)
	case *ast.FuncCallStmt:
		f.exprs(s.Expr)
	case *ast.DoBlockStmt:
		s.Stmts = f(s.Stmts, block{})
	case *ast.WhileStmt:
		f.exprs(s.Condition)
		s.Stmts = f(s.Stmts, block{loop: true})
	case *ast.RepeatStmt:
		s.Stmts = f(s.Stmts, block{open: true, loop: true})
		f.exprs(s.Condition)
	case *ast.IfStmt:
		f.exprs(s.Condition)
		s.Then = f(s.Then, block{})
		s.Else = f(s.Else, block{})
	case *ast.NumberForStmt:
		f.exprs(s.Init, s.Limit, s.Step)
		s.Stmts = f(s.Stmts, block{hidden: 4, loop: true})
	case *ast.GenericForStmt:
		f.exprs(s.Exprs...)
		s.Stmts = f(s.Stmts, block{hidden: 3 + len(s.Names), loop: true})
	case *ast.FuncDefStmt:
		f.exprs(s.Func)
	case *ast.ReturnStmt:
		f.exprs(s.Exprs...)
	}
}

// exprs edits the functions within expressions.
func (f blocks) exprs(list ...ast.Expr) {
	for _, e := range list {
		switch e := e.(type) {
		case *ast.FunctionExpr:
			e.Stmts = f(e.Stmts, block{open: true, function: true, hidden: arity(e)})
		case *ast.AttrGetExpr:
			f.exprs(e.Object, e.Key)
		case *ast.TableExpr:
			for _, field := range e.Fields {
				f.exprs(field.Key, field.Value)
			}
		case *ast.FuncCallExpr:
			f.exprs(e.Func, e.Receiver)
			f.exprs(e.Args...)
		case *ast.LogicalOpExpr:
			f.exprs(e.Lhs, e.Rhs)
		case *ast.RelationalOpExpr:
			f.exprs(e.Lhs, e.Rhs)
		case *ast.StringConcatOpExpr:
			f.exprs(e.Lhs, e.Rhs)
		case *ast.ArithmeticOpExpr:
			f.exprs(e.Lhs, e.Rhs)
		case *ast.UnaryMinusOpExpr:
			f.exprs(e.Expr)
		case *ast.UnaryNotOpExpr:
			f.exprs(e.Expr)
		case *ast.UnaryLenOpExpr:
			f.exprs(e.Expr)
		}
	}
}

// arity returns how many variables the head of a function declares.
func arity(e *ast.FunctionExpr) int {
	if e.ParList == nil {
		return 0
	}
	return len(e.ParList.Names)
}
