package http1_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A client that keeps a connection does not see that another server is in place of this one.
func TestLeavingAnswersOneMoreRequest(t *testing.T) {
	s := handler(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "ab") })
	address := serve(t, s)
	idle, silent := dial(t, address, get), dial(t, address, get)
	for _, conn := range []io.Reader{idle, silent} {
		_, bodies := answers(t, io.LimitReader(conn, 133), "GET")
		require.Equal(t, []string{"ab"}, bodies)
	}
	fresh := dial(t, address, "")
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

func reachable(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}
