package http1

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// A transaction is one request and its answer, in one allocation. It is not pooled: handlers may
// keep the request and its context. It is the [http.ResponseWriter] and, behind the type life, the
// context of the request.
type transaction struct {
	conn    *conn
	request *http.Request
	url     url.URL
	body    body
	life    life
	response
}

// blank is what requests are made from: only WithContext, which copies, sets a context.
var blank = &http.Request{Body: http.NoBody}

// begin makes the request of a head. It belongs to the goroutine of the connection.
func (c *conn) begin(raw []byte) (*transaction, *RequestError) {
	h, fault := parseHead(raw)
	if fault != nil {
		return nil, fault
	}
	t := &transaction{conn: c}
	host, fault := h.resolve(&t.url)
	if fault != nil {
		return nil, fault
	}
	t.life.t = t
	r := blank.WithContext(&t.life)
	t.request = r
	r.Method, r.URL, r.Host, r.RequestURI = h.method, &t.url, host, h.target
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, h.minor
	if h.minor == 0 {
		r.Proto = "HTTP/1.0"
	}
	r.Header, r.ContentLength = h.header, h.contentLength()
	r.RemoteAddr, r.TLS = c.remote, c.state
	if fault := t.readConnection(h.minor); fault != nil {
		return nil, fault
	}
	if r.ContentLength != 0 {
		t.carry(&h)
	}
	return t, nil
}

// carry gives the request its body.
func (t *transaction) carry(h *head) {
	r := t.request
	if h.framing.Chunked {
		r.TransferEncoding = []string{"chunked"}
		delete(r.Header, "Transfer-Encoding")
		r.Trailer = declared(r.Header)
	}
	t.body.begin(t, h)
	r.Body = &t.body
}

// readConnection reads the fields that are about the connection.
func (t *transaction) readConnection(minor int) *RequestError {
	h := t.request.Header
	t.keepAlive = minor > 0
	switch options := h["Connection"]; {
	case httpguts.HeaderValuesContainsToken(options, "close"):
		t.keepAlive = false
	case minor == 0 && httpguts.HeaderValuesContainsToken(options, "keep-alive"):
		t.keepAlive = true
		t.sayKeepAlive = true
	}
	t.request.Close = !t.keepAlive
	expect, ok := h["Expect"]
	if !ok || minor == 0 { // RFC 9110 §10.1.1 has the field ignored in HTTP/1.0
		return nil
	}
	if len(expect) != 1 || !strings.EqualFold(expect[0], "100-continue") {
		return &RequestError{http.StatusExpectationFailed, "the only expectation here is 100-continue"}
	}
	t.body.expect = t.request.ContentLength != 0
	return nil
}

// addTrailer keeps a trailer field that was announced.
func (t *transaction) addTrailer(name, value string) {
	if _, ok := t.request.Trailer[name]; ok {
		t.request.Trailer[name] = append(t.request.Trailer[name], value)
	}
}

// run has the request answered. It reports whether the connection can take another.
func (t *transaction) run() (more bool) {
	defer t.life.end()
	if !t.serve() {
		t.aborted = true
		t.body.giveUp()
		return false
	}
	if t.hijacked {
		return false
	}
	t.life.unwatch()
	if more = t.finish(); !more {
		t.body.giveUp() // before the buffer of the connection goes to another
	}
	return more
}

// serve calls the handler. It reports false when the answer has to be broken off.
func (t *transaction) serve() (ok bool) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		ok = false
		if p != http.ErrAbortHandler {
			t.conn.server.log().Error("the handler panicked", "client", t.conn.remote, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
		t.discard()
	}()
	t.conn.handler.ServeHTTP(t, t.request)
	return true
}
