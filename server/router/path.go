package router

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden stands for an encoded slash in a decoded path, so that "/" still separates segments. The byte is free because
// control characters are refused.
const hidden = "\x00"

// A byte class that needs a second look; the zero class is plain.
const (
	escape byte = 1 << iota
	beyond      // not ASCII
	dot
	bad // may not stand in an escaped path
)

var classes = func() (c [256]byte) {
	for b := range c {
		if b < 0x20 || b == 0x7f {
			c[b] = bad
		}
		if b >= utf8.RuneSelf {
			c[b] = beyond
		}
	}
	c['%'], c['.'] = escape, dot
	c['\\'], c['?'], c['#'] = bad, bad, bad
	return c
}()

// CheckPath says why Match answers BadPath for an escaped path, nil if it does not. Refused are: a path that does not
// start with "/" (but "" is "/"); broken percent escapes; control characters, encoded or not; what is not UTF-8 after
// decoding; a bare "\", "?" or "#"; and "." or ".." as a segment, encoded or not, also where an encoded slash or
// backslash cuts a segment, as in "/..%2Fetc".
func CheckPath(escaped string) error {
	if _, fault := decode(escaped); fault != "" {
		return fmt.Errorf("path %q %s", escaped, fault)
	}
	return nil
}

// decode turns escapes into characters, encoded slashes into hidden, and "" into "/". The fault says what is wrong, ""
// for nothing. Without an escape the result is the argument and nothing is allocated.
func decode(path string) (clean, fault string) {
	if path == "" {
		return "/", ""
	}
	if path[0] != '/' {
		return "", `does not start with "/"`
	}
	var seen byte
	for i := range len(path) {
		seen |= classes[path[i]]
	}
	if seen == 0 {
		return path, ""
	}
	if seen&bad != 0 {
		return "", `contains a control character, "\", "?" or "#"; those must be percent-encoded or left out`
	}
	if seen&escape != 0 {
		if path, fault = unescape(path); fault != "" {
			return "", fault
		}
	}
	if seen&(escape|beyond) != 0 {
		if fault = checkText(path); fault != "" {
			return "", fault
		}
	}
	if hasDotSegment(path) {
		return "", `contains a "." or ".." segment`
	}
	return path, ""
}

func unescape(path string) (clean, fault string) {
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c != '%' {
			b.WriteByte(c)
			continue
		}
		if len(path) < i+3 || !isHex(path[i+1]) || !isHex(path[i+2]) {
			return "", `contains a "%" that is not followed by two hexadecimal digits`
		}
		c = unhex(path[i+1])<<4 | unhex(path[i+2])
		i += 2
		switch {
		case c < 0x20 || c == 0x7f:
			return "", "contains an encoded control character"
		case c == '/':
			b.WriteString(hidden)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// checkText refuses what is no text: broken UTF-8 and the control characters beyond ASCII.
func checkText(path string) (fault string) {
	if !utf8.ValidString(path) {
		return "is not valid UTF-8 after decoding"
	}
	for _, r := range path {
		if r > 0x7f && unicode.IsControl(r) {
			return "contains an encoded control character"
		}
	}
	return ""
}

// hasDotSegment reports "." or ".." between separators, where an encoded slash and a backslash separate too: whoever
// joins a parameter to a folder must not climb out of it.
func hasDotSegment(path string) bool {
	for i := 0; i < len(path); i++ {
		if path[i] != '.' || !isSeparator(path[i-1]) {
			continue // path[0] is "/", so i-1 is never negative
		}
		end := i + 1
		if end < len(path) && path[end] == '.' {
			end++
		}
		if end == len(path) || isSeparator(path[end]) {
			return true
		}
	}
	return false
}

func isSeparator(c byte) bool { return c == '/' || c == '\\' || c == hidden[0] }

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
