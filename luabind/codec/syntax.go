package codec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// A SyntaxError says where a text stops being JSON that Decode reads.
type SyntaxError struct {
	// Line and Col, in characters, count from 1.
	Line, Col int
	// Msg says what was expected and what is there.
	Msg string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at line %d, column %d: %s", e.Line, e.Col, e.Msg)
}

// errorAt returns the error msg about the byte at offset.
func (d *decoder) errorAt(offset int, msg string) error {
	before := d.data[:offset]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return &SyntaxError{Line: bytes.Count(before, []byte{'\n'}) + 1, Col: utf8.RuneCount(line) + 1, Msg: msg}
}

// expectations translate the errors of jsontext, which differ in their text only.
var expectations = []struct{ text, says string }{
	{"expecting ':'", `expected ":" after the name`},
	{"missing value after object name", "expected a value"},
	{"expecting ',' or '}'", `expected "," or "}"`},
	{"expecting ',' or ']'", `expected "," or "]"`},
	{"must be a string", "expected a name in double quotes"},
	{"at start of value", "expected a value"},
	{"in literal", "expected a value"},
	{"in number", "expected a digit"},
	{"non-control character", "expected an escape as \\n"},
}

// syntaxError puts err, which jsontext returned, into the words of this package.
func (d *decoder) syntaxError(err error) error {
	e, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok { // io.EOF: nothing but space
		return d.errorAt(len(d.data), "expected a value, found the end")
	}
	offset := int(e.ByteOffset)
	switch e.Err {
	case io.ErrUnexpectedEOF:
		return d.errorAt(len(d.data), "the text ends in the middle of a value")
	case jsontext.ErrDuplicateName:
		return d.errorAt(offset, "duplicate name "+quote(e.JSONPointer.LastToken()))
	}
	text := e.Err.Error()
	for _, x := range expectations {
		if strings.Contains(text, x.text) {
			return d.unexpected(offset, x.says)
		}
	}
	return d.errorAt(offset, text)
}

// unexpected returns the error that something else is at offset than what says expects.
func (d *decoder) unexpected(offset int, says string) error {
	const value = "expected a value"
	if says != value {
		return d.errorAt(offset, says+", found "+found(d.data[offset:]))
	}
	for offset > 0 && isLetter(d.data[offset-1]) { // the error may be inside a word
		offset--
	}
	if d.wantsName() {
		says = "expected a name in double quotes"
	}
	if after, ok := bytes.CutPrefix(d.data[offset:], []byte{','}); ok {
		after = bytes.TrimLeft(after, space)
		if len(after) > 0 && (after[0] == ']' || after[0] == '}') {
			return d.errorAt(len(d.data)-len(after), says+" after the comma, found "+found(after))
		}
	}
	return d.errorAt(offset, says+", found "+found(d.data[offset:]))
}

// space is what JSON lets stand between tokens.
const space = " \t\r\n"

// found shows the beginning of text: a string, a word or one character.
func found(text []byte) string {
	if text[0] == '"' {
		s, _, _ := strings.Cut(string(text[1:min(len(text), maxExcerpt+utf8.UTFMax)]), `"`)
		return "the string " + quote(s)
	}
	n := 0
	for n < len(text) && n <= maxExcerpt && (isLetter(text[n]) || '0' <= text[n] && text[n] <= '9') {
		n++
	}
	if n == 0 {
		_, n = utf8.DecodeRune(text)
	}
	return quote(string(text[:n]))
}
