//go:build unix

// A reload is asked for by a signal.

package spec_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// streamBackend begins an event stream, which it ends when it is told to, and echoes on WebSockets.
func streamBackend(end <-chan struct{}) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			websocketSite(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: before\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-end:
			fmt.Fprint(w, "data: after\n\n")
		case <-r.Context().Done():
		}
	})
}

// startBackends serves streams over HTTP/1, h2c and TLS.
func startBackends(t *testing.T, end <-chan struct{}) (plain, h2c, secure string) {
	start := func(edit func(*httptest.Server), begin func(*httptest.Server)) string {
		s := httptest.NewUnstartedServer(streamBackend(end))
		edit(s)
		begin(s)
		t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
		return s.URL
	}
	plain = start(func(*httptest.Server) {}, (*httptest.Server).Start)
	h2c = start(func(s *httptest.Server) {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
	}, (*httptest.Server).Start)
	secure = start(func(*httptest.Server) {}, (*httptest.Server).StartTLS)
	return plain, strings.Replace(h2c, "http", "h2c", 1), secure
}

const streamsApp = `
app:config { h2c = true, stop_grace = "1s" }
app:metrics()
app:get("/version", function() return "version 0" end)
app:get("/hang", { timeout = "1h" }, function() rws.try(rws.sleep, "1h") error("late") end)
app:static("/files", "files")
app:proxy("/plain", "PLAIN")
app:proxy("/h2c", "H2C")
app:proxy("/secure", "SECURE", { tls = { insecure = true } })
app:proxy("/lua", function(c, next) local r = next() r.headers["X-By"] = "lua" return r end, "PLAIN")
app:proxy("/hooks", "PLAIN", { on_request = function(c, request) request.headers["X-By"] = "hook" end, on_response = function(c, response) response.headers["X-By"] = "hook" end })
app:canary("/canary", "PLAIN", "PLAIN", { share = 1 })
app:mirror("/mirror", "PLAIN", "PLAIN")
`

// inFlight reports whether so many requests are being answered, that for the metrics among them.
func (t *target) inFlight(n int) bool {
	_, text, err := t.get("/metrics")
	return err == nil && strings.Contains(text, fmt.Sprintf("\nhttp_requests_in_flight %d\n", n))
}

// A proxied is a server with streams of every kind under way.
type proxied struct {
	*target
	file, script string
	version      int
	bodies       map[string]*bufio.Reader
	sockets      map[string]*websocket.Conn
}

func startProxied(t *testing.T, end <-chan struct{}) *proxied {
	plain, h2c, secure := startBackends(t, end)
	script := strings.NewReplacer("PLAIN", plain, "H2C", h2c, "SECURE", secure).Replace(streamsApp)
	file := app(t, script)
	require.NoError(t, os.Mkdir(filepath.Join(filepath.Dir(file), "files"), 0o700))
	return &proxied{target: startApp(t, file, "--env", "production"), file: file, script: script, bodies: map[string]*bufio.Reader{}, sockets: map[string]*websocket.Conn{}}
}

// streams opens one of each kind, and reads what they begin with.
func (p *proxied) streams(t *testing.T) {
	h2 := &http.Transport{Protocols: new(http.Protocols)}
	h2.Protocols.SetUnencryptedHTTP2(true)
	h1 := &http.Transport{}
	t.Cleanup(func() { h1.CloseIdleConnections(); h2.CloseIdleConnections() })
	for front, tr := range map[string]*http.Transport{"h1": h1, "h2": h2} {
		for _, path := range []string{"/plain", "/h2c", "/secure", "/lua", "/hooks", "/canary", "/mirror"} {
			res, err := (&http.Client{Transport: tr, Timeout: 2 * patience}).Get("http://" + p.addr + path)
			require.NoError(t, err, path)
			t.Cleanup(func() { res.Body.Close() })
			r := bufio.NewReader(res.Body)
			line, err := r.ReadString('\n')
			require.NoError(t, err, path)
			require.Equal(t, "data: before\n", line, path)
			p.bodies[front+path] = r
		}
	}
	for _, path := range []string{"/plain", "/secure", "/lua", "/hooks", "/canary", "/mirror"} {
		conn, _, err := websocket.DefaultDialer.Dial("ws://"+p.addr+path, nil)
		require.NoError(t, err, path)
		t.Cleanup(func() { conn.Close() })
		p.sockets[path] = conn
	}
	p.echo(t)
}

func (p *proxied) echo(t *testing.T) {
	t.Helper()
	for path, conn := range p.sockets {
		require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte("hello")), path)
		_, text, err := conn.ReadMessage()
		require.NoError(t, err, path)
		require.Equal(t, "hello", string(text), path)
	}
}

// reload serves the script anew.
func (p *proxied) reload(t *testing.T) {
	t.Helper()
	p.version++
	text := fmt.Sprintf("version %d", p.version)
	require.NoError(t, os.WriteFile(p.file+".part", []byte(strings.Replace(p.script, "version 0", text, 1)), 0o600))
	require.NoError(t, os.Rename(p.file+".part", p.file))
	require.NoError(t, p.cmd.Process.Signal(signals["HUP"]))
	require.Eventually(t, func() bool { _, body, err := p.get("/version"); return err == nil && body == text }, patience, 5*time.Millisecond)
}

// What a proxy has begun passes reloads, also when it takes longer than the grace, over every protocol, behind
// functions of the script and around hooks; and nothing is left of it.
func TestProxiedStreamsOutliveReloads(t *testing.T) {
	end := make(chan struct{})
	p := startProxied(t, end)
	goroutines, files := p.goroutines(t), p.open(t)
	p.streams(t)
	hung := make(chan int, 1)
	go func() { status, _, _ := p.get("/hang"); hung <- status }()
	require.Eventually(t, func() bool { return p.inFlight(22) }, patience, 5*time.Millisecond, p.log.String())
	for range 3 {
		p.reload(t)
	}
	assert.Equal(t, 503, <-hung, "the grace is over")
	p.echo(t)
	metrics := p.mustGet(t, "/metrics")
	assert.Contains(t, metrics, "\nrws_proxy_active{route=\"/plain\",to=\"backends\"} 3\n")
	assert.Contains(t, metrics, "\nrws_proxy_tunnels{route=\"/plain\",to=\"backends\"} 1\n")
	close(end)
	for name, r := range p.bodies {
		rest, err := io.ReadAll(r)
		assert.NoError(t, err, name)
		assert.Equal(t, "\ndata: after\n\n", string(rest), name)
	}
	p.echo(t)
	for _, conn := range p.sockets {
		require.NoError(t, conn.Close())
	}
	p.shrinksTo(t, goroutines, files)
}

// A download passes a reload too, also when it takes longer than the grace.
func TestADownloadOutlivesReloads(t *testing.T) {
	p := startProxied(t, nil)
	const size = 64 << 20 // more than what sockets hold
	large := filepath.Join(filepath.Dir(p.file), "files", "large")
	require.NoError(t, os.WriteFile(large, nil, 0o600))
	require.NoError(t, os.Truncate(large, size))
	res, err := http.Get("http://" + p.addr + "/files/large")
	require.NoError(t, err)
	defer res.Body.Close()
	hung := make(chan int, 1)
	go func() { status, _, _ := p.get("/hang"); hung <- status }()
	require.Eventually(t, func() bool { return p.inFlight(3) }, patience, 5*time.Millisecond)
	p.reload(t)
	assert.Equal(t, 503, <-hung, "the grace is over")
	n, err := io.Copy(io.Discard, res.Body)
	assert.NoError(t, err)
	assert.EqualValues(t, size, n)
}

// A stop breaks streams off, so that nobody takes them for whole, and says goodbye to WebSockets; those of a
// script that was replaced too.
func TestAStopBreaksProxiedStreamsOff(t *testing.T) {
	p := startProxied(t, nil)
	p.streams(t)
	p.reload(t)
	require.NoError(t, p.cmd.Process.Signal(stopSignal()))
	p.brokenOff(t)
	<-p.done
	assert.NoError(t, p.err)
	assert.Contains(t, p.log.String(), "the server stops, and the stream had not ended")
}

// brokenOff reads all streams to their end, which is none.
func (p *proxied) brokenOff(t *testing.T) {
	t.Helper()
	for name, r := range p.bodies {
		_, err := io.ReadAll(r)
		assert.Error(t, err, name)
	}
	for path, conn := range p.sockets {
		_, _, err := conn.ReadMessage()
		assert.True(t, websocket.IsCloseError(err, websocket.CloseGoingAway), "%s: %v", path, err)
	}
}
