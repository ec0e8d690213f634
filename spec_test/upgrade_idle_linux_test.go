package spec_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A client that keeps its connection may be sending a request when the program is replaced.
func TestAnUpgradeAnswersOnConnectionsThatWait(t *testing.T) {
	srv, _ := started(t, `app:get("/", function() return "hello" end)`, "--listen", "127.0.0.1:0", "--log", "json", "--access-log=false")
	name, port := where(t, srv)
	conn, err := net.Dial("tcp", net.JoinHostPort(name, port))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	r := bufio.NewReader(conn)
	ask := func() *http.Response {
		t.Helper()
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		require.NoError(t, err)
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Equal(t, "hello", string(body))
		return res
	}
	assert.False(t, ask().Close)
	replaced(t, srv)
	time.Sleep(200 * time.Millisecond) // the old program has begun to stop
	assert.True(t, ask().Close, "and says that the connection ends")
	_, err = r.ReadByte()
	assert.ErrorIs(t, err, io.EOF)
}
