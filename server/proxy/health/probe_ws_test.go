package health_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/health"
)

// echo is a real WebSocket server that tells how each connection ended.
func echo(ended chan<- error) http.HandlerFunc {
	upgrader := websocket.Upgrader{}
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/live" {
			http.NotFound(w, r)
			return
		}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		_, _, err = ws.ReadMessage()
		ended <- err
	}
}

func TestAWebSocketIsOpenedAndClosed(t *testing.T) {
	ended := make(chan error, 1)
	plain := server(t, "h1", echo(ended))
	address, roots := secure(t, false, echo(ended))
	for _, url := range []string{"ws://" + plain, "wss://" + address} {
		start := time.Now()
		require.NoError(t, ask(t, health.Check{Path: "/live", TLS: roots}, url))
		assert.True(t, websocket.IsCloseError(<-ended, websocket.CloseNormalClosure), "the server is told, with the code 1000")
		assert.Less(t, time.Since(start), 400*time.Millisecond, "and its answer is not waited for in vain")
		require.ErrorContains(t, ask(t, health.Check{Path: "/other", TLS: roots}, url), "status 404, expected 101")
	}
	require.ErrorContains(t, ask(t, health.Check{Path: "/live"}, "wss://"+address), "TLS handshake")
}

func TestHandshakesThatAreNone(t *testing.T) {
	const switching = "HTTP/1.1 101 Switching Protocols\r\n"
	for answer, want := range map[string]string{
		switching + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n": "is not the answer to the key",
		switching + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n":                                                       "is not the answer to the key",
		switching + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n":                                                             `switches to "h2c"`,
		switching + "Upgrade: websocket\r\n\r\n":                                                                              "not to websocket",
		"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nx":                                                               "status 200, expected 101",
		"SSH-2.0-OpenSSH_9.2\r\n":                                                                                             "reading the answer",
		switching + "X: " + strings.Repeat("x", 1<<20):                                                                        "reading the answer",
		"": "reading the answer",
	} {
		address := accept(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4<<10))
			_, _ = io.WriteString(conn, answer)
		})
		require.ErrorContains(t, ask(t, health.Check{}, "ws://"+address), want, "%.60q", answer)
	}
}

func TestAHandshakeWithoutEndIsGivenUp(t *testing.T) {
	address := accept(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4<<10))
		_, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n")
		for err == nil {
			_, err = io.WriteString(conn, "X: "+strings.Repeat("x", 1<<10)+"\r\n")
		}
	})
	err := ask(t, health.Check{}, "ws://"+address)
	require.ErrorContains(t, err, "reading the answer")
	assert.NotContains(t, err.Error(), "no answer within", "after 64 KiB, not when the time is over")
}

func TestAWebSocketServerThatNeverSaysGoodbye(t *testing.T) {
	waited := make(chan time.Duration, 2)
	address := accept(t, func(conn net.Conn) {
		r, err := http.ReadRequest(newReader(conn))
		if err != nil {
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nconnection: keep-alive, UPGRADE\r\nupgrade: WebSocket\r\n"+
			"Sec-WebSocket-Accept: %s\r\n\r\n", health.AcceptKey(r.Header.Get("Sec-WebSocket-Key")))
		_, _ = conn.Read(make([]byte, 100))
		start := time.Now()
		_, _ = io.Copy(io.Discard, conn)
		waited <- time.Since(start)
	})
	require.NoError(t, ask(t, health.Check{}, "ws://"+address))
	assert.InDelta(t, 500, (<-waited).Milliseconds(), 200, "its Close frame is waited for")
	require.NoError(t, ask(t, health.Check{Timeout: 200 * time.Millisecond}, "ws://"+address), "closing is not part of the check")
}

// The example of RFC 6455 §1.3.
func TestAcceptKey(t *testing.T) {
	assert.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", health.AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="))
}
