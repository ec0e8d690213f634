package repl

import "github.com/yuin/gopher-lua/ast"

// A visitor is called for each statement and expression of a chunk, functions included.
type visitor struct {
	stmt func(ast.Stmt)
	expr func(ast.Expr)
}

func (v visitor) stmts(list []ast.Stmt) {
	for _, s := range list {
		v.stmt(s)
		switch s := s.(type) {
		case *ast.AssignStmt:
			v.exprs(s.Lhs...)
			v.exprs(s.Rhs...)
		case *ast.LocalAssignStmt:
			v.exprs(s.Exprs...)
		case *ast.FuncCallStmt:
			v.exprs(s.Expr)
		case *ast.DoBlockStmt:
			v.stmts(s.Stmts)
		case *ast.WhileStmt:
			v.exprs(s.Condition)
			v.stmts(s.Stmts)
		case *ast.RepeatStmt:
			v.stmts(s.Stmts)
			v.exprs(s.Condition)
		case *ast.IfStmt:
			v.exprs(s.Condition)
			v.stmts(s.Then)
			v.stmts(s.Else)
		case *ast.NumberForStmt:
			v.exprs(s.Init, s.Limit, s.Step)
			v.stmts(s.Stmts)
		case *ast.GenericForStmt:
			v.exprs(s.Exprs...)
			v.stmts(s.Stmts)
		case *ast.FuncDefStmt:
			v.exprs(s.Name.Func, s.Name.Receiver, s.Func)
		case *ast.ReturnStmt:
			v.exprs(s.Exprs...)
		}
	}
}

func (v visitor) exprs(list ...ast.Expr) {
	for _, e := range list {
		if e == nil {
			continue
		}
		v.expr(e)
		switch e := e.(type) {
		case *ast.FunctionExpr:
			v.stmts(e.Stmts)
		case *ast.AttrGetExpr:
			v.exprs(e.Object, e.Key)
		case *ast.TableExpr:
			for _, f := range e.Fields {
				v.exprs(f.Key, f.Value)
			}
		case *ast.FuncCallExpr:
			v.exprs(e.Func, e.Receiver)
			v.exprs(e.Args...)
		case *ast.LogicalOpExpr:
			v.exprs(e.Lhs, e.Rhs)
		case *ast.RelationalOpExpr:
			v.exprs(e.Lhs, e.Rhs)
		case *ast.StringConcatOpExpr:
			v.exprs(e.Lhs, e.Rhs)
		case *ast.ArithmeticOpExpr:
			v.exprs(e.Lhs, e.Rhs)
		case *ast.UnaryMinusOpExpr:
			v.exprs(e.Expr)
		case *ast.UnaryNotOpExpr:
			v.exprs(e.Expr)
		case *ast.UnaryLenOpExpr:
			v.exprs(e.Expr)
		}
	}
}
