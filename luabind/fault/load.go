package fault

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// codeSyntax is the code of an error in a file that does not compile.
const codeSyntax = "syntax"

// FromLoad says in plain words why a file does not compile, where, and what is usually
// meant. err is what gopher-lua's parser, compiler or L.Load returned; text is what it
// was given. The place of something that is never closed is where it was opened.
func FromLoad(err error, file, text string) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Code: codeSyntax, Cause: err, Message: strings.TrimSpace(err.Error())}
	if syntax, ok := errors.AsType[*parse.Error](cause(err)); ok {
		r := newReader(text, syntax)
		r.explain(e)
		at := min(r.at, len(text))
		e.At = fmt.Sprintf("%s:%d", file, r.source.lineOf(at))
		e.mark.column = r.source.column(at)
		return e
	}
	if compile, ok := errors.AsType[*lua.CompileError](cause(err)); ok {
		e.At = fmt.Sprintf("%s:%d", file, max(compile.Line, 1))
		e.compile(compile, file)
	}
	return e
}

// cause is the error below the one of L.Load, which doesn't unwrap.
func cause(err error) error {
	if api, ok := errors.AsType[*lua.ApiError](err); ok && api.Cause != nil {
		return api.Cause
	}
	return err
}

var (
	gotoMessage  = pattern(`^no visible label '(.*)' for <goto> at line (\d+)$`)
	labelMessage = pattern(`^label '(.*)' already defined on line (\d+)$`)
	scopeMessage = pattern(`^<goto (.*)> at line (\d+) jumps into the scope of local '(.*)'$`)
)

// compile explains what the compiler, which comes after the parser, refuses.
func (e *Error) compile(compile *lua.CompileError, file string) {
	message := compile.Message
	e.Message = message
	at := func(line string) {
		n, _ := strconv.Atoi(line)
		e.At = fmt.Sprintf("%s:%d", file, max(n, 1))
	}
	if m := gotoMessage().FindStringSubmatch(message); m != nil {
		at(m[2])
		e.Message = fmt.Sprintf("there is no label `::%s::` for this `goto`", m[1])
		e.Hint = fmt.Sprintf("write ::%s:: in the same block or around it, as before the `end` of the loop", m[1])
		e.mark.expr = m[1]
	} else if m := labelMessage().FindStringSubmatch(message); m != nil {
		at(strconv.Itoa(compile.Line - 1)) // the compiler adds one
		e.Message = fmt.Sprintf("the label `::%s::` exists already, at line %s", m[1], m[2])
		e.mark.expr = "::" + m[1] + "::"
	} else if m := scopeMessage().FindStringSubmatch(message); m != nil {
		at(m[2])
		e.Message = fmt.Sprintf("`goto %s` would jump past the declaration of `%s`", m[1], m[3])
		e.Hint = fmt.Sprintf("declare `%s` before the goto, or put what follows the goto into do … end", m[3])
		e.mark.expr = m[1]
	} else if message == "no loop to break" {
		e.Message = "`break` outside of a loop"
		e.mark.expr = "break"
	} else if strings.HasPrefix(message, "cannot use '...'") {
		e.Message = "`...` outside of a function that takes it"
		e.Hint = "declare the function as function(...), or keep the values before: local args = { ... }"
		e.mark.expr = "..."
	} else if strings.HasPrefix(message, "too many local variables") || strings.HasPrefix(message, "register overflow") {
		e.Message = "this function holds more than 200 values at a time: local variables, arguments, and parts of an expression"
		e.Hint = "split it, put related variables into a table, or move parts into a file for require"
	}
}

// A reader looks at a file as the parser did until it gave up.
type reader struct {
	source source
	tokens []token // without comments
	all    []token
	bad    int // number of the token the parser stumbled over; len(tokens) at the end
	at     int // offset the error points at
	token  string
	reason string // the parser's words
	open   []opener
	// suspect is a block whose "end" stands further left than its beginning.
	suspect *opener
}

// An opener is a block or a bracket that isn't closed.
type opener struct {
	token  int
	word   string // "function", "if", "for", "while", "do", "repeat", "(", "{", "["
	header bool   // waits for its "then" or "do"
}

func newReader(text string, err *parse.Error) *reader {
	r := &reader{source: newSource(text), all: scan(text), token: err.Token, reason: err.Message}
	for _, t := range r.all {
		if t.kind != comment {
			r.tokens = append(r.tokens, t)
		}
	}
	r.locate(err.Pos.Line, err.Pos.Column)
	for n := range min(r.bad, len(r.tokens)) {
		r.track(n)
	}
	return r
}

// locate finds the token at a position of the parser, which is mostly that of its last
// byte, and its first byte for some errors.
func (r *reader) locate(line, column int) {
	r.bad, r.at = len(r.tokens), len(strings.TrimRight(r.source.text, " \t\r\n"))
	if line < 1 || line > len(r.source.lines) {
		return
	}
	first := r.source.lines[line-1]
	r.at = min(first+max(column-1, 0), len(r.source.text))
	for n, t := range r.tokens {
		if t.end >= first+column && r.source.lineOf(max(t.end-1, 0)) >= line {
			r.bad, r.at = n, t.start
			return
		}
	}
}

func (r *reader) word(n int) string {
	if n < 0 || n >= len(r.tokens) {
		return ""
	}
	return r.source.text[r.tokens[n].start:r.tokens[n].end]
}

func (r *reader) line(n int) int { return r.source.lineOf(r.tokens[n].start) }

// adjacent reports whether token n follows the one before without space.
func (r *reader) adjacent(n int) bool {
	return n > 0 && n < len(r.tokens) && r.tokens[n].start == r.tokens[n-1].end
}

// indent returns how far right the line of token n begins, and whether n is first in it.
func (r *reader) indent(n int) (width int, first bool) {
	start := r.source.lines[r.line(n)-1]
	width = span(r.source.text[start:], func(c byte) bool { return c == ' ' || c == '\t' })
	return width, start+width == r.tokens[n].start
}

// track follows the opening and closing of blocks and brackets.
func (r *reader) track(n int) {
	t := r.tokens[n]
	if t.kind != word && t.kind != symbols {
		return
	}
	switch w := r.word(n); w {
	case "function", "if", "repeat", "(", "{", "[":
		r.open = append(r.open, opener{token: n, word: w, header: w == "if"})
	case "for", "while":
		r.open = append(r.open, opener{token: n, word: w, header: true})
	case "do":
		if top := r.top(); top != nil && top.header && top.word != "if" {
			top.header = false
		} else {
			r.open = append(r.open, opener{token: n, word: w})
		}
	case "then":
		if top := r.top(); top != nil && top.word == "if" {
			top.header = false
		}
	case "elseif":
		if top := r.top(); top != nil && top.word == "if" {
			top.header = true
		}
	case "end", "until", ")", "}", "]":
		r.close(n)
	}
}

func (r *reader) top() *opener {
	if len(r.open) == 0 {
		return nil
	}
	return &r.open[len(r.open)-1]
}

func (r *reader) close(n int) {
	top := r.top()
	if top == nil {
		return
	}
	if r.word(n) == "end" && r.suspect == nil {
		begin, _ := r.indent(top.token)
		if end, first := r.indent(n); first && end < begin {
			suspect := *top
			r.suspect = &suspect
		}
	}
	r.open = r.open[:len(r.open)-1]
}

// isBlock tells blocks from brackets.
func (o opener) isBlock() bool { return isLetter(o.word[0]) }

// explain fills in message and hint, and moves the place where that helps.
func (r *reader) explain(e *Error) {
	if r.explainText(e) {
		return
	}
	e.Message = "unexpected " + r.describe()
	if r.bad < len(r.tokens) {
		e.mark.length = r.tokens[r.bad].end - r.tokens[r.bad].start
	}
	if strings.HasPrefix(r.reason, "ambiguous syntax") {
		e.Message = "this `(` may continue the line above or begin a new statement"
		e.Hint = "put a semicolon in front of the `(`, or move it to the end of the line above"
		return
	}
	if hint := r.foreign(); hint != "" {
		e.Hint = hint
		return
	}
	r.structure(e)
}

// explainText handles strings and comments that are not closed.
func (r *reader) explainText(e *Error) bool {
	if !strings.HasPrefix(r.reason, "unterminated") && !strings.HasPrefix(r.reason, "invalid multiline") {
		return false
	}
	long := !strings.HasPrefix(r.reason, "unterminated string")
	for n := len(r.all) - 1; n >= 0; n-- {
		t := r.all[n]
		if t.kind != text && t.kind != comment || t.start > max(r.at, 0) || long && t.end < len(r.source.text) {
			continue
		}
		r.at = t.start
		break
	}
	if !long {
		e.Message, e.Hint = "this string is not closed", "close it on the same line, or write a longer text in [[ … ]]"
	} else {
		e.Message = fmt.Sprintf("the long text or comment opened at line %d is not closed (missing `]]`)", r.source.lineOf(r.at))
	}
	return true
}

// describe names the token the parser stumbled over.
func (r *reader) describe() string {
	if r.bad >= len(r.tokens) {
		return "end of the file"
	}
	switch w := r.word(r.bad); r.tokens[r.bad].kind {
	case text:
		return "string " + cut(strings.Join(strings.Fields(strings.ToValidUTF8(w, "\uFFFD")), " "), maxText)
	default:
		return "`" + cut(strings.ToValidUTF8(w, "\uFFFD"), maxText) + "`"
	}
}

// structure explains the token by the blocks and brackets that are open around it.
func (r *reader) structure(e *Error) {
	top := r.top()
	w := r.word(r.bad)
	switch {
	case top != nil && top.header:
		r.headless(e, top)
	case r.incomplete(e):
	case top == nil:
		if closing(w) {
			e.Message += ": there is nothing left for it to close"
			e.Hint = "look for a block above that was closed too early"
		}
	case top.isBlock() && (r.bad >= len(r.tokens) || closing(w) && w != "end"):
		r.unclosed(e, top)
	case !top.isBlock() && (r.bad >= len(r.tokens) || keywords[w] || closing(w)):
		e.Message += fmt.Sprintf(": the `%s` opened at line %d is not closed", top.word, r.line(top.token))
		if r.bad >= len(r.tokens) {
			r.pointAt(e, top.token)
		}
	case top.word == "{":
		e.Message += fmt.Sprintf(" in the table opened at line %d", r.line(top.token))
		e.Hint = "separate the entries of a table with commas"
	case top.word == "(":
		e.Hint = "separate arguments with commas"
	}
}

// headless explains a block without its "then" or "do".
func (r *reader) headless(e *Error, top *opener) {
	missing := map[string]string{"if": "then", "for": "do", "while": "do"}[top.word]
	e.Message += fmt.Sprintf(": the `%s` at line %d has no `%s`", top.word, r.line(top.token), missing)
	e.Hint = map[string]string{
		"if": "write: if condition then … end", "while": "write: while condition do … end", "for": "write: for … do … end",
	}[top.word]
	for n := top.token; n < min(r.bad, len(r.tokens)); n++ {
		if r.word(n) == "{" && r.word(n-1) == ")" {
			e.Hint = "blocks are written with then … end or do … end in Lua, not with braces"
		}
	}
	if r.bad >= len(r.tokens) {
		r.pointAt(e, top.token)
	}
}

// incomplete explains a statement or an expression that stops before the token.
func (r *reader) incomplete(e *Error) bool {
	last := r.bad - 1
	if last < 0 || r.bad < len(r.tokens) && !keywords[r.word(r.bad)] && r.line(r.bad) == r.line(last) {
		return false
	}
	w := r.word(last)
	switch {
	case w == "=" || w == "," || w == ".." || w == "and" || w == "or" || w == "not" || w != "" && strings.Contains("+-*/%^<>==~=<=>=", w):
		e.Message += fmt.Sprintf(": a value is missing after `%s`", w)
		return true
	case !isName(w):
		return false
	}
	name := r.path(last)
	begin := last - 2*strings.Count(name, ".")
	if !r.beginsStatement(begin) {
		return false
	}
	e.Message = fmt.Sprintf("`%s` alone is not a statement", name)
	e.Hint = fmt.Sprintf("call it, %s(…), or assign to it, %s = …", name, name)
	r.at, e.mark.length = r.tokens[begin].start, r.tokens[last].end-r.tokens[begin].start
	return true
}

// beginsStatement reports whether token n, a name, can only begin a statement.
func (r *reader) beginsStatement(n int) bool {
	if n == 0 {
		return true
	}
	switch before := r.word(n - 1); before {
	case ")", "]", "}", ";", "end", "then", "do", "else", "repeat", "nil", "true", "false":
		return true
	default:
		kind := r.tokens[n-1].kind
		return kind == text || kind == numeral || isName(before)
	}
}

func closing(w string) bool {
	return w == "end" || w == "until" || w == ")" || w == "}" || w == "]" || w == "else" || w == "elseif"
}

// unclosed explains that a block has no end.
func (r *reader) unclosed(e *Error, top *opener) {
	block, missing := *top, "end"
	if r.suspect != nil && r.suspect.token > top.token {
		block = *r.suspect
	}
	if block.word == "repeat" {
		missing = "until"
	}
	opened := fmt.Sprintf("the `%s` opened at line %d is closed (missing `%s`)", block.word, r.line(block.token), missing)
	if r.bad < len(r.tokens) {
		e.Message += " before " + opened
	} else {
		e.Message = "the file ends before " + opened
		r.pointAt(e, block.token)
	}
	for n := top.token; n < min(r.bad, len(r.tokens)-1); n++ {
		if r.word(n) == "else" && r.word(n+1) == "if" && r.line(n) == r.line(n+1) {
			e.Hint = fmt.Sprintf("line %d: `else if` opens a second `if`, which needs its own `end`: write `elseif`", r.line(n))
			return
		}
	}
}

func (r *reader) pointAt(e *Error, n int) {
	r.at = r.tokens[n].start
	e.mark.length = r.tokens[n].end - r.tokens[n].start
}
