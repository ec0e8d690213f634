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

// A lasting is a connection that stays open between requests.
type lasting struct {
	net.Conn
	*bufio.Reader
}

func newLasting(t *testing.T, address string) lasting {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return lasting{conn, bufio.NewReader(conn)}
}

// ask makes a request, which must be answered, and reports whether the connection ends with it.
func (l lasting) ask(t *testing.T) (last bool) {
	t.Helper()
	_, err := io.WriteString(l.Conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	res, err := http.ReadResponse(l.Reader, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(body))
	return res.Close
}

// A client that keeps its connection may be sending a request when the program is replaced.
func TestAnUpgradeAnswersOnConnectionsThatWait(t *testing.T) {
	srv, _ := started(t, `app:get("/", function() return "hello" end)`, "--listen", "127.0.0.1:0", "--log", "json", "--access-log=false")
	name, port := where(t, srv)
	waits, asks := newLasting(t, net.JoinHostPort(name, port)), newLasting(t, net.JoinHostPort(name, port))
	assert.False(t, waits.ask(t))
	assert.False(t, asks.ask(t))
	replaced(t, srv)
	for !asks.ask(t) { // until the old program has begun to stop
	}
	assert.True(t, waits.ask(t), "and says that the connection ends")
	_, err := waits.Reader.ReadByte()
	assert.ErrorIs(t, err, io.EOF)
}
