package repl

import (
	"errors"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"rws/luabind/fault"
)

// Bounds on a line of input, of one row or many.
const (
	// maxLine is how long it may be: 1 MB, as for load.
	maxLine = 1 << 20
	// maxDrawn is up to what length it is coloured and completed, which happens at each key: 64 KB.
	maxDrawn = 64 << 10
)

// bounded returns why a line, which follows so many others, is not even parsed, or nil. The parser
// takes its time for a long one, and what walks the tree after it calls itself at each level.
func bounded(before int, text string) error {
	if len(text) > maxLine {
		return &fault.Error{Code: "syntax", At: fmt.Sprintf("%s:%d", inputFile, before+1),
			Message: fmt.Sprintf("the input is %d KB long, more than the %d a line of the console may have", len(text)>>10, maxLine>>10),
			Hint:    "write it to a file of the app and require it, or read data with rws.fs.read"}
	}
	if len(text) < smallInput {
		return nil
	}
	return fault.Bounded(inputFile, strings.Repeat("\n", before)+text)
}

// smallInput is too short to break a bound of package fault.
const smallInput = 200

// Complete reports whether text is a whole line of input: more of it could not turn a
// syntax error into sense, and a command is always one line.
func Complete(text string) bool {
	if isCommand(text) || bounded(0, text) != nil {
		return true
	}
	_, _, err := parseInput("", text, "")
	return !atEnd(err)
}

// isCommand tells ":help" from Lua, where "::" begins a label.
func isCommand(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, ":") && !strings.HasPrefix(text, "::")
}

// parseInput reads text as an expression list, else as statements, and returns the code to
// compile. An expression can't be told from a statement by running it: each line runs
// once. margin is put in front.
func parseInput(margin, text, file string) (code string, chunk []ast.Stmt, err error) {
	expression := text
	if rest, ok := strings.CutPrefix(strings.TrimLeft(text, " \t"), "="); ok {
		expression = rest // as in the console of Lua 5.1
	}
	code = margin + "return " + expression
	chunk, errValue := parseChunk(code, file)
	if errValue == nil {
		return code, chunk, nil
	}
	chunk, err = parseChunk(margin+text, file)
	if err != nil && atEnd(errValue) {
		err = errValue
	}
	if err != nil {
		return "", nil, err
	}
	return margin + keepLocals(text), chunk, nil
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

// compile compiles text as the next line of the session, and returns it as parsed too.
func (s *Session) compile(text string) (*lua.FunctionProto, []ast.Stmt, error) {
	if len(text) > maxLine {
		return nil, nil, bounded(s.keep(""), text) // it is not kept
	}
	before := s.keep(text)
	if err := bounded(before, text); err != nil {
		return nil, nil, err
	}
	return compileInput(before, text, inputFile)
}

// compileInput compiles text, which follows so many lines of a file, and returns it as
// parsed too. Its top-level local statements become assignments to variables of the
// session. An error is a *fault.Error.
func compileInput(before int, text, file string) (*lua.FunctionProto, []ast.Stmt, error) {
	margin := strings.Repeat("\n", before)
	code, chunk, err := parseInput(margin, text, file)
	if err != nil {
		return nil, nil, fault.FromLoad(err, file, margin+text)
	}
	proto, err := fault.Compile(file, code)
	return proto, chunk, err
}

// sessionName is how compiled lines reach the variables of the session.
const sessionName = "__session"

// keepLocals writes the local statements of text, not those of blocks within, as
// assignments: local a, b = 1 becomes __session.a, __session.b = 1. Lines stay where they
// are. The text has been parsed without an error; it is changed as text and not as a
// tree, because only text can be compiled by package fault, which mends the compiler.
func keepLocals(text string) string {
	l := localWriter{text: text, tokens: scan(text)}
	depth := 0
	for l.at < len(l.tokens) {
		switch word := l.word(); {
		case word == "local" && depth == 0:
			l.statement()
			continue
		case l.tokens[l.at].kind != tokenKeyword:
		case word == "function" || word == "if" || word == "do" || word == "repeat":
			depth++
		case word == "end" || word == "until":
			depth--
		}
		l.copy()
	}
	return l.b.String()
}

// A localWriter copies tokens and rewrites local statements.
type localWriter struct {
	text   string
	tokens []token
	at     int
	b      strings.Builder
}

func (l *localWriter) word() string {
	if l.at >= len(l.tokens) {
		return ""
	}
	return l.text[l.tokens[l.at].start:l.tokens[l.at].end]
}

func (l *localWriter) copy() {
	l.b.WriteString(l.word())
	l.at++
}

// blank copies white space and comments.
func (l *localWriter) blank() {
	for l.at < len(l.tokens) && (l.tokens[l.at].kind == tokenSpace || l.tokens[l.at].kind == tokenComment) {
		l.copy()
	}
}

// statement rewrites what begins with the token "local", up to its values or, for a
// function, up to the word "function", which stays for who counts blocks.
func (l *localWriter) statement() {
	l.at++
	l.blank()
	if l.word() == "function" {
		l.function()
		return
	}
	for {
		l.b.WriteString(sessionName + ".")
		l.copy()
		end := l.at
		if l.skipBlank(); l.word() != "," {
			if l.word() != "=" {
				l.b.WriteString(" = nil")
			}
			l.at = end
			return
		}
		l.at = end
		l.blank()
		l.copy() // the comma
		l.blank()
	}
}

// skipBlank looks past white space and comments.
func (l *localWriter) skipBlank() {
	for l.at < len(l.tokens) && (l.tokens[l.at].kind == tokenSpace || l.tokens[l.at].kind == tokenComment) {
		l.at++
	}
}

// function rewrites "function f" as "__session.f = function". The name's token is
// replaced by the keyword's.
func (l *localWriter) function() {
	keyword := l.tokens[l.at]
	l.at++
	l.blank()
	l.b.WriteString(sessionName + "." + l.word() + " = ")
	l.tokens[l.at] = keyword
}
