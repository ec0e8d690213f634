package router

import "strings"

// Type is what a parameter accepts besides "not empty".
type Type uint8

const (
	None Type = iota // any text
	Int              // an optional "-" and digits, within ±(2^53-1); leading zeros are fine
	UUID             // 8-4-4-4-12 hexadecimal digits in any case
	Slug             // [a-z0-9]+(-[a-z0-9]+)*
)

// String is the name as written between braces in a pattern; "" for None.
func (t Type) String() string {
	return [...]string{None: "", Int: "int", UUID: "uuid", Slug: "slug"}[t]
}

// types are the names a pattern may use.
var types = []Type{Int, UUID, Slug}

// accepts reports whether s is a non-empty value of the type.
func (t Type) accepts(s string) bool {
	switch t {
	case Int:
		return isInt(s)
	case UUID:
		return isUUID(s)
	case Slug:
		return isSlug(s)
	}
	return s != ""
}

// maxInt is 2^53-1, the largest integer that every JSON and Lua number holds exactly.
const maxInt = 1<<53 - 1

func isInt(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" {
		return false
	}
	n := int64(0)
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return false
		}
		if n = n*10 + int64(c-'0'); n > maxInt {
			return false
		}
	}
	return true
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHex(s[i]) {
				return false
			}
		}
	}
	return true
}

func isSlug(s string) bool {
	dash := true // a dash may not come first, last or twice
	for i := range len(s) {
		c := s[i]
		if c == '-' && dash || c != '-' && !isLower(c) && !isDigit(c) {
			return false
		}
		dash = c == '-'
	}
	return !dash
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

// isName reports whether c may be part of a parameter name; a name may not start with a digit.
func isName(c byte, first bool) bool {
	return isLower(c) || isUpper(c) || c == '_' || !first && isDigit(c)
}
