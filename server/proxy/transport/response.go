package transport

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"rws/server/http1/wire"
)

// How long the body of an answer is.
const (
	empty = iota
	sized
	chunked
	untilClose
)

// An answer is the head of a response, read and found to be unambiguous.
type answer struct {
	minor  int
	code   int
	status string
	fields wire.Fields
}

// readHead waits for the head of an answer and parses it.
func (c *conn) readHead(limit int) (answer, error) {
	for from := 0; ; {
		length, next, err := wire.ScanHead(c.in.Buffered(), from)
		switch {
		case err != nil:
			return answer{}, err
		case length > limit || length == 0 && len(c.in.Buffered()) > limit:
			return answer{}, errTooLarge
		case length > 0:
			a, err := parseHead(c.in.Buffered()[:length])
			c.in.Skip(length)
			c.in.Settle()
			return a, err
		}
		from = next
		if err := c.in.Fill(limit); err != nil {
			return answer{}, early(err, len(c.in.Buffered()))
		}
	}
}

// early tells an end within a head from one before it.
func early(err error, n int) error {
	if err == io.EOF && n > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseHead reads a head that ScanHead has found. The strings share the memory of one copy.
func parseHead(raw []byte) (answer, error) {
	if len(raw) <= 2 {
		return answer{}, wire.Fault("the answer begins with an empty line")
	}
	text := string(raw[:len(raw)-2]) // without the empty line
	line, fields, _ := strings.Cut(text, "\r\n")
	var a answer
	if err := a.parseStatus(line); err != nil {
		return a, err
	}
	return a, a.fields.Parse(strings.TrimSuffix(fields, "\r\n"), a.minor)
}

// parseStatus reads "HTTP/1.1 200 OK". Some servers send no reason, and no space before it.
func (a *answer) parseStatus(line string) error {
	version, rest, ok := strings.Cut(line, " ")
	switch {
	case ok && version == "HTTP/1.1":
		a.minor = 1
	case !ok || version != "HTTP/1.0":
		return wire.Fault("the answer does not begin with HTTP/1.1 or HTTP/1.0; does it speak HTTP/1 on this port?")
	}
	code, reason, _ := strings.Cut(rest, " ")
	if len(code) != 3 || code[0] < '1' || code[0] > '9' || !isDigit(code[1]) || !isDigit(code[2]) {
		return wire.Fault("the status of the answer is not a number of three digits")
	}
	if !wire.IsValue(reason) {
		return wire.Fault("the status line has a control character")
	}
	a.code = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	a.status = rest
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// body says how long the body is (RFC 9112 §6.3), and its length as in [http.Response].
func (a *answer) body(method string) (kind int, length int64) {
	f := &a.fields.Framing
	switch {
	case method == http.MethodHead && f.HasSize:
		return empty, f.Size
	case method == http.MethodHead && a.code != http.StatusNoContent && a.code != http.StatusNotModified:
		return empty, -1
	case method == http.MethodHead, a.code == http.StatusNoContent, a.code == http.StatusNotModified:
		return empty, 0
	case f.Chunked:
		return chunked, -1
	case f.HasSize && f.Size == 0:
		return empty, 0
	case f.HasSize:
		return sized, f.Size
	}
	return untilClose, -1
}

// keepsAlive reports whether the backend will read another request.
func (a *answer) keepsAlive() bool {
	list, ok := a.fields.Header["Connection"]
	switch {
	case ok && httpguts.HeaderValuesContainsToken(list, "close"):
		return false
	case a.minor == 0:
		return ok && httpguts.HeaderValuesContainsToken(list, "keep-alive")
	}
	return true
}

// fill makes a response of the answer.
func (a *answer) fill(res *http.Response, r *http.Request, length int64) {
	*res = http.Response{
		Status: a.status, StatusCode: a.code,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: a.minor,
		Header: a.fields.Header, ContentLength: length, Request: r,
		Close: !a.keepsAlive(),
	}
	if a.minor == 0 {
		res.Proto = "HTTP/1.0"
	}
	if a.fields.Framing.Chunked {
		delete(res.Header, "Transfer-Encoding")
		res.TransferEncoding = codings
		res.Trailer = announced(res.Header)
	}
}

var codings = []string{"chunked"}

// announced takes the names of the trailer fields from the header.
func announced(h http.Header) http.Header {
	lists, ok := h["Trailer"]
	if !ok {
		return nil
	}
	delete(h, "Trailer")
	trailer := http.Header{}
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = wire.Canonical(strings.Trim(name, " \t"))
			if wire.IsToken(name) && httpguts.ValidTrailerHeader(name) {
				trailer[name] = nil
			}
		}
	}
	return trailer
}

// isProtocol reports whether the backend, rather than the way to it, is to blame.
func isProtocol(err error) bool {
	_, ok := errors.AsType[wire.Fault](err)
	return ok || errors.Is(err, errTooLarge) || errors.Is(err, errTooMany) || errors.Is(err, errUnasked)
}
