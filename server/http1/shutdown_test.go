package http1_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A client that keeps a connection does not see that another server is in place of this one.
func TestLeavingAnswersOneMoreRequest(t *testing.T) {
	s := handler(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "ab") })
	address := serve(t, s)
	fresh := dial(t, address, "") // is accepted before the others are answered
	idle, silent := dial(t, address, get), dial(t, address, get)
	for _, conn := range []io.Reader{idle, silent} {
		_, bodies := answers(t, io.LimitReader(conn, 133), "GET")
		require.Equal(t, []string{"ab"}, bodies)
	}
	wait, end := context.WithTimeout(t.Context(), patience)
	defer end()
	const moment = 500 * time.Millisecond
	start, done := time.Now(), make(chan error, 1)
	go func() { done <- s.Leave(wait, moment) }()
	require.Eventually(t, func() bool { return !reachable(address) }, patience, time.Millisecond)
	for _, conn := range []io.ReadWriter{idle, fresh} {
		_, err := io.WriteString(conn, get)
		require.NoError(t, err)
		rest, err := io.ReadAll(conn)
		require.NoError(t, err)
		assert.Contains(t, string(rest), "200 OK")
		assert.Contains(t, string(rest), "Connection: close")
	}
	rest, err := io.ReadAll(silent)
	require.NoError(t, err)
	assert.Empty(t, rest)
	require.NoError(t, <-done)
	assert.GreaterOrEqual(t, time.Since(start), moment)
}

// slowListener gives a connection that it has taken when it has been closed.
type slowListener struct {
	net.Listener
	taken, closed chan struct{}
	once          sync.Once
}

func (l *slowListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		close(l.taken)
	}
	<-l.closed
	return conn, err
}

func (l *slowListener) Close() (err error) {
	l.once.Do(func() { close(l.closed); err = l.Listener.Close() })
	return err
}

func TestAConnectionThatComesWhileTheServerLeavesIsAnswered(t *testing.T) {
	s := handler(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "ab") })
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &slowListener{Listener: inner, taken: make(chan struct{}), closed: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	first := dial(t, l.Addr().String(), get)
	<-l.taken
	require.NoError(t, s.Leave(t.Context(), patience))
	require.ErrorIs(t, <-served, http.ErrServerClosed)
	_, bodies := answers(t, first, "GET")
	assert.Equal(t, []string{"ab"}, bodies)
}

func reachable(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}
