package http1_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRequest(t *testing.T) {
	seen := make(chan *http.Request, 1)
	body := make(chan string, 1)
	address := serve(t, handler(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.NotNil(t, r.Context().Value(http.LocalAddrContextKey))
		seen <- r
		body <- string(b)
	}))
	dial(t, address, "POST /a%2Fb/c?d=%zz&e HTTP/1.1\r\nhost: Example.com:80\r\nx-two: 1\r\nX-Two: 2\r\nCookie: a=b\r\n"+
		"Transfer-Encoding: chunked\r\nTrailer: X-Sum, Content-Length\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\nX-Other: 1\r\nContent-Length: 4\r\n\r\n")
	r := <-seen
	assert.Equal(t, "abc", <-body)
	assert.Equal(t, "POST", r.Method)
	assert.Equal(t, "/a/b/c", r.URL.Path)
	assert.Equal(t, "/a%2Fb/c", r.URL.EscapedPath())
	assert.Equal(t, "d=%zz&e", r.URL.RawQuery)
	assert.Equal(t, "/a%2Fb/c?d=%zz&e", r.RequestURI)
	assert.Equal(t, "Example.com:80", r.Host)
	assert.Equal(t, "HTTP/1.1", r.Proto)
	assert.Equal(t, int64(-1), r.ContentLength)
	assert.Equal(t, []string{"chunked"}, r.TransferEncoding)
	assert.Equal(t, http.Header{"X-Two": {"1", "2"}, "Cookie": {"a=b"}}, r.Header)
	assert.Equal(t, http.Header{"X-Sum": {"7"}}, r.Trailer, "announced and harmless")
	assert.True(t, strings.HasPrefix(r.RemoteAddr, "127.0.0.1:"))
}

func TestPipelining(t *testing.T) {
	post := func(body string) string {
		return "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + string(rune('0'+len(body))) + "\r\n\r\n" + body
	}
	address := serve(t, handler(echo))
	_, bodies := answers(t, dial(t, address, post("a")+chunked("2\r\nbb\r\n0\r\n\r\n")+"\r\n"+post("ccc")), "POST", "POST", "POST")
	assert.Equal(t, []string{"a", "bb", "ccc"}, bodies)
}

// What a handler leaves of a body is not taken for the next request.
func TestUnreadBodies(t *testing.T) {
	count := atomic.Int64{}
	address := serve(t, handler(func(w http.ResponseWriter, r *http.Request) { count.Add(1) }))
	inner := "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	_, _ = answers(t, dial(t, address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 35\r\n\r\n"+inner+get), "POST", "GET")
	assert.EqualValues(t, 2, count.Load())

	for name, text := range map[string]string{
		"chunked":     "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n25\r\n" + inner,
		"large":       "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + inner,
		"not awaited": "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 35\r\n\r\n" + inner,
	} {
		count.Store(0)
		got := all(t, address, text)
		assert.Contains(t, got, "Connection: close", name)
		assert.EqualValues(t, 1, count.Load(), name)
	}
}

func TestExpect(t *testing.T) {
	address := serve(t, handler(echo))
	conn := dial(t, address, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n")
	b := make([]byte, 25)
	_, err := io.ReadFull(conn, b)
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 100 Continue\r\n\r\n", string(b))
	_, err = io.WriteString(conn, "abc"+get)
	require.NoError(t, err)
	_, bodies := answers(t, conn, "POST", "GET")
	assert.Equal(t, []string{"abc", ""}, bodies)
}

func TestTheContextEndsWithTheRequest(t *testing.T) {
	kept := make(chan context.Context, 1)
	address := serve(t, handler(func(w http.ResponseWriter, r *http.Request) { kept <- r.Context() }))
	all(t, address, last)
	<-(<-kept).Done()
}

// Many clients come, wait, and leave; nothing is left of them.
func TestCrowd(t *testing.T) {
	s := handler(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(time.Duration(len(r.URL.Path)) * time.Millisecond):
			_, _ = io.WriteString(w, r.URL.Path)
		}
	})
	address := serve(t, s)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			path := "/" + strings.Repeat("x", i%20)
			conn := dial(t, address, strings.Repeat("GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n", 3))
			if i%3 == 0 {
				return // and leaves
			}
			_, bodies := answers(t, conn, "GET", "GET", "GET")
			assert.Equal(t, []string{path, path, path}, bodies)
		})
	}
	wg.Wait()
}

func TestSlowHead(t *testing.T) {
	s := handler(echo)
	s.ReadHeader = 20 * time.Millisecond
	address := serve(t, s)
	assert.Contains(t, all(t, address, "GET / HTTP/1.1\r\nHost: x\r\nA: "), "408")
	assert.Empty(t, all(t, address, ""), "a client that says nothing hears nothing")
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	s := handler(echo)
	s.KeepAlive = 20 * time.Millisecond
	got := all(t, serve(t, s), get)
	assert.Contains(t, got, "200 OK")
}

func TestShutdown(t *testing.T) {
	s := handler(nil)
	release, entered := make(chan struct{}), make(chan struct{})
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-release
		}
		_, _ = io.WriteString(w, "ab")
	})
	address := serve(t, s)
	idle := dial(t, address, get)
	_, bodies := answers(t, io.LimitReader(idle, 133), "GET")
	require.Equal(t, []string{"ab"}, bodies)
	fresh := dial(t, address, "") // it is accepted before the next
	slow := dial(t, address, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()

	rest, err := io.ReadAll(idle)
	require.NoError(t, err)
	assert.Empty(t, rest, "closed")
	_, err = io.WriteString(fresh, get) // it was connected before; its request is on the way
	require.NoError(t, err)
	late, err := io.ReadAll(fresh)
	require.NoError(t, err)
	assert.Contains(t, string(late), "200 OK")
	select {
	case <-done:
		t.Fatal("a request is under way")
	default:
	}
	close(release)
	require.NoError(t, <-done)
	got, err := io.ReadAll(slow)
	require.NoError(t, err)
	assert.Contains(t, string(got), "Connection: close")
	_, err = net.Dial("tcp", address)
	assert.Error(t, err)
}

func TestShutdownGivesUp(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := handler(func(http.ResponseWriter, *http.Request) { close(entered); <-release })
	dial(t, serve(t, s), get)
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, s.Shutdown(ctx), context.Canceled)
	close(release)
}

func TestHandOver(t *testing.T) {
	taken := make(chan string, 1)
	s := handler(echo)
	s.H2C = func(conn net.Conn, _ http.Handler) {
		go func() {
			defer conn.Close()
			b, err := io.ReadAll(conn)
			assert.NoError(t, err)
			taken <- string(b)
		}()
	}
	address := serve(t, s)
	text := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n and more"
	conn := dial(t, address, text)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	assert.Equal(t, text, <-taken)
	assert.Contains(t, all(t, address, get+text), "505", "only at the beginning")
}

func TestBodyAfterTheRequest(t *testing.T) {
	kept := make(chan io.Reader, 1)
	address := serve(t, handler(func(w http.ResponseWriter, r *http.Request) { kept <- r.Body }))
	answers(t, dial(t, address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"), "POST")
	_, err := (<-kept).Read(make([]byte, 1))
	assert.Error(t, err)
}

func TestACutBodyIsAnError(t *testing.T) {
	got := make(chan error, 1)
	address := serve(t, handler(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		got <- err
	}))
	for _, text := range []string{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab", chunked("3\r\nab"), chunked("2\r\nab"), chunked("2\r\nab\r\n0\r\n")} {
		conn := dial(t, address, text)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		assert.ErrorIs(t, <-got, io.ErrUnexpectedEOF, text)
	}
}

func TestReadDeadline(t *testing.T) {
	got := make(chan error, 1)
	address := serve(t, handler(func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, http.NewResponseController(w).SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		_, err := io.Copy(io.Discard, r.Body)
		got <- err
		w.WriteHeader(408)
	}))
	res, _ := answers(t, dial(t, address, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab"), "POST")
	assert.Equal(t, 408, res[0].StatusCode)
	timeout, ok := (<-got).(net.Error)
	assert.True(t, ok && timeout.Timeout())
}

func TestLogNamesPanics(t *testing.T) {
	var log bytes.Buffer
	s := handler(func(http.ResponseWriter, *http.Request) { panic("oops") })
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	address := serve(t, s)
	assert.Empty(t, all(t, address, get))
	require.NoError(t, s.Shutdown(t.Context()))
	assert.Contains(t, log.String(), "oops")
}
