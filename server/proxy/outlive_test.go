package proxy_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/websocket"

	"rws/server/proxy"
	"rws/server/proxy/upstream"
	"rws/spec_test/peers"
)

// An app that is replaced leaves the streams that it has to their backends.
func TestEventStreamsOutliveTheApp(t *testing.T) {
	for name, c := range map[string]*http.Client{"h1": client(t), "h2c": h2Client(t)} {
		t.Run(name, func(t *testing.T) {
			ticks := make(chan struct{})
			p := pool(t, backend(t, peers.Events(ticks)))
			f := serve(t, to(t, proxy.Options{Pool: p}))
			res, err := c.Get(f.url("/"))
			require.NoError(t, err)
			defer res.Body.Close()
			r := bufio.NewReader(res.Body)
			line, err := r.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "data: 1\n", line)
			f.leave()
			ticks <- struct{}{}
			close(ticks)
			rest, err := io.ReadAll(r)
			assert.NoError(t, err)
			assert.Equal(t, "\ndata: 1\n\n", string(rest))
			assert.NoError(t, f.fault(t))
			eventually(t, func() bool { return p.Status()[0].Active == 0 })
		})
	}
}

// What has no end of its own is broken off, so that nobody takes it for whole, and is no fault of the backend.
func TestEventStreamsAreBrokenOffWhenTheServerStops(t *testing.T) {
	for name, c := range map[string]*http.Client{"h1": client(t), "h2c": h2Client(t)} {
		t.Run(name, func(t *testing.T) {
			p := pool(t, backend(t, peers.Events(nil)))
			h := to(t, proxy.Options{Pool: p})
			f := serve(t, h)
			res, err := c.Get(f.url("/"))
			require.NoError(t, err)
			defer res.Body.Close()
			r := bufio.NewReader(res.Body)
			_, err = r.ReadString('\n')
			require.NoError(t, err)
			f.stop()
			_, err = io.ReadAll(r)
			assert.Error(t, err)
			assert.ErrorContains(t, f.fault(t), "the server stops")
			eventually(t, func() bool { return p.Status()[0].Active == 0 })
			assert.Zero(t, p.Status()[0].Failures)
			assert.Zero(t, h.Stats().Failed)
		})
	}
}

// A stream that ends within its last words is whole.
func TestEventStreamsMayEndWhenTheServerStops(t *testing.T) {
	ticks := make(chan struct{})
	f := serveWith(t, to(t, proxy.Options{}, backend(t, peers.Events(ticks))), patience)
	res, err := client(t).Get(f.url("/"))
	require.NoError(t, err)
	defer res.Body.Close()
	r := bufio.NewReader(res.Body)
	_, err = r.ReadString('\n')
	require.NoError(t, err)
	f.stop()
	close(ticks)
	_, err = io.ReadAll(r)
	assert.NoError(t, err)
	assert.NoError(t, f.fault(t))
}

// So do requests that are not answered yet, with what their clients still send.
func TestRequestsAndUploadsOutliveTheApp(t *testing.T) {
	arrived, answer := make(chan struct{}), make(chan struct{})
	f := serve(t, to(t, proxy.Options{}, backend(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-answer
		_, _ = io.Copy(w, r.Body)
	})))
	body, send := io.Pipe()
	type outcome struct {
		text []byte
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		res, err := client(t).Post(f.url("/"), "text/plain", body)
		if err != nil {
			done <- outcome{err: err}
			return
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		done <- outcome{text, err}
	}()
	_, _ = io.WriteString(send, "before ")
	<-arrived
	f.leave()
	_, _ = io.WriteString(send, "after")
	_ = send.Close()
	close(answer)
	got := <-done
	require.NoError(t, got.err)
	assert.Equal(t, "before after", string(got.text))
}

func TestTunnelsOutliveTheApp(t *testing.T) {
	f := serve(t, to(t, proxy.Options{}, upgrading(t)))
	c, r := raw(t, f.addr, upgrade)
	_, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	f.leave()
	for range 3 {
		_, err = io.WriteString(c, "after")
		require.NoError(t, err)
		got := make([]byte, len("after"))
		_, err = io.ReadFull(r, got)
		require.NoError(t, err)
		assert.Equal(t, "after", string(got))
	}
}

func TestWebSocketsOutliveTheApp(t *testing.T) {
	at := backend(t, websocket.Handler(echoWS).ServeHTTP)
	p, err := upstream.New(upstream.Options{Name: "ws", Logger: quiet, Targets: []upstream.Target{{URL: strings.Replace(at, "http", "ws", 1)}}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	f := serveWith(t, to(t, proxy.Options{Pool: p}), patience)
	ws, err := websocket.Dial("ws://"+f.addr+"/", "", "http://"+f.addr)
	require.NoError(t, err)
	defer ws.Close()
	f.leave()
	for _, text := range []string{"one", "two"} {
		require.NoError(t, websocket.Message.Send(ws, text))
		var got string
		require.NoError(t, websocket.Message.Receive(ws, &got))
		assert.Equal(t, text, got)
	}
	f.stop()
	_, err = ws.Read(make([]byte, 1))
	assert.Equal(t, io.EOF, err, "a close frame")
}
