package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"rws/server"
	"rws/server/exchange"
	"rws/spec_test/logtext"
)

// swallow reads the body and hands on what went wrong.
var swallow = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		exchange.From(r.Context()).Fault = err
		return
	}
	fmt.Fprint(w, n)
})

func TestBodyLimits(t *testing.T) {
	a := &server.App{
		Settings: server.Settings{MaxBody: 10},
		Routes: []server.Route{
			{Pattern: "/setting", Handler: swallow},
			{Pattern: "/own", Handler: swallow, MaxBody: 20},
			{Pattern: "/none", Handler: swallow, MaxBody: -1},
		},
	}
	s := run(t, a, server.Options{})
	c := client(t, nil)
	for _, chunked := range []bool{false, true} {
		for _, test := range []struct {
			path         string
			size, status int
		}{
			{"/setting", 10, 200}, {"/setting", 11, 413}, {"/setting", 1 << 20, 413},
			{"/own", 20, 200}, {"/own", 21, 413}, {"/none", 1 << 20, 200},
		} {
			var body io.Reader = strings.NewReader(strings.Repeat("x", test.size))
			if chunked {
				body = io.MultiReader(body) // hides the length
			}
			res, err := c.Post("http://"+address(s)+test.path, "text/plain", body)
			require.NoError(t, err)
			res.Body.Close()
			assert.Equal(t, test.status, res.StatusCode, "%s with %d bytes, chunked %v", test.path, test.size, chunked)
		}
	}
}

func TestATooLargeBodyIsRefusedBeforeItIsSent(t *testing.T) {
	called := false
	a := app(map[string]http.Handler{"/": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true })})
	s := run(t, a, server.Options{})
	conn := dial(t, s, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10485761\r\n\r\n")
	res, body := response(t, conn)
	assert.Equal(t, 413, res.StatusCode)
	assert.Contains(t, body, "10485760 bytes")
	assert.False(t, called)
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	a := app(map[string]http.Handler{"/": say("")})
	a.Settings.ReadHeader = 20 * time.Millisecond
	s := run(t, a, server.Options{})
	conn := dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	_, err := io.ReadAll(conn)
	assert.False(t, isTimeout(err), "the server hangs up, not the test")
	assert.Zero(t, s.Stats().Total)
}

func TestSlowBodiesAreCutOff(t *testing.T) {
	for name, handler := range map[string]http.Handler{"read": swallow, "not read": say("early")} {
		t.Run(name, func(t *testing.T) {
			a := app(map[string]http.Handler{"/": handler})
			a.Settings.BodyIdle = 20 * time.Millisecond
			s := run(t, a, server.Options{})
			conn := dial(t, s, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
			text, err := io.ReadAll(conn)
			require.False(t, isTimeout(err), "the connection must not stay open")
			if name == "read" {
				assert.Contains(t, string(text), "408 Request Timeout")
			}
		})
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func TestSlowBodiesAreCutOffOnHTTP2(t *testing.T) {
	a := app(map[string]http.Handler{"/": swallow})
	a.Settings = server.Settings{BodyIdle: 20 * time.Millisecond, TLS: selfSigned(t)}
	s := run(t, a, server.Options{})
	body, feed := io.Pipe()
	defer feed.Close()
	res, err := client(t, func(t *http.Transport) { trustAnyone(t); t.ForceAttemptHTTP2 = true }).
		Post("https://"+address(s)+"/", "text/plain", body)
	require.NoError(t, err)
	defer res.Body.Close()
	assert.Equal(t, 2, res.ProtoMajor)
	assert.Equal(t, 408, res.StatusCode)
}

func TestDrippingDoesNotHelp(t *testing.T) {
	a := app(map[string]http.Handler{"/": swallow})
	a.Settings.BodyIdle = 100 * time.Millisecond
	s := run(t, a, server.Options{})
	conn := dial(t, s, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
	done := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(conn)
		done <- string(text)
	}()
	tick := time.NewTicker(20 * time.Millisecond) // each byte is in time
	defer tick.Stop()
	for {
		select {
		case text := <-done:
			assert.Contains(t, text, "408")
			return
		case <-tick.C:
			_, _ = conn.Write([]byte("x"))
		}
	}
}

func TestAHandlerMayTakeItsTime(t *testing.T) {
	lapse := func() { <-time.After(60 * time.Millisecond) } // longer than a client may take, which is what is tested
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		lapse()
		_, _ = w.Write(body)
		_ = http.NewResponseController(w).Flush()
		lapse()
		_, _ = w.Write(body)
		assert.NoError(t, errors.Join(err, r.Context().Err()))
	})
	for _, tls := range []server.TLS{{}, selfSigned(t)} {
		a := app(map[string]http.Handler{"/": handler})
		a.Settings = server.Settings{BodyIdle: 20 * time.Millisecond, WriteIdle: 20 * time.Millisecond, TLS: tls}
		s := run(t, a, server.Options{})
		scheme := "http://"
		if tls.Store != nil {
			scheme = "https://"
		}
		c := client(t, func(t *http.Transport) { trustAnyone(t); t.ForceAttemptHTTP2 = true })
		for range 2 { // the second on the same connection, long after the deadline of the first
			res, err := c.Post(scheme+address(s)+"/", "text/plain", bytes.NewReader(make([]byte, 5000)))
			require.NoError(t, err)
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			require.NoError(t, err)
			assert.Len(t, got, 10000)
		}
	}
}

func TestAHandlerMaySetItsOwnDeadline(t *testing.T) {
	ended := make(chan error, 1)
	s := run(t, app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.NoError(t, http.NewResponseController(w).SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
		flood(ended).ServeHTTP(w, r)
	})}), server.Options{})
	dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case err := <-ended:
		assert.True(t, isTimeout(err), "%v", err)
	case <-time.After(patience):
		t.Fatal("the write waits for the setting")
	}
}

// flood writes until it fails and says so.
func flood(ended chan<- error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 64<<10)
		for {
			if _, err := w.Write(block); err != nil {
				ended <- err
				return
			}
		}
	})
}

func TestClientsThatDoNotReadAreCutOff(t *testing.T) {
	ended := make(chan error, 1)
	a := app(map[string]http.Handler{"/": flood(ended)})
	a.Settings.WriteIdle = 50 * time.Millisecond
	s := run(t, a, server.Options{})
	dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case err := <-ended:
		assert.Error(t, err)
	case <-time.After(patience):
		t.Fatal("the write waits forever")
	}
}

func TestStreamsThatAreNotReadAreCutOff(t *testing.T) {
	ended := make(chan error, 1)
	a := app(map[string]http.Handler{"/": flood(ended), "/ok": say("ok")})
	a.Settings = server.Settings{WriteIdle: 50 * time.Millisecond, TLS: selfSigned(t)}
	s := run(t, a, server.Options{})
	c := client(t, func(t *http.Transport) { trustAnyone(t); t.ForceAttemptHTTP2 = true })
	c.Timeout = 0                                    // or it would end the stream
	res, err := c.Get("https://" + address(s) + "/") // its flow control stops the stream, not the connection
	require.NoError(t, err)
	defer res.Body.Close()
	select {
	case err := <-ended:
		assert.Error(t, err)
	case <-time.After(patience):
		t.Fatal("the write waits forever")
	}
	status, _ := get(t, c, "https://"+address(s)+"/ok")
	assert.Equal(t, 200, status, "other streams go on")
}

// A stream whose window is closed from the start never takes even a short answer.
func TestShortAnswersThatAreNotTakenAreCutOff(t *testing.T) {
	a := app(map[string]http.Handler{"/": say("hello")})
	a.Settings = server.Settings{WriteIdle: 50 * time.Millisecond, H2C: true}
	s := run(t, a, server.Options{})
	conn := dial(t, s, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	require.NoError(t, framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/"}} {
		require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}))
	for {
		frame, err := framer.ReadFrame()
		require.NoError(t, err, "the stream must be reset")
		if _, ok := frame.(*http2.RSTStreamFrame); ok {
			return
		}
	}
}

func TestHeadersOverTheSizeAre431(t *testing.T) {
	a := app(map[string]http.Handler{"/": say("")})
	a.Settings.MaxHeaderBytes = 1000
	s := run(t, a, server.Options{})
	conn := dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 10_000)+"\r\n\r\n")
	res, _ := response(t, conn)
	assert.Equal(t, 431, res.StatusCode)
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	a := app(map[string]http.Handler{"/": say("")})
	a.Settings.KeepAlive = 20 * time.Millisecond
	s := run(t, a, server.Options{})
	conn := dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_, err := io.ReadAll(conn)
	assert.False(t, isTimeout(err))
}

func TestShortOfMemoryMeans503(t *testing.T) {
	var used atomic.Int64
	log := &logtext.Buffer{}
	a := app(map[string]http.Handler{"/": say("ok")})
	a.Settings.MemoryLimit = 1000
	s := run(t, a, server.Options{Memory: used.Load, Logger: jsonLogger(log)})
	c, url := client(t, nil), "http://"+address(s)+"/"
	answers := func(want int) func() bool {
		return func() bool { status, _ := get(t, c, url); return status == want }
	}
	require.True(t, answers(200)())
	used.Store(1001)
	eventually(t, "shedding", answers(503))
	res, err := c.Get(url)
	require.NoError(t, err)
	res.Body.Close()
	assert.NotEmpty(t, res.Header.Get("Retry-After"))
	used.Store(960) // below the limit, not below 95 % of it
	assert.Equal(t, 503, res.StatusCode)
	used.Store(949)
	eventually(t, "serving again", answers(200))
	assert.Positive(t, s.Stats().Shed)
	assert.Contains(t, log.String(), "memory is short")
}
