package codec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// A ValueError says which value has no JSON form, and why.
type ValueError struct {
	// Path leads to the value: `body.items[3].title`, `["first name"]`. It is empty
	// for the value that was given to Append. The middle of a long path is left out.
	Path string
	Err  error

	// Set when a table was nested too deep: that table, and the path from it to itself
	// if it contains itself.
	deep   *lua.LTable
	circle string
}

func (e *ValueError) Error() string {
	if e.Path == "" {
		return "value: " + e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

// Unwrap returns e.Err.
func (e *ValueError) Unwrap() error { return e.Err }

func refuse(format string, args ...any) *ValueError {
	return &ValueError{Err: fmt.Errorf(format, args...)}
}

var errCircle = errors.New("a table that contains itself has no JSON form")

// under puts a step from t in front of the path. On the way out of a table that
// contains itself the many turns of the path become one.
func (e *ValueError) under(t *lua.LTable, step string) *ValueError {
	if e.Path != "" && e.Path[0] != '[' {
		step += "."
	}
	e.Path = shorten(step + e.Path)
	if t != e.deep {
		return e
	}
	if e.circle == "" {
		e.circle = e.Path
		e.Err = errCircle
	}
	e.Path = e.circle
	return e
}

// Bounds of a path in bytes, which beyond maxPath keeps its outer and its inner end.
const (
	maxPath   = 200
	outerPath = 130
	innerPath = 60
)

func shorten(path string) string {
	if len(path) <= maxPath {
		return path
	}
	return strings.ToValidUTF8(path[:outerPath], "") + "…" + strings.ToValidUTF8(path[len(path)-innerPath:], "")
}

func itemStep(i int) string { return "[" + strconv.Itoa(i) + "]" }

func fieldStep(name string) string {
	if isName(name) && len(name) <= maxExcerpt {
		return name
	}
	return "[" + quote(name) + "]"
}

// isName reports whether s can stand after a dot in Lua.
func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }

// keyText writes a key as it would stand in a table constructor.
func keyText(key lua.LValue) string {
	switch key := key.(type) {
	case lua.LString:
		return quote(string(key))
	case lua.LNumber, lua.LBool:
		return "[" + key.String() + "]"
	}
	return "that is a " + key.Type().String()
}

// maxExcerpt is how much of a text an error message shows, in bytes.
const maxExcerpt = 30

// quote quotes s, cut when it is long.
func quote(s string) string { return strconv.Quote(cut(s)) }

// cut returns s, or the beginning of a long s.
func cut(s string) string {
	if len(s) <= maxExcerpt {
		return s
	}
	n := maxExcerpt
	for n > maxExcerpt-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// validPrefix returns the length of the part of s before the first byte that is no UTF-8.
func validPrefix(s string) int {
	for i, r := range s {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
			return i
		}
	}
	return len(s)
}
