package server

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// idleListener watches over the writes of its connections.
type idleListener struct {
	net.Listener
	idle time.Duration
}

func (l idleListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &idleConn{Conn: conn, idle: l.idle, start: time.Now()}, nil
}

// idleConn fails a write when the client takes nothing for a while. It does so where the bytes
// reach the socket, so that answers that fit into a buffer cost nothing, and what net/http or TLS
// write by themselves counts too. A deadline stays set until it is off by a quarter: on a busy
// connection a write costs a look at the clock (47 ns), not a deadline (158 ns).
//
// A deadline set from outside, as by a handler through [http.ResponseController], is kept; the
// zero time gives the watch back.
type idleConn struct {
	net.Conn
	idle   time.Duration
	start  time.Time
	armed  atomic.Int64 // when the deadline was set, in nanoseconds since start
	manual atomic.Bool
}

func (c *idleConn) arm() {
	if c.manual.Load() {
		return
	}
	now := time.Now()
	since := int64(now.Sub(c.start))
	if last := c.armed.Load(); last != 0 && since-last < int64(c.idle/4) {
		return
	}
	c.armed.Store(since)
	_ = c.Conn.SetWriteDeadline(now.Add(c.idle)) // fails on a closed connection, as the write will
}

// Write goes on as long as some bytes went out before each deadline.
func (c *idleConn) Write(p []byte) (sent int, err error) {
	for {
		c.arm()
		n, err := c.Conn.Write(p[sent:])
		sent += n
		if n == 0 || c.manual.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return sent, err
		}
		c.armed.Store(0)
	}
}

// WriteBuffers writes several pieces with one system call, as [net.Buffers] does, and as long as
// Write would.
func (c *idleConn) WriteBuffers(pieces *net.Buffers) (sent int64, err error) {
	for {
		c.arm()
		n, err := pieces.WriteTo(c.Conn)
		sent += n
		if n == 0 || c.manual.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return sent, err
		}
		c.armed.Store(0)
	}
}

// piece is how much a client must take of a file within the idle time: 256 KiB in 30 s is 9 kB/s.
const piece = 256 << 10

// ReadFrom keeps sendfile(2) and splice(2), in pieces, each with its deadline.
func (c *idleConn) ReadFrom(src io.Reader) (sent int64, err error) {
	inner, ok := c.Conn.(io.ReaderFrom)
	if !ok || !direct(src) {
		return io.Copy(struct{ io.Writer }{c}, src)
	}
	limited, ok := src.(*io.LimitedReader)
	if !ok {
		limited = &io.LimitedReader{R: src, N: 1<<63 - 1}
	}
	for limited.N > 0 {
		c.arm()
		want := min(limited.N, piece)
		n, err := inner.ReadFrom(&io.LimitedReader{R: limited.R, N: want})
		sent += n
		limited.N -= n
		if err != nil || n < want {
			return sent, err
		}
	}
	return sent, nil
}

// direct reports whether the kernel can move the bytes: not through a buffer of ours, whose
// content a deadline would lose.
func direct(src io.Reader) bool {
	if limited, ok := src.(*io.LimitedReader); ok {
		src = limited.R
	}
	switch src.(type) {
	case *os.File, *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// SetWriteDeadline takes the watch over, or gives it back.
func (c *idleConn) SetWriteDeadline(at time.Time) error {
	if at.IsZero() && !c.manual.Load() { // net/http, after each answer
		return nil
	}
	c.manual.Store(!at.IsZero())
	c.armed.Store(0)
	return c.Conn.SetWriteDeadline(at)
}

func (c *idleConn) SetDeadline(at time.Time) error {
	return errors.Join(c.Conn.SetReadDeadline(at), c.SetWriteDeadline(at))
}

// CloseWrite lets net/http close without a reset, so that the client can read the answer.
func (c *idleConn) CloseWrite() error {
	if conn, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return conn.CloseWrite()
	}
	return c.Conn.Close()
}

// NetConn returns the connection below; closing that in place of this one forgets a limit.
func (c *idleConn) NetConn() net.Conn { return c.Conn }
