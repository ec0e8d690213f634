package repl

import (
	"context"
	"fmt"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"rws/luabind/bind"
	"rws/luabind/luadoc"
)

// askedHelp returns the name in a line help(db.one): the value alone would not say it.
func (s *Session) askedHelp(chunk []ast.Stmt) (string, bool) {
	if len(chunk) != 1 {
		return "", false
	}
	r, ok := chunk[0].(*ast.ReturnStmt)
	if !ok || len(r.Exprs) != 1 {
		return "", false
	}
	call, ok := r.Exprs[0].(*ast.FuncCallExpr)
	if !ok || len(call.Args) > 1 {
		return "", false
	}
	fn, ok := call.Func.(*ast.IdentExpr)
	if !ok || fn.Value != "help" || call.Receiver != nil {
		return "", false
	}
	if len(call.Args) == 0 {
		return "", true
	}
	if name, ok := call.Args[0].(*ast.StringExpr); ok {
		return name.Value, true // of what is no variable here: help("c:json")
	}
	return pathOf(call.Args[0])
}

// pathOf writes db.one as "db.one"; false when the expression is no path of names.
func pathOf(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.IdentExpr:
		return e.Value, true
	case *ast.AttrGetExpr:
		object, ok := pathOf(e.Object)
		key, isText := e.Key.(*ast.StringExpr)
		return object + "." + keyText(key), ok && isText
	}
	return "", false
}

func keyText(k *ast.StringExpr) string {
	if k == nil {
		return ""
	}
	return k.Value
}

// help returns the documentation of a name, or the list of commands.
func (s *Session) help(ctx context.Context, name string) (Result, error) {
	if name == "" {
		return Result{Text: s.overview()}, nil
	}
	if command, ok := strings.CutPrefix(name, ":"); ok {
		return s.helpCommand(command)
	}
	var r Result
	err := s.inside(ctx, func(L *lua.LState) error {
		l := s.lookup()
		t, _ := l.path(splitPath(name))
		text, ok := s.describe(L, l, t, name)
		if !ok {
			return unknownName(l.docs, name)
		}
		r.Text = text
		return nil
	})
	return r, err
}

// helpCommand is the line of the list that is about a command.
func (s *Session) helpCommand(name string) (Result, error) {
	i := slices.IndexFunc(commands(), func(c command) bool { return c.name == name })
	if i < 0 {
		return Result{}, unknownCommand(name)
	}
	c := commands()[i]
	return Result{Text: s.style.paint(cyan, ":"+c.name+argument(c.args)) + "  " + c.help + "\n"}, nil
}

// unknownName is the error for a name that nothing is known about.
func unknownName(docs *luadoc.Package, name string) error {
	hint := ""
	if docs != nil {
		if near := docs.Suggest(name); len(near) > 0 {
			hint = " (did you mean " + strings.Join(near, " or ") + "?)"
		}
	}
	return fmt.Errorf("there is no documentation for %q%s; :help lists the commands", name, hint)
}

// describe returns the documentation of a target, else what its source says.
func (s *Session) describe(L *lua.LState, l *lookup, t target, name string) (string, bool) {
	if doc, ok := l.symbol(t); ok {
		return luadoc.Text(doc, s.style.width(), s.style.Color), true
	}
	if fn, ok := t.value.(*lua.LFunction); ok && !fn.IsG {
		return s.describeFunction(L, fn), true
	}
	if l.docs != nil {
		if doc, ok := l.docs.Lookup(name); ok {
			return luadoc.Text(doc, s.style.width(), s.style.Color), true
		}
	}
	if t.value == nil || t.value == lua.LNil {
		return "", false
	}
	return newPrinter(L, s.style, s.source).value(t.value) + "\n", true
}

// describeFunction is the head of a function of the script and the comment above it.
func (s *Session) describeFunction(L *lua.LState, fn *lua.LFunction) string {
	text := newPrinter(L, s.style, s.source).function(fn) + "\n"
	first := fn.Proto.LineDefined
	for first > 1 && strings.HasPrefix(strings.TrimSpace(sourceLine(s.source, fn.Proto.SourceName, first-1)), "--") {
		first--
	}
	for _, line := range sourceLines(s.source, fn.Proto.SourceName, first, fn.Proto.LineDefined-1) {
		if line = strings.TrimSpace(line); first < fn.Proto.LineDefined && strings.HasPrefix(line, "--") {
			text += "  " + s.style.paint(dim, line) + "\n"
		}
	}
	return text
}

// helpValue is the function help(value), for values that a line computes.
func (s *Session) helpValue(L *lua.LState) int {
	l := s.lookup()
	v := L.Get(1)
	text, ok := s.describe(L, l, target{value: v, doc: l.documented(v)}, "")
	if !ok {
		bind.Raise(L, "help", fmt.Errorf("nothing is known about %s: name it, as in help(db.one)", v.Type()))
	}
	s.write(L, text)
	return 0
}

// overview lists commands and functions of the console.
func (s *Session) overview() string {
	var b strings.Builder
	row := func(name, text string) {
		fmt.Fprintf(&b, "  %s  %s\n", s.style.paint(cyan, pad(name, 26, false)), text)
	}
	for _, c := range commands() {
		row(":"+c.name+argument(c.args), c.help)
	}
	b.WriteByte('\n')
	row(`get "/path"`, "a request in process; post put patch delete head options")
	row(`post("/login", { form = … })`, "options: headers query cookies form json body")
	row(`as(user).get "/path"`, "the same for a given c.user")
	row("curl(_)", "the command line for the last request")
	row("help(db.one)", "documentation of a name")
	row("_  _2  _err", "the last result, the one before, the last error")
	return b.String()
}

func argument(args string) string {
	if args == "" {
		return ""
	}
	return " " + args
}
