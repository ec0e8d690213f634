package transport_test

import (
	"bufio"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/proxy/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should happen soon.
const patience = 10 * time.Second

// open returns a transport, which is closed with the test.
func open(t testing.TB, o transport.Options) *transport.Transport {
	tr, err := transport.New(o)
	require.NoError(t, err)
	t.Cleanup(tr.Close)
	return tr
}

// server starts a server of net/http and returns its address.
func server(t testing.TB, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// scripted starts a backend that runs script with each connection, which is closed after it. All have
// ended when the test ends.
func scripted(t testing.TB, script func(c *peer)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { nc.Close() })
			defer stop()
			go func() {
				defer nc.Close()
				_ = nc.SetDeadline(time.Now().Add(patience))
				script(&peer{nc.(*net.TCPConn), bufio.NewReader(nc), n})
			}()
		}
	}()
	t.Cleanup(func() { cancel(); l.Close(); <-done })
	return l.Addr().String()
}

// A peer is a connection in the hands of a script.
type peer struct {
	*net.TCPConn
	r *bufio.Reader
	n int // how many came before it
}

// request reads a request with its body, and reports whether there was one.
func (p *peer) request() (*http.Request, string, bool) {
	r, err := http.ReadRequest(p.r)
	if err != nil {
		return nil, "", false
	}
	b, err := io.ReadAll(r.Body)
	return r, string(b), err == nil
}

// head reads a request without its body.
func (p *peer) head() *http.Request {
	r, err := http.ReadRequest(p.r)
	if err != nil {
		return nil
	}
	return r
}

func (p *peer) say(text string) { _, _ = io.WriteString(p, text) }

// reset closes with a RST.
func (p *peer) reset() { _ = p.SetLinger(0); _ = p.Close() }

// says answers each request with text.
func says(t testing.TB, text string) string {
	return scripted(t, func(p *peer) {
		for {
			if _, _, ok := p.request(); !ok {
				return
			}
			p.say(text)
		}
	})
}

func request(t testing.TB, method, url string, body io.Reader) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	return r
}

func get(t testing.TB) *http.Request { return request(t, "GET", "http://example.org/a?b=c", nil) }

// do sends r and reads the whole answer. Any goroutine may call it.
func do(t testing.TB, rt http.RoundTripper, r *http.Request) (*http.Response, string) {
	res, err := rt.RoundTrip(r)
	if !assert.NoError(t, err) {
		return &http.Response{Request: r}, ""
	}
	b, err := io.ReadAll(res.Body)
	assert.NoError(t, err)
	assert.NoError(t, res.Body.Close())
	return res, string(b)
}

// fails sends r and returns why there is no whole answer.
func fails(t testing.TB, rt http.RoundTripper, r *http.Request) *transport.Error {
	res, err := rt.RoundTrip(r)
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	var e *transport.Error
	if !assert.ErrorAs(t, err, &e) {
		return &transport.Error{}
	}
	return e
}

// opaque hides what a reader is, so that its length is not known.
func opaque(text string) io.Reader { return struct{ io.Reader }{strings.NewReader(text)} }

// unused waits until no connection is in use, and returns the statistics.
func unused(t testing.TB, tr *transport.Transport) transport.Stats {
	require.Eventually(t, func() bool { return tr.Stats().InUse == 0 }, patience, time.Millisecond)
	return tr.Stats()
}

// quiet is a log that nobody reads.
var quiet = log.New(io.Discard, "", 0)
