package logs

import (
	"unicode/utf8"
)

const hex = "0123456789abcdef"

// appendQuoted appends s as a JSON string (RFC 8259 §7), which the pretty form uses as well.
// What [dangerous] names is escaped; a byte that is not UTF-8 becomes U+FFFD.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s, true)
	return append(dst, '"')
}

// appendEscaped appends s with everything escaped that could end the line or command a
// terminal; quoted also escapes the quote and the backslash.
func appendEscaped(dst []byte, s string, quoted bool) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != 0x7f && (!quoted || c != '"' && c != '\\') {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = appendASCII(dst, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if invalid := r == utf8.RuneError && size == 1; invalid || dangerous(r) {
			dst = append(dst, s[start:i]...)
			dst = appendRune(dst, r)
			start = i + size
		}
		i += size
	}
	return append(dst, s[start:]...)
}

func appendASCII(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return appendRune(dst, rune(c))
}

func appendRune(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// dangerous reports whether printing r could move the cursor, start a terminal sequence (C1), end
// a line (U+2028, U+2029) or reorder the text around it (bidirectional controls, CVE-2021-42574).
func dangerous(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	case r == 0x2028, r == 0x2029, r == 0xfeff, r == 0x061c, r == 0x200e, r == 0x200f:
		return true
	}
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// plain reports whether s can stand unquoted as the value of a key=value pair.
func plain(s string) bool {
	if s == "" {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r == '"' || r == '=' || r == '\\' || r == utf8.RuneError || dangerous(r) {
			return false
		}
	}
	return true
}
