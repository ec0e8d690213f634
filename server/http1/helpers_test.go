package http1_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/http1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should happen soon.
const patience = 10 * time.Second

// serve starts a server and returns its address. It stops with the test.
func serve(t testing.TB, s *http1.Server) string {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
		require.NoError(t, s.Shutdown(context.Background()))
	})
	return l.Addr().String()
}

func handler(f http.HandlerFunc) *http1.Server { return &http1.Server{Handler: f} }

// dial opens a connection and sends text.
func dial(t testing.TB, address, text string) net.Conn {
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	return conn
}

// all sends text and returns everything that comes back until the server closes.
func all(t testing.TB, address, text string) string {
	got, err := io.ReadAll(dial(t, address, text))
	require.NoError(t, err)
	return string(got)
}

// answers reads the answers to requests with these methods.
func answers(t testing.TB, conn io.Reader, methods ...string) (list []*http.Response, bodies []string) {
	r := bufio.NewReader(conn)
	for _, method := range methods {
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		list, bodies = append(list, res), append(bodies, string(body))
	}
	return list, bodies
}
