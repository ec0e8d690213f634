package health

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpguts"
)

// closeWait is how long the answer to the Close frame is waited for, so that the backend does not see
// its connection break off.
const closeWait = 500 * time.Millisecond

// askWebSocket opens a WebSocket (RFC 6455 §4.1) and closes it.
func (c *Check) askWebSocket(ctx context.Context, e endpoint) error {
	conn, err := c.dialWebSocket(ctx, e)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) }) // in the past: it ends at once
	defer stop()
	in := bufio.NewReader(io.LimitReader(conn, maxHeader))
	if err := c.upgrade(ctx, conn, in, e); err != nil {
		return err
	}
	if err := writeClose(conn); err != nil {
		return fmt.Errorf("closing the WebSocket: %w", err)
	}
	// What comes back does not matter any more, and neither does a server that does not answer.
	if stop() {
		_ = conn.SetDeadline(time.Now().Add(closeWait))
	}
	_, _ = in.ReadByte()
	return nil
}

func (c *Check) dialWebSocket(ctx context.Context, e endpoint) (net.Conn, error) {
	if e.scheme == "wss" {
		return c.dialTLS(ctx, e)
	}
	return c.dial(ctx, e)
}

func (c *Check) upgrade(ctx context.Context, conn net.Conn, in *bufio.Reader, e endpoint) error {
	u, err := url.ParseRequestURI(e.path)
	if err != nil {
		return fmt.Errorf("the path %q is not valid", e.path)
	}
	u.Scheme, u.Host = "http", e.host
	r, err := c.request(ctx, e, http.MethodGet, u, nil)
	if err != nil {
		return err
	}
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // never fails
	key := base64.StdEncoding.EncodeToString(nonce)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", key)
	if err := r.Write(conn); err != nil {
		return fmt.Errorf("asking for the WebSocket: %w", err)
	}
	answer, err := http.ReadResponse(in, r) // a body that it has, if it refuses, goes with the connection
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return checkUpgrade(answer, key)
}

// checkUpgrade is RFC 6455 §4.1, the checks of a client.
func checkUpgrade(answer *http.Response, key string) error {
	switch h := answer.Header; {
	case answer.StatusCode != http.StatusSwitchingProtocols:
		return fmt.Errorf("status %d, expected 101", answer.StatusCode)
	case !httpguts.HeaderValuesContainsToken(h["Upgrade"], "websocket") || !httpguts.HeaderValuesContainsToken(h["Connection"], "Upgrade"):
		return fmt.Errorf("the server switches to %.50q, not to websocket", h.Get("Upgrade"))
	case h.Get("Sec-WebSocket-Accept") != acceptKey(key):
		return fmt.Errorf("Sec-WebSocket-Accept is not the answer to the key: this is no WebSocket server, or a cache is in between")
	}
	return nil
}

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 §1.3
	return base64.StdEncoding.EncodeToString(sum[:])
}

// writeClose sends a Close frame with the code 1000, masked as those of clients are.
func writeClose(w io.Writer) error {
	var mask [4]byte
	_, _ = rand.Read(mask[:])
	const code = 1000
	_, err := w.Write([]byte{
		0x80 | 8, 0x80 | 2, mask[0], mask[1], mask[2], mask[3],
		code>>8 ^ mask[0], code&0xff ^ mask[1],
	})
	return err
}
