package wire

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
)

// ScanHead looks for the end of a head in b, whose first from bytes hold no line end that has not
// been seen. It returns the length of the head, its empty line included, or 0 and where to look
// on when more has come. Lines end with CR LF; a bare LF is refused (RFC 9112 §2.2 allows to, and
// what ends a line for one parser and not for the next is how requests are smuggled).
func ScanHead(b []byte, from int) (length, next int, err error) {
	start := from // of the line
	for {
		i := bytes.IndexByte(b[start:], '\n')
		if i < 0 {
			return 0, start, nil
		}
		end := start + i
		if i == 0 || b[end-1] != '\r' {
			return 0, 0, Fault("a line ends with LF without CR")
		}
		if i == 1 {
			return end + 1, 0, nil
		}
		start = end + 1
	}
}

// Fields are the header of a message, and what they say about its body.
type Fields struct {
	Header  http.Header
	Framing Framing
}

// Parse reads lines, each ended by CR LF but the last. Names become canonical; all values share one
// slice.
func (f *Fields) Parse(text string, minor int) error {
	n := lines(text)
	f.Header = make(http.Header, n)
	values := make([]string, n)
	for i := range values {
		line, rest, _ := strings.Cut(text, "\r\n")
		text = rest
		name, value, err := Field(line)
		if err != nil {
			return err
		}
		if err := f.Framing.note(name, value); err != nil {
			return err
		}
		if list, ok := f.Header[name]; ok {
			f.Header[name] = append(list, value)
			continue
		}
		values[i] = value
		f.Header[name] = values[i : i+1 : i+1]
	}
	return f.Framing.check(minor)
}

func lines(text string) int {
	if text == "" {
		return 0
	}
	return strings.Count(text, "\n") + 1
}

// Field reads "Name: value". The name becomes canonical.
func Field(line string) (name, value string, err error) {
	if line == "" {
		return "", "", Fault("a header field is empty")
	}
	colon := strings.IndexByte(line, ':')
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return "", "", Fault("a header field is folded over lines")
	case colon < 0:
		return "", "", Fault("a header field has no colon")
	case !IsToken(line[:colon]):
		return "", "", Fault("a header field has an improper name")
	}
	value = strings.Trim(line[colon+1:], " \t")
	if !IsValue(value) {
		return "", "", Fault("a header field has a control character in its value")
	}
	return Canonical(line[:colon]), value, nil
}

// Canonical is [textproto.CanonicalMIMEHeaderKey] for a token. It spares the copy when the name is
// canonical already, as those of most peers are.
func Canonical(name string) string {
	upper := true
	for i := range len(name) {
		c := name[i]
		if upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z' {
			return textproto.CanonicalMIMEHeaderKey(name)
		}
		upper = c == '-'
	}
	return name
}
