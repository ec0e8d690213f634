package transport

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/net/http/httpguts"

	"rws/server/http1/wire"
)

// smallBody is how large a body may be to be read first and go out with the head, if it is there already.
const smallBody = 16 << 10

// How the body of a request is sent.
const (
	noBody    = iota
	inline    // in one write with the head
	byLength  // by a goroutine of its own
	inChunks  // likewise, as its length is not known
	copyLimit = 32 << 10
)

var outs = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// A message is a request as it goes out.
type message struct {
	out    *[]byte // the head, and the body if it is inline
	body   int
	expect bool // it waits for 100 Continue
}

func (m *message) discard() {
	if cap(*m.out) <= 2*smallBody {
		outs.Put(m.out)
	}
	m.out = nil
}

// newMessage writes the head and reads a small body. Errors are of the client's making.
func (t *h1) newMessage(r *http.Request) (message, error) {
	m := message{body: bodyKind(r)}
	m.expect = m.body > inline && expects(r)
	if err := checkRequest(r); err != nil {
		return m, err
	}
	m.out = outs.Get().(*[]byte)
	b, err := t.appendHead((*m.out)[:0], r, m.body)
	if err == nil && m.body == inline {
		b, err = appendBody(b, r)
	}
	*m.out = b
	if err != nil {
		m.discard()
	}
	return m, err
}

// bodyKind decides how the body is sent. As for [http.Request], a length of 0 with a body means that
// the length is not known.
func bodyKind(r *http.Request) int {
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		return noBody
	case r.ContentLength <= 0:
		return inChunks
	case r.ContentLength <= smallBody && !expects(r) && isHere(r):
		return inline
	}
	return byLength
}

// isHere reports whether all of the body can be read without waiting for a client. A body says how much of
// it can by a method Buffered() int, as bufio.Reader has it; one that can be had again is in memory.
func isHere(r *http.Request) bool {
	b, ok := r.Body.(interface{ Buffered() int })
	return r.GetBody != nil || ok && int64(b.Buffered()) >= r.ContentLength
}

func expects(r *http.Request) bool {
	list, ok := r.Header["Expect"]
	return ok && httpguts.HeaderValuesContainsToken(list, "100-continue")
}

func checkRequest(r *http.Request) error {
	switch {
	case r.URL == nil:
		return badRequest("the request has no URL")
	case r.Method == http.MethodConnect:
		return badRequest("CONNECT turns a connection into a tunnel and has no place on a kept one")
	case r.Method != "" && !wire.IsToken(r.Method):
		return badRequest("the method %q of the request is improper", r.Method)
	case strings.ContainsFunc(r.Host, improperInHost):
		return badRequest("the host %q of the request is improper", r.Host)
	}
	return nil
}

func improperInHost(c rune) bool { return c <= ' ' || c >= 127 || c == '/' || c == '\\' || c == ',' }

func (t *h1) appendHead(b []byte, r *http.Request, body int) ([]byte, error) {
	if r.Method == "" {
		b = append(b, http.MethodGet...)
	}
	b = append(b, r.Method...)
	b = append(b, ' ')
	start := len(b)
	b = appendTarget(b, r)
	if !wire.IsTarget(unsafe.String(&b[start], len(b)-start)) { // which only reads it
		return b, badRequest("the target %q of the request has characters that must be escaped", b[start:])
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, t.hostOf(r)...)
	b = append(b, "\r\n"...)
	b, err := appendHeader(b, r.Header)
	if err != nil {
		return b, err
	}
	return appendFraming(b, r, body)
}

func (t *h1) hostOf(r *http.Request) string {
	switch {
	case r.Host != "":
		return r.Host
	case t.o.Scheme == "unix":
		return "localhost"
	}
	return t.o.Address
}

// appendTarget writes what r.URL.RequestURI returns.
func appendTarget(b []byte, r *http.Request) []byte {
	u := r.URL
	if u.Opaque != "" {
		return append(b, u.RequestURI()...)
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	b = append(b, path...)
	if u.ForceQuery || u.RawQuery != "" {
		b = append(b, '?')
		b = append(b, u.RawQuery...)
	}
	return b
}

// appendHeader writes the fields but those that are made anew.
func appendHeader(b []byte, h http.Header) ([]byte, error) {
	for name, values := range h {
		if isMade(name) {
			continue
		}
		if err := checkField(name, values); err != nil {
			return b, err
		}
		for _, value := range values {
			b = appendField(b, name, value)
		}
	}
	return b, nil
}

func checkField(name string, values []string) error {
	if !wire.IsToken(name) {
		return badRequest("the name of the header field %q is improper", name)
	}
	for _, value := range values {
		if !wire.IsValue(value) {
			return badRequest("the header field %s has a control character in its value", name)
		}
	}
	return nil
}

func isMade(name string) bool {
	switch name {
	case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
		return true
	}
	switch len(name) {
	case 4, 7, 14, 17: // somebody may have written the map by hand
		return slices.ContainsFunc([]string{"Host", "Content-Length", "Transfer-Encoding", "Trailer"}, func(s string) bool { return strings.EqualFold(s, name) })
	}
	return false
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// appendFraming ends the head.
func appendFraming(b []byte, r *http.Request, body int) ([]byte, error) {
	switch body {
	case inline, byLength:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, r.ContentLength, 10)
		return append(b, "\r\n\r\n"...), nil
	case inChunks:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		return appendAnnouncement(b, r.Trailer)
	}
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		b = append(b, "Content-Length: 0\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

// appendAnnouncement writes the field Trailer, and the end of the head.
func appendAnnouncement(b []byte, trailer http.Header) ([]byte, error) {
	sep := "Trailer: "
	for name := range trailer {
		if !wire.IsToken(name) || !httpguts.ValidTrailerHeader(name) {
			return b, badRequest("the field %q may not come as a trailer", name)
		}
		b = append(append(b, sep...), name...)
		sep = ", "
	}
	if len(trailer) > 0 {
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

// appendBody reads a small body behind the head.
func appendBody(b []byte, r *http.Request) ([]byte, error) {
	start, n := len(b), int(r.ContentLength)
	b = slices.Grow(b, n)[:start+n]
	_, err := io.ReadFull(r.Body, b[start:])
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = errShort
	}
	if err != nil {
		return b, clientFault(err, false)
	}
	return b, nil
}

// closeBody closes the body of a request that is not sent, or has been read.
func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // nothing of the client's is lost by it
	}
}

// isUpgrade reports whether the request asks for another protocol.
func isUpgrade(r *http.Request) bool { return len(r.Header["Upgrade"]) > 0 }
