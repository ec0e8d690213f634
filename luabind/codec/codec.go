// Package codec turns Lua values into JSON and JSON into Lua values, with no Go value
// in between.
//
// What Lua can't tell, the codec does not guess: a table is a list, an object, or an
// error that names the place in it. What is decoded and encoded again stays what it
// was, also the empty array and null. The one exception is an integer that a Lua
// number can't hold, which becomes a string of its digits.
//
// An isolate must have been through bind.Prepare.
package codec

import "fmt"

// Defaults of Options and Limits.
const (
	DefaultDepth = 128
	DefaultBytes = 64 << 20
	DefaultItems = 1_000_000
)

// maxDepth is the deepest nesting that can be asked for.
const maxDepth = 1000

// maxInteger is the largest integer that a Lua number holds and that is no rounding of
// another.
const maxInteger = 1<<53 - 1

// A LimitError says that a value or a text is larger or nested deeper than allowed.
type LimitError struct{ Msg string }

func (e *LimitError) Error() string { return e.Msg }

func tooLong(limit int) error {
	return &LimitError{fmt.Sprintf("JSON of more than %s", size(limit))}
}

// size writes n bytes as options write them.
func size(n int) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%dmb", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// orDefault returns n, or def when n is not positive.
func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}
