package fault

import "github.com/yuin/gopher-lua/ast"

// mendJumps puts an instruction that does nothing before a jump that begins a loop or
// follows a label. gopher-lua shortens chains of jumps, and takes one that it has shortened
// already, which is what a jump backwards meets, for one that it has not: in
//
//	for k in pairs(t) do
//	  for j in pairs(u) do break end
//	end
//
// the outer loop never ends.
func mendJumps(stmts []ast.Stmt, b block) []ast.Stmt {
	out := make([]ast.Stmt, 0, len(stmts))
	target := b.loop
	for _, s := range stmts {
		if target && beginsWithJump(s) {
			out = append(out, idle(s.Line()))
		}
		_, target = s.(*ast.LabelStmt)
		blocks(mendJumps).within(s)
		out = append(out, s)
	}
	return out
}

// beginsWithJump reports whether the first instruction of s may be a jump.
func beginsWithJump(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.BreakStmt, *ast.GotoStmt, *ast.LabelStmt, *ast.WhileStmt, *ast.RepeatStmt:
		return true
	case *ast.DoBlockStmt:
		return len(s.Stmts) == 0 || beginsWithJump(s.Stmts[0])
	case *ast.IfStmt:
		return needsNoTest(s.Condition)
	}
	return false
}

// needsNoTest reports whether a condition is, or begins with, one that needs no test.
func needsNoTest(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.FalseExpr, *ast.NilExpr, *ast.TrueExpr, *ast.NumberExpr, *ast.StringExpr:
		return true
	case *ast.UnaryNotOpExpr:
		return needsNoTest(e.Expr)
	case *ast.LogicalOpExpr:
		return needsNoTest(e.Lhs)
	}
	return false
}

// idle is a statement of one instruction without effect.
func idle(line int) ast.Stmt {
	assign := &ast.LocalAssignStmt{Names: []string{"(idle)"}}
	assign.SetLine(line)
	assign.SetLastLine(line)
	b := &ast.DoBlockStmt{Stmts: []ast.Stmt{assign}}
	b.SetLine(line)
	b.SetLastLine(line)
	return b
}
