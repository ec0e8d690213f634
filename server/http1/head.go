package http1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
)

// A head is a request line and the fields, read and found to be unambiguous.
type head struct {
	method  string
	target  string // as it was sent
	minor   int    // of HTTP/1
	header  http.Header
	hosts   int
	host    string
	framing framing
}

// scanHead looks for the end of a head in b, whose first from bytes hold no line end that has not
// been seen. It returns the length of the head, its empty line included, or 0 and where to look
// on when more has come. Lines end with CR LF; a bare LF is refused (RFC 9112 §2.2 allows to, and
// what ends a line for one parser and not for the next is how requests are smuggled).
func scanHead(b []byte, from int) (length, next int, fault *RequestError) {
	start := from // of the line
	for {
		i := bytes.IndexByte(b[start:], '\n')
		if i < 0 {
			return 0, start, nil
		}
		end := start + i
		if i == 0 || b[end-1] != '\r' {
			return 0, 0, bad("a line ends with LF without CR")
		}
		if i == 1 {
			return end + 1, 0, nil
		}
		start = end + 1
	}
}

// parseHead reads a head that scanHead has found. The strings share the memory of one copy.
func parseHead(raw []byte) (head, *RequestError) {
	text := string(raw[:len(raw)-2]) // without the empty line
	line, fields, _ := strings.Cut(text, "\r\n")
	var h head
	if fault := h.parseRequestLine(line); fault != nil {
		return h, fault
	}
	return h, h.parseFields(fields)
}

func (h *head) parseRequestLine(line string) *RequestError {
	method, rest, ok := strings.Cut(line, " ")
	if !ok || !isToken(method) {
		return bad("the request line does not begin with a method")
	}
	target, version, ok := strings.Cut(rest, " ")
	if !ok || target == "" {
		return bad("the request line has no target")
	}
	h.method, h.target = method, target
	return h.parseVersion(version)
}

func (h *head) parseVersion(version string) *RequestError {
	switch version {
	case "HTTP/1.1":
		h.minor = 1
		return nil
	case "HTTP/1.0":
		return nil
	}
	if digits, ok := strings.CutPrefix(version, "HTTP/"); ok && len(digits) >= 1 && strings.Trim(digits, "0123456789.") == "" {
		return &RequestError{http.StatusHTTPVersionNotSupported, "this server speaks HTTP/1.0 and HTTP/1.1 here"}
	}
	return bad("the request line does not end with a version")
}

// parseFields fills the header. All values share one slice.
func (h *head) parseFields(text string) *RequestError {
	n := strings.Count(text, "\n")
	h.header = make(http.Header, n)
	values := make([]string, n)
	for i := range values {
		line, rest, _ := strings.Cut(text, "\r\n")
		text = rest
		name, value, fault := parseField(line)
		if fault != nil {
			return fault
		}
		if fault := h.note(name, value); fault != nil {
			return fault
		}
		if name == "Host" {
			continue // as in net/http, it is Request.Host
		}
		if list, ok := h.header[name]; ok {
			h.header[name] = append(list, value)
			continue
		}
		values[i] = value
		h.header[name] = values[i : i+1 : i+1]
	}
	return h.framing.check(h.minor)
}

// note keeps what decides about the message itself.
func (h *head) note(name, value string) *RequestError {
	switch name {
	case "Host":
		h.hosts++
		h.host = value
	case "Content-Length":
		return h.framing.length(value)
	case "Transfer-Encoding":
		return h.framing.encoding(value)
	}
	return nil
}

// parseField reads "Name: value". The name becomes canonical.
func parseField(line string) (name, value string, fault *RequestError) {
	colon := strings.IndexByte(line, ':')
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return "", "", bad("a header field is folded over lines")
	case colon < 0:
		return "", "", bad("a header field has no colon")
	case !isToken(line[:colon]):
		return "", "", bad("a header field has an improper name")
	}
	value = strings.Trim(line[colon+1:], " \t")
	if !isFieldValue(value) {
		return "", "", bad("a header field has a control character in its value")
	}
	return canonical(line[:colon]), value, nil
}

// canonical spares the copy when the name is canonical already, as those of most clients are.
func canonical(name string) string {
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

// isToken is RFC 9110 §5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		if kinds[s[i]]&token == 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue is RFC 9110 §5.5: no control characters but the tab.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if kinds[s[i]]&control != 0 {
			return false
		}
	}
	return true
}

const (
	token    = 1 << iota // may stand in a name
	control              // may not stand in a value
	inTarget             // may stand in a request target
	inHost               // may stand in an authority
)

// kinds says where each byte may stand.
var kinds = func() (t [256]byte) {
	for c := range 256 {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if letter || c < 128 && strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0 {
			t[c] |= token
		}
		if c < ' ' && c != '\t' || c == 127 {
			t[c] |= control
		}
		if c > ' ' && c < 127 && c != '#' {
			t[c] |= inTarget
		}
		if letter || c < 128 && strings.IndexByte("!$%&'()*+,-.:;=[]_~", byte(c)) >= 0 { // RFC 3986 §3.2.2, and the port
			t[c] |= inHost
		}
	}
	return t
}()
