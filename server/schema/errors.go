package schema

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// SyntaxError says what is wrong with a field's spec, and what to write instead.
type SyntaxError struct {
	Field string // name of the field
	Spec  string // the whole spec
	Pos   int    // byte offset in Spec where the mistake starts
	Msg   string
}

// Error is one line: field, spec and mistake.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("field %q: %q: %s", e.Field, e.Spec, e.Msg)
}

// Code names the rule a value broke; programs may depend on it.
type Code string

// The codes of a [FieldError].
const (
	CodeRequired  Code = "required"   // absent, or null
	CodeType      Code = "type"       // not of the field's type at all
	CodeMin       Code = "min"        // below the range
	CodeMax       Code = "max"        // above the range
	CodeLength    Code = "length"     // too few or too many characters or items
	CodePattern   Code = "pattern"    // does not match the pattern
	CodeEnum      Code = "enum"       // not one of the values
	CodeFormat    Code = "format"     // not an e-mail address, a date, valid text …
	CodeUnknown   Code = "unknown"    // no such field
	CodeMediaType Code = "media_type" // a file of another type
	CodeSize      Code = "size"       // a file too small or too large
	CodeDepth     Code = "depth"      // nested deeper than MaxDepth
)

// FieldError is one broken rule. Message is for end users, complete without the path ("must be at least 1"), and
// never repeats the value.
type FieldError struct {
	Path    string `json:"path"` // "title", "items[2].title"; "" is the input itself
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Errors are the broken rules of one input: in the order of the fields, then unknown names in alphabetical order.
// Those inside a free-form object come by path. Test len(errs) > 0: empty Errors in an error variable are not nil.
type Errors []FieldError

// Error joins path and message of every error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, fe := range e {
		lines[i] = strings.TrimPrefix(fe.Path+": "+fe.Message, ": ")
	}
	return strings.Join(lines, "; ")
}

// problem is a broken rule whose path is not known yet; the zero value means none.
type problem struct {
	code    Code
	message string
}

// collector gathers errors whose paths grow while the calls return, so that good input pays nothing for paths.
type collector struct {
	errs  Errors
	hints int // unknown names that were compared with all fields so far
}

const maxHints = 10 // comparing costs about a microsecond per field, so a client must not order many

func (c *collector) full() bool { return len(c.errs) >= MaxErrors }

func (c *collector) add(path string, p problem) {
	if p.code != "" && !c.full() {
		c.errs = append(c.errs, FieldError{path, p.code, p.message})
	}
}

// within puts segment before the paths of the errors that were added since there were mark of them.
func (c *collector) within(mark int, segment string) {
	for i := mark; i < len(c.errs); i++ {
		path := c.errs[i].Path
		if path != "" && path[0] != '[' {
			path = "." + path
		}
		c.errs[i].Path = segment + path
	}
}

// inItem is within for the item of a list.
func (c *collector) inItem(mark, index int) {
	if mark < len(c.errs) {
		c.within(mark, "["+strconv.Itoa(index)+"]")
	}
}

const maxEcho = 40 // runes of a client's own text that an error repeats

// echo makes a name sent by the client fit for a path: short, quoted when odd.
func echo(name string) string {
	runes := 0
	for i := range name {
		if runes++; runes > maxEcho {
			name = name[:i] + "…"
			break
		}
	}
	odd := func(r rune) bool {
		return r == unicode.ReplacementChar || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-…", r)
	}
	if name == "" || strings.ContainsFunc(name, odd) {
		return strconv.Quote(name)
	}
	return name
}
