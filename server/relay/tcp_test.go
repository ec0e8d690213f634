package relay_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/relay"
)

func TestBytesGoBothWays(t *testing.T) {
	p := pool(backend(t, echo))
	at, r := front(t, relay.TCPOptions{Pool: p})
	assert.Equal(t, "hello", ask(t, dial(t, at), "hello"))
	require.Eventually(t, func() bool { return r.Stats() == relay.Stats{Total: 1, In: 5, Out: 5} }, 5*time.Second, time.Millisecond)
	open, failed := p.state()
	assert.Zero(t, open)
	assert.Empty(t, failed)
	assert.Equal(t, "127.0.0.1", p.clients[0].String(), "the pool hears of the client")
}

func TestManyMegabytesArriveAsTheyWere(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16*5) // 20 MiB
	at, _ := front(t, relay.TCPOptions{Pool: pool(backend(t, echo))})
	conn := dial(t, at)
	go func() {
		_, _ = conn.Write(sent)
		_ = conn.CloseWrite()
	}()
	h := sha256.New()
	n, err := io.Copy(h, conn)
	require.NoError(t, err)
	assert.EqualValues(t, len(sent), n)
	want := sha256.Sum256(sent)
	assert.Equal(t, want[:], h.Sum(nil))
}

func TestASideThatHasEndedStillHears(t *testing.T) {
	at, _ := front(t, relay.TCPOptions{Pool: pool(backend(t, func(conn net.Conn) {
		text, _ := io.ReadAll(conn) // to the client's end
		_, _ = io.WriteString(conn, strings.ToUpper(string(text)))
	}))})
	assert.Equal(t, "HELLO", ask(t, dial(t, at), "hello"))
}

func TestTheBackendMaySpeakFirst(t *testing.T) {
	at, _ := front(t, relay.TCPOptions{Pool: pool(backend(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "220 ready\r\n")
		_, _ = io.Copy(io.Discard, conn)
	}))})
	line, err := bufio.NewReader(dial(t, at)).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "220 ready\r\n", line)
}

func TestAnotherBackendIsTried(t *testing.T) {
	dead := nowhere(t)
	p := pool(dead, backend(t, echo))
	at, _ := front(t, relay.TCPOptions{Pool: p})
	assert.Equal(t, "x", ask(t, dial(t, at), "x"))
	_, failed := p.state()
	assert.Equal(t, []string{dead}, failed)
}

func TestWithoutABackendTheConnectionEnds(t *testing.T) {
	p := pool(nowhere(t), nowhere(t), nowhere(t), nowhere(t))
	at, r := front(t, relay.TCPOptions{Pool: p, Tries: 2})
	_, err := io.ReadAll(dial(t, at))
	require.NoError(t, err)
	_, failed := p.state()
	assert.Len(t, failed, 2, "no more than it may try")
	assert.EqualValues(t, 1, r.Stats().Failed)
}

func TestABackendOnAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.sock")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	accept(t, l, func(conn net.Conn) { defer conn.Close(); echo(conn) })
	at, _ := front(t, relay.TCPOptions{Pool: pool("unix:" + path)})
	assert.Equal(t, "x", ask(t, dial(t, at), "x"))
}

// A break is passed on as one: who waits for the rest must not take it for the end.
func TestAResetIsPassedOn(t *testing.T) {
	at, _ := front(t, relay.TCPOptions{Pool: pool(backend(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "half")
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.(*net.TCPConn).SetLinger(0)
	}))})
	conn := dial(t, at)
	_, err := io.ReadFull(conn, make([]byte, 4))
	require.NoError(t, err)
	_, err = conn.Write([]byte("x"))
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	assert.ErrorContains(t, err, "reset")
}

func TestIdleConnectionsEnd(t *testing.T) {
	p := pool(backend(t, echo))
	at, _ := front(t, relay.TCPOptions{Pool: p, Idle: 50 * time.Millisecond})
	_, err := dial(t, at).Read(make([]byte, 1))
	assert.Error(t, err)
	require.Eventually(t, func() bool { open, _ := p.state(); return open == 0 }, 5*time.Second, time.Millisecond)
}

// One way is busy: the other is not idle.
func TestABusyDirectionKeepsTheOther(t *testing.T) {
	const idle = 200 * time.Millisecond
	at, _ := front(t, relay.TCPOptions{Idle: idle, Pool: pool(backend(t, func(conn net.Conn) {
		for range 12 {
			time.Sleep(idle / 4) // the traffic itself
			if _, err := io.WriteString(conn, "."); err != nil {
				return
			}
		}
		_, _ = conn.Read(make([]byte, 1))
		_, _ = io.WriteString(conn, "!")
	}))})
	conn := dial(t, at)
	dots, err := io.ReadAll(io.LimitReader(conn, 12))
	require.NoError(t, err)
	require.Len(t, dots, 12)
	_, err = conn.Write([]byte("x"))
	require.NoError(t, err)
	last, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Equal(t, "!", string(last))
}

func TestTheEndOfTheContextEndsConnections(t *testing.T) {
	r, err := relay.NewTCP(relay.TCPOptions{Pool: pool(backend(t, echo)), Logger: quiet})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	at := accept(t, listen(t), func(conn net.Conn) { r.ServeConn(ctx, conn); close(done) })
	conn := dial(t, at)
	_, err = conn.Write([]byte("x"))
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.NoError(t, err)
	cancel()
	<-done
}

func TestProxyProtocolTellsTheClient(t *testing.T) {
	for version, want := range map[int]string{1: "PROXY TCP4 127.0.0.1 127.0.0.1 ", 2: "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01"} {
		at, _ := front(t, relay.TCPOptions{ProxyProtocol: version, Pool: pool(backend(t, echo))})
		got := ask(t, dial(t, at), "hello")
		assert.True(t, strings.HasPrefix(got, want), "%q", got)
		assert.True(t, strings.HasSuffix(got, "hello"), "%q", got)
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for want, o := range map[string]relay.TCPOptions{
		"no backends":                {},
		"versions 1 and 2, not 3":    {Pool: pool(), ProxyProtocol: 3},
		`"a b" is no server name`:    {Names: map[string]relay.Pool{"a b": pool()}},
		`"*" is no server name`:      {Names: map[string]relay.Pool{"*": pool()}},
		`"a.example" has no backend`: {Names: map[string]relay.Pool{"a.example": nil}},
		"is TLS already":             {Names: map[string]relay.Pool{"a.example": pool()}, BackendTLS: &tls.Config{}},
		"is there twice":             {Names: map[string]relay.Pool{"a.example": pool(), "A.example.": pool()}},
	} {
		_, err := relay.NewTCP(o)
		assert.ErrorContains(t, err, want)
	}
}
