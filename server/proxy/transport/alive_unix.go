//go:build unix

package transport

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// A probe asks the system whether there is something to read from a connection, without reading: a
// poll(2) that does not wait. It sees the same as a recv(2) with MSG_PEEK and needs no memory.
type probe struct {
	raw syscall.RawConn
	ask func(fd uintptr) // the method, made once
	fds [1]unix.PollFd
	n   int
	err error
}

// newProbe returns nil where the connection is not a socket of the system's.
func newProbe(nc net.Conn) *probe {
	s, ok := below(nc).(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	p := &probe{raw: raw}
	p.ask = p.poll
	return p
}

// quiet reports whether there is nothing to read, and neither an end nor an error.
func (p *probe) quiet() bool {
	return p.raw.Control(p.ask) == nil && p.err == nil && p.n == 0
}

func (p *probe) poll(fd uintptr) {
	for {
		p.fds[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		if p.n, p.err = unix.Poll(p.fds[:], 0); p.err != unix.EINTR {
			return
		}
	}
}
