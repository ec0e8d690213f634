//go:build unix

package http1

import (
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// An idler reads from a connection without holding a buffer while there is nothing to read:
// 10,000 connections that wait for their next request would hold 40 MB.
type idler struct {
	conn *conn
	raw  syscall.RawConn
	try  func(fd uintptr) bool // the method, made once
	n    int
	err  error
}

// newIdler returns nil where the connection is not a socket of the system's, or TLS is in between.
func newIdler(c *conn) *idler {
	if c.tls != nil {
		return nil
	}
	raw := rawConn(c.nc)
	if raw == nil {
		return nil
	}
	i := &idler{conn: c, raw: raw}
	i.try = i.read
	return i
}

// fill waits for bytes and puts them into the empty buffer of the connection.
func (i *idler) fill() error {
	if err := i.raw.Read(i.try); err != nil {
		return err
	}
	if i.n == 0 && i.err == nil {
		return io.EOF
	}
	return i.err
}

// read reports false when there is nothing to read yet.
func (i *idler) read(fd uintptr) bool {
	in := &i.conn.in
	space := in.Space()
	for {
		i.n, i.err = unix.Read(int(fd), space)
		if i.err != unix.EINTR {
			break
		}
	}
	if i.err == unix.EAGAIN {
		in.Release()
		return false
	}
	in.Add(max(i.n, 0))
	return true
}

// rawConn finds the socket below what is wrapped around a connection; nil if there is none.
func rawConn(nc net.Conn) syscall.RawConn {
	for {
		if s, ok := nc.(syscall.Conn); ok {
			raw, err := s.SyscallConn()
			if err != nil {
				return nil
			}
			return raw
		}
		below, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		nc = below.NetConn()
	}
}
