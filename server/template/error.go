package template

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/parser"
)

// Error says what went wrong in which template.
type Error struct {
	File    string // name of the template
	Line    int    // 1 is the first line; 0 when the file as a whole is meant
	Message string
	Excerpt string // the line and its neighbours, numbered, the line marked with ">"
	Err     error  // what caused it: fs.ErrNotExist, an error of a Func, of ctx; or nil

	// Via are the places that led there from the page, as "page.html:3", the nearest
	// first, at most 10: of include, import and calls of macros, and of a page that
	// extends the file.
	Via []string
}

// maxVia bounds Error.Via.
const maxVia = 10

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("template %q: %s", e.File, e.Message)
	}
	return fmt.Sprintf("template %q line %d: %s", e.File, e.Line, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// fail turns err into an Error at a line of u. An Error that already has a line
// is kept: the innermost template is the one to look at.
func (u *unit) fail(line int, err error) *Error {
	if inner, ok := errors.AsType[*Error](err); ok {
		if inner.Line > 0 {
			return inner.via(u.name, line)
		}
		message := inner.Message
		if inner.File != u.name {
			message = fmt.Sprintf("template %q: %s", inner.File, message)
		}
		return &Error{File: u.name, Line: line, Message: message, Excerpt: excerpt(u.source, line), Err: inner.Err}
	}
	return &Error{File: u.name, Line: line, Message: err.Error(), Excerpt: excerpt(u.source, line), Err: err}
}

// via returns e with a place that led to it, unless that is in the file named last.
func (e *Error) via(file string, line int) *Error {
	last := e.File
	if n := len(e.Via); n > 0 {
		last, _, _ = strings.Cut(e.Via[n-1], ":")
	}
	if last == file || len(e.Via) == maxVia {
		return e
	}
	longer := *e
	longer.Via = append(slices.Clip(e.Via), fmt.Sprintf("%s:%d", file, line))
	return &longer
}

// excerpt shows the lines around line.
func excerpt(source string, line int) string {
	var b strings.Builder
	n := 0
	for text := range strings.Lines(source) {
		n++
		if n < line-2 || n > line+2 {
			continue
		}
		mark := ' '
		if n == line {
			mark = '>'
		}
		text = strings.TrimRight(text, "\r\n")
		if len(text) > 200 {
			text = strings.ToValidUTF8(text[:200], "") + "…"
		}
		fmt.Fprintf(&b, "%c %3d | %s\n", mark, n, text)
	}
	return b.String()
}

// syntax reads what the parser reports: the message in our words and the line,
// or else fallback. Only the innermost error is looked at, since each level of
// nesting has wrapped it once more.
func syntax(err error, fallback int) (string, int) {
	err = innermost(err)
	if s, ok := err.(*parser.SyntaxError); ok {
		message := plain(s.Message)
		if s.Raw != "" {
			message += fmt.Sprintf(", near %q", shorten(s.Raw, 40))
		}
		if s.Line > 0 {
			return message, s.Line
		}
		return message, fallback
	}
	return plain(err.Error()), fallback
}

// innermost walks down to the error that was wrapped first. gonja carries
// errors inside its values, which do not unwrap by themselves.
func innermost(err error) error {
	for {
		if v, ok := err.(*exec.Value); ok {
			inner, ok := v.Interface().(error)
			if !ok {
				return err
			}
			err = inner
			continue
		}
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func plain(message string) string {
	message = strings.TrimSuffix(message, ".")
	message = strings.ReplaceAll(message, "controlStructure", "tag")
	if message == "" {
		return "syntax error"
	}
	return strings.ToLower(message[:1]) + message[1:]
}

func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
