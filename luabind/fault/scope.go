package fault

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// Load compiles the text of a file for L, as L.Load does, and makes good errors
// possible: it mends what the compiler gets wrong about the scopes of variables, and
// remembers the text for hints. An error is an *Error, by [FromLoad]. The name of Lua
// code that is not the script's own begins with "=".
func Load(L *lua.LState, file, text string) (*lua.LFunction, error) {
	proto, err := Compile(file, text)
	if err != nil {
		return nil, err
	}
	if s := stateOf(L); s.sources != nil {
		s.sources[file] = Clean(text)
	}
	return L.NewFunctionFromProto(proto), nil
}

// Compile is the part of [Load] that needs no isolate.
func Compile(file, text string) (*lua.FunctionProto, error) {
	text = commented(Clean(text))
	if err := checkBounds(file, text); err != nil {
		return nil, err
	}
	chunk, err := parse.Parse(strings.NewReader(text), file)
	if err != nil {
		return nil, FromLoad(err, file, text)
	}
	chunk = mendJumps(chunk, block{open: true})
	proto, err := lua.Compile(chunk, file)
	if err != nil {
		return nil, fromCompile(err, chunk, file, text)
	}
	mendScopes(proto, chunk, file)
	return proto, nil
}

// Clean returns the text of a file without the byte order mark that some editors put in front.
func Clean(text string) string { return strings.TrimPrefix(text, "\uFEFF") }

// commented makes a comment of a first line as "#!/usr/bin/env rws", which is the shell's.
func commented(text string) string {
	if strings.HasPrefix(text, "#!") {
		return "--" + text[2:]
	}
	return text
}

// mendScopes corrects the ends of variables in proto's debug information. gopher-lua
// stores the end of a variable under its register instead of its number, so that in
//
//	if a then local x = 1 end
//	if b then local y = 2 end
//
// x seems to live on where y is and y nowhere. The right ends come from compiling the
// chunk a second time with a marker, a variable of its own, at the end of each block:
// every marker shifts the code by one instruction, and nothing else changes. It costs
// 2 ms on top of 5 ms for 1,000 lines (BenchmarkLoad), once per file. Where the two don't agree, as
// when the marker breaks a limit of the compiler, proto stays as it is.
func mendScopes(proto *lua.FunctionProto, chunk []ast.Stmt, file string) {
	marked, err := lua.Compile(markBlock(chunk, block{open: true}), file)
	if err != nil {
		return
	}
	transferEnds(proto, marked)
}

func transferEnds(proto, marked *lua.FunctionProto) {
	if len(proto.FunctionPrototypes) != len(marked.FunctionPrototypes) {
		return
	}
	for i, child := range proto.FunctionPrototypes {
		transferEnds(child, marked.FunctionPrototypes[i])
	}
	ends := make([]int, len(proto.DbgLocals))
	var open []int // numbers of the variables in scope
	number, markers := 0, 0
	for _, l := range marked.DbgLocals {
		if closes, ok := marker(l.Name); ok {
			if closes > len(open) {
				return
			}
			for _, n := range open[len(open)-closes:] {
				ends[n] = l.StartPc - 1 - markers
			}
			open = open[:len(open)-closes]
			markers++
			continue
		}
		if number == len(ends) || proto.DbgLocals[number].Name != l.Name || proto.DbgLocals[number].StartPc != l.StartPc-markers {
			return
		}
		open = append(open, number)
		number++
	}
	if number != len(ends) {
		return
	}
	for _, n := range open {
		ends[n] = len(proto.Code)
	}
	for n, end := range ends {
		proto.DbgLocals[n].EndPc = max(end, 1)
	}
}

// markerFormat names the variable that marks the end of a block and says how many
// variables of the block it closes. No script can use such a name.
const markerFormat = "(end %d)"

func marker(name string) (closes int, ok bool) {
	if !strings.HasPrefix(name, "(end ") {
		return 0, false
	}
	_, err := fmt.Sscanf(name, markerFormat, &closes)
	return closes, err == nil
}

func markStmt(closes int) ast.Stmt {
	m := &ast.LocalAssignStmt{Names: []string{fmt.Sprintf(markerFormat, closes)}}
	return &ast.DoBlockStmt{Stmts: []ast.Stmt{m}}
}

// markBlock returns the statements of a block with markers for the blocks within, and with
// one at its own end, unless it is open, for its hidden and its own variables.
func markBlock(stmts []ast.Stmt, b block) []ast.Stmt {
	out := make([]ast.Stmt, 0, len(stmts)+1)
	count := b.hidden
	for _, s := range stmts {
		if l, ok := s.(*ast.LocalAssignStmt); ok {
			count += len(l.Names)
		}
		blocks(markBlock).within(s)
		out = append(out, s)
		// The condition of a repeat sees the variables of its body.
		if r, ok := s.(*ast.RepeatStmt); ok {
			if n := variables(r.Stmts); n > 0 {
				out = append(out, markStmt(n))
			}
		}
	}
	if b.open || count == 0 {
		return out
	}
	// Labels at the end of a block are special: goto may jump there past variables.
	at := len(out)
	for at > 0 {
		if _, ok := out[at-1].(*ast.LabelStmt); !ok {
			break
		}
		at--
	}
	return append(out[:at:at], append([]ast.Stmt{markStmt(count)}, out[at:]...)...)
}

// variables returns how many variables the statements declare in their own block.
func variables(stmts []ast.Stmt) (n int) {
	for _, s := range stmts {
		if l, ok := s.(*ast.LocalAssignStmt); ok {
			n += len(l.Names)
		}
	}
	return n
}
