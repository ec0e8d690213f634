package http1

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"rws/server/status"

	"rws/server/http1/wire"
)

// What the fields of an answer say about its body.
const (
	framedByNothing = iota // not decided: the handler goes on and all it wrote is in the buffer
	framedByLength
	framedByChunks
	framedByClose // HTTP/1.0
	noBody        // HEAD, 204, 304
)

// A response is the writing half of a transaction. What a handler writes is collected; an answer
// that is complete before the buffer is full gets a Content-Length and goes out in one write.
type response struct {
	header       http.Header
	status       int  // 0 until the head is decided
	keepAlive    bool // the connection may take another request
	sayKeepAlive bool // to an HTTP/1.0 client, which needs to hear it
	hijacked     bool
	handled      bool // the handler has returned
	aborted      bool // the handler has broken the answer off
	sniff        bool // the type of the content is still to be guessed
	kind         int  // framedBy…
	length       int64
	written      int64    // of the body, by the handler
	trailers     []string // names that the header announced
	deadline     bool     // the handler has set one for writing

	// The goroutine of a proxy may read the body, and so send 100 Continue, while the handler
	// writes the answer.
	mu      sync.Mutex
	decided bool  // there is a final status: no 100 Continue any more
	fault   error // of the connection

	// What has not gone out: the head, a gap for what is decided last, and some of the body. Once
	// the head is out, only the gap, for the size of a chunk, and some of the body.
	out     *[]byte
	headEnd int  // of the head in out; the body begins gap bytes later
	sent    bool // the head has gone out
	owed    bool // the line end behind the content of a chunk
}

// gap has room for the fields that frame the body, the end of the head, and the size of a chunk.
const gap = 80

var outs = sync.Pool{New: func() any { b := make([]byte, 0, outSize); return &b }}

// outSize is as much as an answer may have, its head included, to be collected.
const outSize = 4 << 10

// Header implements [http.ResponseWriter].
func (t *transaction) Header() http.Header {
	if t.response.header == nil {
		t.response.header = make(http.Header)
	}
	return t.response.header
}

// WriteHeader decides on the head, except for how the body is framed. A 1xx status is sent at
// once.
func (t *transaction) WriteHeader(status int) {
	switch {
	case t.hijacked:
		return
	case t.status != 0:
		t.conn.server.log().Warn("the handler wrote a second status, which is not sent", "path", t.request.URL.Path, "first", t.status, "second", status)
		return
	case status < 100 || status > 999:
		panic("http1: WriteHeader: " + strconv.Itoa(status) + " is no status")
	case status < 200 && status != http.StatusSwitchingProtocols:
		t.writeInterim(status)
		return
	}
	t.status = status
	t.mu.Lock()
	t.decided = true
	t.mu.Unlock()
	t.decide()
	t.writeHead()
}

// writeInterim sends a 1xx answer with the fields of the handler (RFC 9110 §15.2).
func (t *transaction) writeInterim(status int) {
	if t.request.ProtoMinor == 0 {
		return
	}
	if status == http.StatusContinue {
		t.body.continued()
	}
	b := appendStatusLine(make([]byte, 0, 256), 1, status)
	b = t.appendFields(b, isFraming)
	t.put(append(b, "\r\n"...), nil)
}

// writeContinue tells the client to send the body.
func (t *transaction) writeContinue() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.decided || t.response.fault != nil {
		return t.response.fault // the client has its answer, and need not send anything
	}
	_, t.response.fault = io.WriteString(t.conn.nc, "HTTP/1.1 100 Continue\r\n\r\n")
	return t.response.fault
}

// broken is why nothing more can be written, or nil.
func (t *transaction) broken() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.response.fault
}

func isFraming(name string) bool { return name == "Content-Length" || name == "Transfer-Encoding" }

// decide reads what the handler's header says about the message.
func (t *transaction) decide() {
	h := t.Header()
	t.kind = framedByNothing
	if n, ok := contentLength(h); ok {
		t.kind, t.length = framedByLength, n
	}
	if !bodyAllowed(t.status) || t.request.Method == http.MethodHead {
		t.kind = noBody
	}
	_, typed := h["Content-Type"]
	t.sniff = !typed && bodyAllowed(t.status) && len(h["Content-Encoding"]) == 0 && len(h["Transfer-Encoding"]) == 0
	for _, list := range h["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = wire.Canonical(strings.Trim(name, " \t")); wire.IsToken(name) && httpguts.ValidTrailerHeader(name) {
				t.trailers = append(t.trailers, name)
			}
		}
	}
	if httpguts.HeaderValuesContainsToken(h["Connection"], "close") {
		t.keepAlive = false
	}
	if t.status == http.StatusSwitchingProtocols || t.conn.server.closing.Load() || !t.body.drainable() {
		t.keepAlive = false
	}
}

// contentLength is the handler's own, if it makes sense; else it is taken out of the header.
func contentLength(h http.Header) (int64, bool) {
	values, ok := h["Content-Length"]
	if !ok {
		return 0, false
	}
	if len(values) == 1 {
		if n, err := strconv.ParseUint(values[0], 10, 63); err == nil && len(h["Transfer-Encoding"]) == 0 {
			return int64(n), true
		}
	}
	delete(h, "Content-Length")
	return 0, false
}

// bodyAllowed is RFC 9110 §6.4.1.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// writeHead puts the head into the buffer, without its end.
func (t *transaction) writeHead() {
	t.out = outs.Get().(*[]byte)
	b := appendStatusLine((*t.out)[:0], t.request.ProtoMinor, t.status)
	b = t.appendFields(b, t.isNotForHead)
	if _, ok := t.header["Date"]; !ok {
		b = append(b, "Date: "...)
		b = appendDate(b, time.Now())
		b = append(b, "\r\n"...)
	}
	t.head(b)
}

// isNotForHead reports fields that the framing says again, or that come as trailers.
func (t *transaction) isNotForHead(name string) bool {
	switch name {
	case "Transfer-Encoding":
		return true
	case "Content-Length": // of a 304, what a 200 would have had
		return t.kind == framedByNothing || !bodyAllowed(t.status) && t.status != http.StatusNotModified
	case "Connection":
		return !t.keepAlive && t.status != http.StatusSwitchingProtocols
	}
	return slices.Contains(t.trailers, name)
}

// head keeps b as the head, with room behind it.
func (t *transaction) head(b []byte) {
	t.headEnd = len(b)
	*t.out = slices.Grow(b, gap)[:len(b)+gap]
}

func appendStatusLine(b []byte, minor, code int) []byte {
	b = append(b, "HTTP/1."...)
	b = append(b, byte('0'+minor), ' ')
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(b, ' ')
	b = append(b, status.Text(code)...)
	return append(b, "\r\n"...)
}

// appendFields appends the handler's fields in the order of their names, less those to skip and
// what is no field name. Line ends in values become spaces: an answer can't be split.
func (t *transaction) appendFields(b []byte, skip func(string) bool) []byte {
	var room [16]string
	names := room[:0]
	for name := range t.header {
		if !wire.IsToken(name) || skip(name) || strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range t.header[name] {
			b = appendField(b, name, value)
		}
	}
	return b
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	if wire.IsValue(value) {
		b = append(b, strings.Trim(value, " \t")...)
	} else {
		b = append(b, strings.TrimSpace(strings.Map(harmless, value))...)
	}
	return append(b, "\r\n"...)
}

// harmless takes the control characters out of a value.
func harmless(r rune) rune {
	if r < ' ' && r != '\t' || r == 127 {
		return ' '
	}
	return r
}
