package transport

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// FuzzResponse: what is accepted here, net/http reads in the same way; whatever comes, there is an
// answer or an error, and the connection is accounted for.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nabc",
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nabc",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 1, 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=3\r\nContent-Length: 0\r\n\r\n",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, head bool) {
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		o := Options{Address: "x:1"}
		if err := o.complete(); err != nil {
			t.Fatal(err)
		}
		p := newH1(&o, &dialer{})
		p.open = 1
		r, _ := http.NewRequestWithContext(t.Context(), method, "http://x/", nil)
		x := &exchange{t: p, c: newConn(&told{Reader: bytes.NewReader(raw)}, &o, client{}), r: r, m: message{out: new([]byte)}, halves: 1}
		res, err := x.run()
		if err != nil {
			assert.Zero(t, p.open)
			return
		}
		mine, err := io.ReadAll(res.Body)
		assert.Equal(t, p.Stats().Idle, p.open, "a connection is neither kept nor closed")
		if err != nil {
			return
		}
		theirs := reference(t, raw, r)
		body, err := io.ReadAll(theirs.Body)
		assert.NoError(t, err)
		assert.Equal(t, string(body), string(mine))
		assert.Equal(t, theirs.StatusCode, res.StatusCode)
		assert.Equal(t, theirs.ProtoMinor, res.ProtoMinor)
		if theirs.StatusCode != http.StatusNoContent && theirs.StatusCode != http.StatusNotModified {
			assert.Equal(t, theirs.ContentLength, res.ContentLength)
		}
		for name, values := range res.Header {
			if name != "Trailer" && name != "Transfer-Encoding" && name != "Cache-Control" && name != "Pragma" {
				assert.Equal(t, theirs.Header[name], values, name)
			}
		}
	})
}

// reference is what net/http makes of raw, behind the informational answers.
func reference(t *testing.T, raw []byte, r *http.Request) *http.Response {
	in := bufio.NewReader(bytes.NewReader(raw))
	for {
		res, err := http.ReadResponse(in, r)
		if err != nil {
			t.Fatalf("%q is accepted, net/http says %v", raw, err)
		}
		if res.StatusCode >= 200 {
			return res
		}
	}
}

// A told is a connection whose backend has said all it will.
type told struct{ io.Reader }

func (*told) Write(p []byte) (int, error)      { return len(p), nil }
func (*told) Close() error                     { return nil }
func (*told) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*told) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*told) SetDeadline(time.Time) error      { return nil }
func (*told) SetReadDeadline(time.Time) error  { return nil }
func (*told) SetWriteDeadline(time.Time) error { return nil }
