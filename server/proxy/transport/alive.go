package transport

import (
	"crypto/tls"
	"net"
	"time"
)

// alive reports whether the backend has neither closed an idle connection nor sent something unasked,
// which would be taken for the answer to the next request.
func (c *conn) alive() bool {
	if c.probe != nil {
		return c.probe.quiet()
	}
	if time.Since(c.since) < time.Second {
		return true
	}
	c.readBy = time.Time{} // silent leaves none
	return silent(below(c.nc))
}

// silent finds out by reading. It takes a millisecond, so it is only done after a while.
func silent(nc net.Conn) bool {
	defer func() { _ = nc.SetReadDeadline(time.Time{}) }()
	if nc.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
		return false
	}
	var b [1]byte
	n, err := nc.Read(b[:])
	return n == 0 && isTimeout(err)
}

// below is the connection that TLS runs over.
func below(nc net.Conn) net.Conn {
	if secure, ok := nc.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return nc
}
