package repl

import (
	"fmt"

	"github.com/yuin/gopher-lua/ast"

	"rws/luabind/fault"
)

// writers are the methods that a read-only session refuses to call, by their last name:
// those of most apps that change what is stored. Functions of Lua and of rws that change
// something refuse by themselves, whatever way a line reaches them. See Options.ReadOnly.
var writers = map[string]bool{
	"set": true, "put": true, "del": true, "delete": true, "incr": true, "update": true, "insert": true, "upsert": true, "exec": true, "backup": true,
	"tx": true, "migrate": true, "clear": true, "destroy": true, "renew": true, "flash": true, "fetch": true,
	"push": true, "send": true, "publish": true, "write": true, "call": true,
	"post": true, "patch": true, "request": true,
}

// checkReadOnly returns why a read-only session does not run the chunk, or nil.
func checkReadOnly(chunk []ast.Stmt, file string) error {
	var refused *fault.Error
	refuse := func(line int, format string, args ...any) {
		if refused == nil {
			refused = &fault.Error{Code: "read_only", At: fmt.Sprintf("%s:%d", file, line),
				Message: "this session is read-only: " + fmt.Sprintf(format, args...)}
		}
	}
	visitor{
		stmt: func(s ast.Stmt) {
			switch s := s.(type) {
			case *ast.AssignStmt:
				for _, e := range s.Lhs {
					if _, ok := e.(*ast.AttrGetExpr); ok {
						refuse(s.Line(), "fields can't be assigned")
					}
				}
			case *ast.FuncDefStmt:
				if _, ok := s.Name.Func.(*ast.IdentExpr); !ok {
					refuse(s.Line(), "fields can't be assigned")
				}
			}
		},
		expr: func(e ast.Expr) {
			if call, ok := e.(*ast.FuncCallExpr); ok && writers[calledName(call)] {
				refuse(call.Line(), "%q may change something", calledName(call))
			}
		},
	}.stmts(chunk)
	if refused == nil {
		return nil // a nil *fault.Error would be an error
	}
	return refused
}

// calledName is the last part of what is called: exec of db:exec(…) and db.exec(…).
func calledName(call *ast.FuncCallExpr) string {
	if call.Receiver != nil {
		return call.Method
	}
	switch f := call.Func.(type) {
	case *ast.IdentExpr:
		return f.Value
	case *ast.AttrGetExpr:
		if key, ok := f.Key.(*ast.StringExpr); ok {
			return key.Value
		}
	}
	return ""
}
