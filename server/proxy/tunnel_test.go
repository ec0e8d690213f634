package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/websocket"

	"rws/server/proxy"
	"rws/server/proxy/breaker"
	"rws/server/proxy/upstream"
)

// sendBack changes to the protocol that is asked for and sends back what comes, until the end.
func sendBack(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nX-Saw: %s\r\n\r\n", r.Header.Get("Upgrade"), r.RequestURI)
	_, _ = io.Copy(conn, rw)
	_, _ = io.WriteString(conn, "bye")
}

func upgrading(t testing.TB) string { return backend(t, sendBack) }

const upgrade = "GET /any HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo/1\r\n\r\n"

func TestUpgradesAreTunnelledWithHalfClose(t *testing.T) {
	h := to(t, proxy.Options{}, upgrading(t))
	c, r := raw(t, serve(t, h).addr, upgrade+"early")
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	assert.Equal(t, 101, res.StatusCode)
	assert.Equal(t, "echo/1", res.Header.Get("Upgrade"))
	assert.Equal(t, "Upgrade", res.Header.Get("Connection"))
	assert.Equal(t, "/any", res.Header.Get("X-Saw"))
	_, _ = io.WriteString(c, " late")
	got := make([]byte, len("early late"))
	_, err = io.ReadFull(r, got)
	require.NoError(t, err)
	assert.Equal(t, "early late", string(got))
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "bye", string(rest), "the other half went on")
	eventually(t, func() bool { s := h.Stats(); return s.Upgrades == 1 && s.Tunnels == 0 && s.Active == 0 })
}

// A tunnel may go on for hours: its backend is well from the moment it has changed the protocol.
func TestATunnelClosesABreaker(t *testing.T) {
	p, err := upstream.New(upstream.Options{Name: "api", Logger: quiet, Breaker: &breaker.Options{Failures: 1, Open: 10 * time.Millisecond},
		Targets: []upstream.Target{{URL: backend(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") == "" {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			sendBack(w, r)
		})}}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	p.Start(t.Context())
	f := serve(t, to(t, proxy.Options{Pool: p}))
	res, err := client(t).Get(f.url("/"))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, breaker.Open, p.Status()[0].Breaker.State)
	eventually(t, func() bool { return p.Status()[0].Breaker.State == breaker.HalfOpen })
	_, r := raw(t, f.addr, upgrade)
	res, err = http.ReadResponse(r, nil)
	require.NoError(t, err)
	require.Equal(t, 101, res.StatusCode)
	eventually(t, func() bool { return p.Status()[0].Breaker.State == breaker.Closed })
	assert.Equal(t, 1, p.Status()[0].Active, "the tunnel is still open")
}

func TestTunnelsEndWhenSilentOrStopping(t *testing.T) {
	f := serve(t, to(t, proxy.Options{Timeout: proxy.Timeout{Tunnel: 50 * time.Millisecond}}, upgrading(t)))
	_, r := raw(t, f.addr, upgrade)
	_, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	_, err = io.ReadAll(r)
	assert.NoError(t, err, "closed before the patience of the test ended")

	f = serve(t, to(t, proxy.Options{}, upgrading(t)))
	_, r = raw(t, f.addr, upgrade)
	_, err = http.ReadResponse(r, nil)
	require.NoError(t, err)
	f.stop()
	_, err = io.ReadAll(r)
	assert.NoError(t, err)
}

func TestUpgradesThatAreRefusedAreAnswers(t *testing.T) {
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no "+r.Header.Get("Upgrade"), http.StatusForbidden)
	})
	_, r := raw(t, serve(t, to(t, proxy.Options{}, at)).addr, upgrade)
	res, body := answer(t, r)
	assert.Equal(t, 403, res.StatusCode)
	assert.Equal(t, "no echo/1\n", body)
	other := scripted(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n", true)
	_, r = raw(t, serve(t, to(t, proxy.Options{}, other)).addr, upgrade)
	res, _ = answer(t, r)
	assert.Equal(t, 502, res.StatusCode, "a change to what was not asked for")
}

// An upgrade may have a body, as that of Docker has.
func TestUpgradesMayHaveABody(t *testing.T) {
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n%s:", body)
		_, _ = io.Copy(conn, rw)
	})
	c, r := raw(t, serve(t, to(t, proxy.Options{}, at)).addr, "POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 4\r\n\r\nbodyraw")
	_, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "body:raw", string(rest))
}

func echoWS(ws *websocket.Conn) { _, _ = io.Copy(ws, ws) }

// A WebSocket goes through to backends with and without TLS, under messages of every length.
func TestWebSocket(t *testing.T) {
	plain := httptest.NewServer(websocket.Handler(echoWS))
	defer plain.Close()
	secure := httptest.NewTLSServer(websocket.Handler(echoWS))
	defer secure.Close()
	for _, at := range []string{strings.Replace(plain.URL, "http", "ws", 1), strings.Replace(secure.URL, "https", "wss", 1)} {
		p, err := upstream.New(upstream.Options{Name: "ws", Logger: quiet, Targets: []upstream.Target{{URL: at}}, TLS: upstream.TLS{Insecure: true}})
		require.NoError(t, err)
		f := serve(t, to(t, proxy.Options{Pool: p}))
		ws, err := websocket.Dial("ws://"+f.addr+"/any", "", "http://"+f.addr)
		require.NoError(t, err)
		for _, n := range []int{0, 1, 125, 126, 65535, 65536, 300_000} {
			sent := bytes.Repeat([]byte("x"), n)
			require.NoError(t, websocket.Message.Send(ws, sent))
			if n == 0 {
				continue // Copy sends nothing back
			}
			got := make([]byte, n)
			_, err = io.ReadFull(ws, got)
			require.NoError(t, err)
		}
		ws.Close()
		p.Close()
	}
}

// When the server stops, both sides of a WebSocket get a close frame with 1001, behind the frame under way.
func TestWebSocketsAreToldThatTheServerStops(t *testing.T) {
	heard := make(chan []byte, 1)
	at := "http://" + listen(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		_, _ = http.ReadRequest(r)
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05he")
		all, _ := io.ReadAll(io.TeeReader(r, notify{c}))
		heard <- all
	})
	f := serveWith(t, to(t, proxy.Options{}, at), patience)
	c, r := raw(t, f.addr, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	_, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	two := make([]byte, 4)
	_, err = io.ReadFull(r, two)
	require.NoError(t, err)
	f.stop()
	rest := make([]byte, 3+4)
	_, err = io.ReadFull(r, rest) // the backend sends "llo" when it hears the close frame
	require.NoError(t, err)
	if string(rest) == "llo\x81\x02no" { // a whole frame that was faster
		copy(rest, "llo")
		_, err = io.ReadFull(r, rest[3:])
		require.NoError(t, err)
	}
	assert.Equal(t, "llo\x88\x02\x03\xe9", string(rest))
	c.Close()
	all := <-heard
	require.Len(t, all, 8)
	assert.Equal(t, []byte{0x88, 0x82}, all[:2], "masked, as a client's must be")
	assert.Equal(t, []byte{0x03, 0xe9}, []byte{all[6] ^ all[2], all[7] ^ all[3]})
}

// notify ends the frame that was begun, and sends another, of which no part passes behind the close frame.
type notify struct{ to io.Writer }

func (n notify) Write(p []byte) (int, error) {
	_, _ = io.WriteString(n.to, "llo\x81\x02no")
	return len(p), nil
}
