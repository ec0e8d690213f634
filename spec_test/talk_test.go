package spec_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// A talk is a connection of a script that stays open.
type talk struct {
	conn net.Conn
	web  *websocket.Conn // nil for bytes
}

// openTalk opens a connection.
func openTalk(s *spec, args []string) error {
	const usage = "dial NAME tcp|tls|udp|ws ADDRESS [protocol]; ADDRESS of ws is a path below $URL"
	if len(args) < 3 || len(args) > 4 {
		return usageError(usage)
	}
	t := &talk{}
	var err error
	switch args[1] {
	case "tcp", "udp":
		t.conn, err = net.DialTimeout(args[1], args[2], patience)
	case "tls":
		t.conn, err = tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", args[2], s.trust())
	case "ws":
		d := websocket.Dialer{HandshakeTimeout: patience, Subprotocols: args[3:], TLSClientConfig: s.trust()}
		t.web, _, err = d.Dial("ws"+strings.TrimPrefix(s.ts.Getenv("URL"), "http")+args[2], nil)
	default:
		return usageError(usage)
	}
	if err != nil {
		return err
	}
	if s.talks == nil {
		s.talks = make(map[string]*talk)
	}
	if t.web != nil {
		t.conn = t.web.NetConn()
	}
	s.talks[args[0]] = t
	limit := 2 * patience
	if args[1] == "udp" { // what is lost is lost
		limit = time.Second
	}
	return t.conn.SetDeadline(time.Now().Add(limit))
}

// say sends a text and waits for an answer.
func say(s *spec, args []string) error {
	if len(args) < 2 || len(args) > 3 || s.talks[args[0]] == nil {
		return usageError("say NAME TEXT [ANSWER]; NAME as given to dial")
	}
	want := args[len(args)-1]
	got, err := s.talks[args[0]].exchange(args[1], len(want))
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("the answer is %q, not %q", got, want)
	}
	return nil
}

// exchange sends a text, and reads a message or, of bytes, so many.
func (t *talk) exchange(text string, n int) (string, error) {
	if t.web != nil {
		if err := t.web.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			return "", err
		}
		_, got, err := t.web.ReadMessage()
		return string(got), err
	}
	if _, err := io.WriteString(t.conn, text); err != nil {
		return "", err
	}
	got := make([]byte, n)
	n, err := io.ReadFull(t.conn, got)
	return string(got[:n]), err
}

// hangUp closes a connection; with "half" only our half, and waits for the other one.
func hangUp(s *spec, args []string) error {
	if len(args) < 1 || len(args) > 2 || s.talks[args[0]] == nil {
		return usageError("hangup NAME [half]; NAME as given to dial")
	}
	t := s.talks[args[0]]
	if len(args) == 2 {
		tcp, ok := t.conn.(*net.TCPConn)
		if !ok || t.web != nil {
			return usageError("hangup half: of tcp only")
		}
		if err := tcp.CloseWrite(); err != nil {
			return err
		}
		rest, err := io.ReadAll(tcp)
		return errors.Join(err, writeText(s.ts.Stdout(), rest))
	}
	return t.conn.Close()
}

// gone waits until the other side has closed the connection; of WebSocket with that code.
func gone(s *spec, args []string) error {
	if len(args) < 1 || len(args) > 2 || s.talks[args[0]] == nil {
		return usageError("gone NAME [CODE]; NAME as given to dial")
	}
	t := s.talks[args[0]]
	if t.web == nil {
		_, err := io.Copy(io.Discard, t.conn)
		return err
	}
	_, _, err := t.web.ReadMessage()
	closed, ok := errors.AsType[*websocket.CloseError](err)
	if !ok {
		return fmt.Errorf("no close frame came: %v", err)
	}
	if len(args) == 2 && strconv.Itoa(closed.Code) != args[1] {
		return fmt.Errorf("the code is %d, not %s", closed.Code, args[1])
	}
	return nil
}

func writeText(w io.Writer, text []byte) error {
	_, err := w.Write(text)
	return err
}
