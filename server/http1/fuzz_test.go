package http1

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"rws/server/http1/wire"
)

// FuzzHead: what is accepted here, net/http reads in the same way.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /a%2Fb?c=%zz HTTP/1.0\r\nContent-Length: 3\r\nA: b\r\na: c\r\n\r\n",
		"GET http://x/y HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n",
		"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n",
		"GET //x HTTP/1.1\r\nHost:\r\nA:\t b \r\n\r\n",
		"GET / HTTP/1.1\nHost: x\n\n",
		"GET /? HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		length, _, err := wire.ScanHead(raw, 0)
		if err != nil || length <= 2 {
			return
		}
		h, fault := parseHead(raw[:length])
		var u url.URL
		host := ""
		if fault == nil {
			host, fault = h.resolve(&u)
		}
		if fault != nil {
			if fault.Status < 400 || fault.Reason == "" {
				t.Fatalf("refused with %+v", fault)
			}
			return
		}
		theirs, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(raw[:length]), len(raw)+1))
		if err != nil {
			t.Fatalf("%q is accepted, net/http says %v", raw[:length], err)
		}
		if h.method == http.MethodConnect {
			u.Path = theirs.URL.Path
		}
		if u.Path == "/" && theirs.URL.Path == "" { // "http://x" means the root
			theirs.URL.Path = "/"
		}
		assert.Equal(t, theirs.Method, h.method)
		assert.Equal(t, theirs.Host, host)
		assert.Equal(t, theirs.URL.Path, u.Path)
		assert.Equal(t, theirs.URL.RawQuery, u.RawQuery)
		assert.Equal(t, theirs.URL.EscapedPath(), u.EscapedPath())
		assert.Equal(t, theirs.ContentLength, h.contentLength())
		delete(h.header, "Transfer-Encoding")
		delete(h.header, "Trailer")
		for name, values := range h.header {
			if name == "Cache-Control" || name == "Pragma" { // net/http derives one from the other
				continue
			}
			assert.Equal(t, theirs.Header[name], values, name)
		}
	})
}

// FuzzConn: whatever a client sends, what comes back are answers, and an end.
func FuzzConn(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n\r\nGET", "\r\n\r\n", "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(w, r.Body) // a broken body breaks the answer off, or leaves it short
		})}
		out := new(bytes.Buffer)
		c := &conn{server: s, handler: s.Handler, nc: &textConn{Reader: bytes.NewReader(raw), Writer: out}}
		s.add(c)
		c.serve()
		for r := bufio.NewReader(out); ; {
			if _, err := r.Peek(1); err != nil {
				return
			}
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("%q was answered with no answer: %v", raw, err)
			}
			if res.Request == nil && bytes.Contains(raw, []byte("HEAD")) {
				return // the length of its answer says nothing
			}
			_, _ = io.Copy(io.Discard, res.Body)
		}
	})
}

// A textConn is a connection whose client has sent all it will.
type textConn struct {
	io.Reader
	io.Writer
}

func (*textConn) Close() error                     { return nil }
func (*textConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*textConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*textConn) SetDeadline(time.Time) error      { return nil }
func (*textConn) SetReadDeadline(time.Time) error  { return nil }
func (*textConn) SetWriteDeadline(time.Time) error { return nil }
