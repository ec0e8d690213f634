package repl

import (
	"errors"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"rws/luabind/fault"
)

// Complete reports whether text is a whole line of input: more of it could not turn a
// syntax error into sense, and a command is always one line.
func Complete(text string) bool {
	if isCommand(text) {
		return true
	}
	_, err := parseInput("", text, "")
	return !atEnd(err)
}

// isCommand tells ":help" from Lua, where "::" begins a label.
func isCommand(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, ":") && !strings.HasPrefix(text, "::")
}

// parseInput reads text as an expression list, else as statements. An expression can't
// be told from a statement by running it: each line runs once. margin is put in front.
func parseInput(margin, text, file string) ([]ast.Stmt, error) {
	expression := text
	if rest, ok := strings.CutPrefix(strings.TrimLeft(text, " \t"), "="); ok {
		expression = rest // as in the console of Lua 5.1
	}
	chunk, errValue := parseChunk(margin+"return "+expression, file)
	if errValue == nil {
		return chunk, nil
	}
	chunk, err := parseChunk(margin+text, file)
	if err != nil && atEnd(errValue) {
		return nil, errValue
	}
	return chunk, err
}

func parseChunk(text, file string) ([]ast.Stmt, error) {
	return parse.Parse(strings.NewReader(text), file)
}

// atEnd reports whether the parser stopped because the text ended too early. A quoted
// string that is not closed by the end of its line can't be mended by another line, but
// for one that ends in a backslash, which the parser reports as the byte of the line's or
// the text's end.
func atEnd(err error) bool {
	e, ok := errors.AsType[*parse.Error](err)
	if !ok || e.Pos.Line != parse.EOF {
		return false
	}
	return e.Message != "unterminated string" || strings.HasSuffix(e.Token, "\n") || strings.HasSuffix(e.Token, "\xff")
}

// sessionName is how compiled lines reach the variables of the session. No script can
// use such a name.
const sessionName = "(session)"

// compileInput compiles text, which follows so many lines of a file. Its top-level local
// statements become assignments to variables of the session. An error is a *fault.Error.
func compileInput(before int, text, file string) (*lua.FunctionProto, []ast.Stmt, error) {
	margin := strings.Repeat("\n", before)
	chunk, err := parseInput(margin, text, file)
	if err != nil {
		return nil, nil, fault.FromLoad(err, file, margin+text)
	}
	keepLocals(chunk)
	proto, err := lua.Compile(chunk, file)
	if err != nil {
		return nil, nil, fault.FromLoad(err, file, margin+text)
	}
	return proto, chunk, nil
}

// keepLocals replaces the local statements of a chunk, not those of blocks within.
func keepLocals(chunk []ast.Stmt) {
	for i, stmt := range chunk {
		if l, ok := stmt.(*ast.LocalAssignStmt); ok {
			chunk[i] = assignment(l)
		}
	}
}

// assignment writes "local a, b = …" as "(session).a, (session).b = …".
func assignment(l *ast.LocalAssignStmt) ast.Stmt {
	a := &ast.AssignStmt{Rhs: l.Exprs}
	a.SetLine(l.Line())
	a.SetLastLine(l.LastLine())
	for _, name := range l.Names {
		object := &ast.IdentExpr{Value: sessionName}
		key := &ast.StringExpr{Value: name}
		field := &ast.AttrGetExpr{Object: object, Key: key}
		for _, n := range []ast.Expr{object, key, field} {
			n.SetLine(l.Line())
			n.SetLastLine(l.Line())
		}
		a.Lhs = append(a.Lhs, field)
	}
	if len(a.Rhs) == 0 {
		value := &ast.NilExpr{}
		value.SetLine(l.Line())
		value.SetLastLine(l.Line())
		a.Rhs = []ast.Expr{value}
	}
	return a
}
