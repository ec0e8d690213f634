package listen

import (
	"net"
	"sync"
)

// wrap returns conn with release called once when it closes. The wrapped types keep all
// methods of theirs, ReadFrom among them, by which net/http reaches sendfile(2).
func wrap(conn net.Conn, release func()) net.Conn {
	release = sync.OnceFunc(release)
	switch conn := conn.(type) {
	case *net.TCPConn:
		return &tcpConn{conn, release}
	case *net.UnixConn:
		return &unixConn{conn, release}
	}
	return &otherConn{conn, release}
}

type tcpConn struct {
	*net.TCPConn
	release func()
}

func (c *tcpConn) Close() error {
	defer c.release()
	return c.TCPConn.Close()
}

// NetConn returns the bare connection, for what needs a *net.TCPConn, such as splice(2).
// It must not be closed in place of the connection itself.
func (c *tcpConn) NetConn() net.Conn { return c.TCPConn }

type unixConn struct {
	*net.UnixConn
	release func()
}

func (c *unixConn) Close() error {
	defer c.release()
	return c.UnixConn.Close()
}

// NetConn returns the bare connection; it must not be closed in place of the connection itself.
func (c *unixConn) NetConn() net.Conn { return c.UnixConn }

type otherConn struct {
	net.Conn
	release func()
}

func (c *otherConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
