package relay

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// piece is how much moves before the idle time begins again.
	piece = 1 << 20
	// maxLook is how often, at least, a direction says what it has moved, and looks whether both are idle.
	maxLook = 15 * time.Second
)

// A side is one end of a joined pair.
type side struct {
	net.Conn
	raw net.Conn // what bytes can move to and from inside the kernel, as splice(2) does
}

// join moves bytes both ways until both have ended, or neither has moved any for the idle time
// (0 and less is for ever), and returns how many. first was read of the client before. A side that
// has sent its last is closed for writing on the other, which may go on.
func join(client, backend net.Conn, first []byte, idle time.Duration) (in, out int64) {
	j := &joint{idle: idle, look: min(idle/4, maxLook), epoch: time.Now()}
	a, b := side{client, bare(client)}, side{backend, bare(backend)}
	var both sync.WaitGroup
	both.Go(func() {
		if _, err := b.Write(first); err != nil { // a socket's buffer takes it at once
			reset(client, backend)
			return
		}
		in = int64(len(first)) + j.move(b, a)
	})
	both.Go(func() { out = j.move(a, b) })
	both.Wait()
	return in, out
}

// joint is what both directions know of each other.
type joint struct {
	idle  time.Duration
	look  time.Duration
	moved atomic.Int64 // when bytes moved last, in nanoseconds since epoch
	epoch time.Time
}

func (j *joint) touch() { j.moved.Store(int64(time.Since(j.epoch))) }

func (j *joint) expired() bool {
	return j.idle > 0 && time.Since(j.epoch)-time.Duration(j.moved.Load()) >= j.idle+j.look
}

// move copies from src to dst until src ends.
func (j *joint) move(dst, src side) (total int64) {
	for {
		start := j.arm(dst, src)
		n, err := copyPiece(dst.raw, src.raw)
		total += n
		if n > 0 {
			j.touch()
		}
		switch {
		case err == nil && n == piece:
		case err == nil: // the end of src
			if closeWrite(dst.Conn) != nil {
				_ = dst.Close()
			}
			return total
		case errors.Is(err, os.ErrDeadlineExceeded) && time.Since(start) < j.idle+j.look && !j.expired(): // reading, not writing
		default: // broken, or idle: the other direction has nothing to wait for either
			reset(dst.Conn, src.Conn)
			return total
		}
	}
}

// arm sets the times for reading and writing. Reading ends early, so that each direction tells what it
// has moved; nothing is lost by that, as it would be by a write that ends.
func (j *joint) arm(dst, src side) (now time.Time) {
	now = time.Now()
	if j.idle > 0 {
		_ = src.raw.SetReadDeadline(now.Add(j.look)) // they fail on closed connections, as copying will
		_ = dst.raw.SetWriteDeadline(now.Add(j.idle + j.look))
	}
	return now
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// copyPiece copies at most a piece; less, without an error, is the end of src.
func copyPiece(dst, src net.Conn) (int64, error) {
	limited := &io.LimitedReader{R: src, N: piece}
	if to, ok := dst.(*net.TCPConn); ok && kernel(src) {
		return to.ReadFrom(limited)
	}
	buffer := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buffer)
	return io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{limited}, buffer[:])
}

// kernel reports whether the kernel can move bytes from conn.
func kernel(conn net.Conn) bool {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// bare is the socket below wrappers that only count and watch, or conn itself.
func bare(conn net.Conn) net.Conn {
	for {
		inner, ok := conn.(interface{ NetConn() net.Conn })
		if _, secured := conn.(*tls.Conn); secured || !ok {
			return conn
		}
		conn = inner.NetConn()
	}
}

func closeWrite(conn net.Conn) error {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// reset closes both, without a goodbye, so that who reads learns that it was not the end.
func reset(conns ...net.Conn) {
	for _, conn := range conns {
		if tcp, ok := bare(conn).(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}
