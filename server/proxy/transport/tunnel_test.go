package transport_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/transport"
)

// upgrade is a request that asks for another protocol.
func upgrade(t testing.TB) *http.Request {
	r := get(t)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	return r
}

// A connection that has switched protocols is a pipe, and nothing is lost on the way.
func TestSwitch(t *testing.T) {
	tr := open(t, transport.Options{Response: 50 * time.Millisecond, ReadIdle: 50 * time.Millisecond, Address: scripted(t, func(p *peer) {
		if r := p.head(); assert.NotNil(t, r) {
			assert.Equal(t, "echo", r.Header.Get("Upgrade"))
		}
		p.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello, ")
		_, _ = io.Copy(p, p.r)
		p.say("bye")
	})})
	res, err := tr.RoundTrip(upgrade(t))
	require.NoError(t, err)
	assert.Equal(t, 101, res.StatusCode)
	assert.Equal(t, "echo", res.Header.Get("Upgrade"))
	pipe := res.Body.(interface {
		io.ReadWriteCloser
		CloseWrite() error
	})
	time.Sleep(100 * time.Millisecond) // no deadline of the exchange holds any more
	_, err = io.WriteString(pipe, "world\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(io.LimitReader(pipe, int64(len("hello, world\n")))).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "hello, world\n", line)
	require.NoError(t, pipe.CloseWrite())
	rest, err := io.ReadAll(pipe)
	require.NoError(t, err)
	assert.Equal(t, "bye", string(rest))
	assert.Equal(t, 1, tr.Stats().InUse)
	require.NoError(t, pipe.Close())
	require.NoError(t, pipe.Close())
	assert.Zero(t, tr.Stats().Open)
}

func TestSwitchCancelled(t *testing.T) {
	tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(p, p.r)
	})})
	ctx, cancel := context.WithCancel(t.Context())
	res, err := tr.RoundTrip(upgrade(t).WithContext(ctx))
	require.NoError(t, err)
	defer res.Body.Close()
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err = res.Body.Read(make([]byte, 1))
	require.Error(t, err)
}

// A backend that refuses to switch has answered.
func TestSwitchRefused(t *testing.T) {
	tr := open(t, transport.Options{Address: says(t, "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad")})
	res, body := do(t, tr, upgrade(t))
	assert.Equal(t, 400, res.StatusCode)
	assert.Equal(t, "bad", body)
	assert.Equal(t, 1, tr.Stats().Idle)
}

// What is copied through a pipe flows both ways at once, through the kernel where it can.
func TestSwitchCopies(t *testing.T) {
	tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst")
		_, _ = io.Copy(p, p.r)
	})})
	res, err := tr.RoundTrip(upgrade(t))
	require.NoError(t, err)
	defer res.Body.Close()
	out, sent := sockets(t)
	in, got := sockets(t)
	go func() {
		_, _ = sent.Write(make([]byte, 1<<20))
		sent.Close()
	}()
	go func() {
		_, _ = io.Copy(res.Body.(io.Writer), out)
		_ = res.Body.(interface{ CloseWrite() error }).CloseWrite()
	}()
	go func() {
		_, _ = io.Copy(in, res.Body)
		in.Close()
	}()
	all, err := io.ReadAll(got)
	require.NoError(t, err)
	assert.Len(t, all, len("first")+1<<20)
	assert.Equal(t, "first", string(all[:5]))
}

// sockets are the two ends of a connection.
func sockets(t *testing.T) (here, there net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	here, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	there, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { here.Close(); there.Close() })
	return here, there
}
