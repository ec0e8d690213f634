package http1

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"rws/server/certs"
	"rws/server/http1/wire"
)

// What a connection is doing. Whoever closes it while it waits, and the connection when a request
// begins, both change waiting to something else, so that only one of them succeeds.
const (
	fresh   int32 = iota // it has not sent a request yet
	waiting              // for the next one
	serving              // one, from its first byte
	closed
)

// A conn is one connection of a client.
type conn struct {
	server  *Server
	handler http.Handler
	nc      net.Conn
	tls     *tls.Conn            // nil without
	state   *tls.ConnectionState // after the handshake
	remote  string
	phase   atomic.Int32
	since   time.Time   // when the deadline of an idle connection was set
	idle    atomic.Bool // that deadline is the one in force

	idler *idler // nil where there is no way to read without a buffer
	in    wire.Reader

	peek       [1]byte // what a watch reads
	peeked     bool
	unwatching atomic.Bool // the watch is being ended by us
}

// errHandedOver ends the service of a connection that others serve now.
var errHandedOver = errors.New("the connection is in other hands")

// serve is the goroutine of the connection.
func (c *conn) serve() {
	c.in.Source = c.nc
	err := c.handshake()
	c.idler = newIdler(c)
	for err == nil {
		err = c.next()
	}
	defer c.server.remove(c)
	c.in.Release()
	if errors.Is(err, errHandedOver) {
		return
	}
	if fault, ok := errors.AsType[*RequestError](err); ok {
		if c.server.Refused != nil {
			c.server.Refused(c.remote, fault)
		}
		if _, err := c.nc.Write(fault.answer()); err == nil {
			c.linger()
		}
	}
	_ = c.nc.Close()
}

// handshake begins TLS, and hands over to HTTP/2 if that was agreed on.
func (c *conn) handshake() error {
	c.remote = c.nc.RemoteAddr().String()
	if c.tls == nil {
		return nil
	}
	c.deadline(c.server.ReadHeader)
	if err := c.tls.Handshake(); err != nil {
		c.server.log().Debug("TLS handshake", "client", c.remote, "err", err)
		return c.notTLS(err)
	}
	state := c.tls.ConnectionState()
	c.state = &state
	if state.NegotiatedProtocol == certs.ChallengeProtocol { // an authority has seen the certificate it came for
		return io.EOF
	}
	if state.NegotiatedProtocol == "h2" && c.server.HTTP2 != nil {
		return c.handOver(c.server.HTTP2, c.nc)
	}
	return nil
}

// notTLS helps a client that speaks plain HTTP to a port with TLS.
func (c *conn) notTLS(err error) error {
	e, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || e.Conn == nil || !wire.IsToken(string(e.RecordHeader[:1])) {
		return err
	}
	c.nc = e.Conn
	return bad("this is HTTP, and the port speaks HTTPS")
}

// handOver gives the connection away, without a deadline.
func (c *conn) handOver(take func(net.Conn, http.Handler), nc net.Conn) error {
	if err := c.nc.SetDeadline(time.Time{}); err != nil {
		return err
	}
	take(nc, c.handler)
	return errHandedOver
}

// next serves one request. An error ends the connection.
func (c *conn) next() error {
	first := c.phase.Load() == fresh
	raw, err := c.readHead()
	if err != nil {
		return err
	}
	if first && c.server.H2C != nil && bytes.Equal(raw, preface) {
		return c.handOver(c.server.H2C, &replay{Conn: c.nc, rest: bytes.Clone(c.in.Buffered())})
	}
	t, fault := c.begin(raw)
	if fault != nil {
		return fault
	}
	c.in.Skip(len(raw))
	c.in.Settle()
	if !t.run() {
		if t.aborted && t.sent && t.kind == framedByClose {
			c.reset()
			return io.EOF
		}
		if t.lingers() {
			c.linger()
		}
		if t.hijacked {
			return errHandedOver
		}
		return io.EOF
	}
	c.phase.Store(waiting)
	if c.server.hasty.Load() {
		return io.EOF
	}
	return nil
}

var preface = []byte("PRI * HTTP/2.0\r\n\r\n") // SM\r\n\r\n follows

// readHead waits for a request and reads its head, which stays in the buffer.
func (c *conn) readHead() ([]byte, error) {
	if err := c.await(); err != nil {
		return nil, err
	}
	if err := c.skipLine(); err != nil {
		return nil, err
	}
	limit, timed := c.server.maxHeader(), false
	for from := 0; ; {
		length, next, err := wire.ScanHead(c.in.Buffered(), from)
		switch {
		case err != nil:
			return nil, refusal(err)
		case length > limit || length == 0 && c.in.Len() > limit:
			return nil, &RequestError{http.StatusRequestHeaderFieldsTooLarge, "the request line and the header fields are too large"}
		case length > 0:
			return c.in.Buffered()[:length], nil
		}
		if !timed { // most heads come in one piece and need no deadline of their own
			c.deadline(c.server.ReadHeader)
			timed = true
		}
		from = next
		if err := c.in.Fill(limit); err != nil {
			return nil, c.brokenHead(err)
		}
	}
}

// brokenHead is what a client gets that has sent only part of a head.
func (c *conn) brokenHead(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &RequestError{http.StatusRequestTimeout, "the request did not arrive in time"}
	}
	return err
}

// await waits for the first byte of a request.
func (c *conn) await() error {
	if c.in.Len() == 0 {
		c.idleDeadline()
		if err := c.fillIdle(); err != nil {
			return err
		}
	}
	if c.phase.CompareAndSwap(waiting, serving) || c.phase.CompareAndSwap(fresh, serving) {
		return nil
	}
	return net.ErrClosed
}

// skipLine skips one empty line before a request: some clients send it after a body (RFC 9112
// §2.2).
func (c *conn) skipLine() error {
	for c.in.Len() < 2 && c.in.Buffered()[0] == '\r' {
		c.deadline(c.server.ReadHeader)
		if err := c.in.Fill(wire.BufferSize); err != nil {
			return err
		}
	}
	if bytes.HasPrefix(c.in.Buffered(), []byte("\r\n")) {
		c.in.Skip(2)
	}
	return nil
}

// fillIdle reads into the buffer, which is empty, after a wait that may be long.
func (c *conn) fillIdle() error {
	if c.idler == nil {
		return c.in.Fill(wire.BufferSize)
	}
	c.in.Release()
	return c.idler.fill()
}

// unread puts what a watch has read into the buffer, which is empty.
func (c *conn) unread() {
	if !c.peeked {
		return
	}
	c.peeked = false
	c.in.Space()[0] = c.peek[0]
	c.in.Add(1)
}

// deadline bounds the reads from now on.
func (c *conn) deadline(d time.Duration) {
	c.idle.Store(false)
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	_ = c.nc.SetReadDeadline(at) // fails on a closed connection, as the read will
}

// idleDeadline bounds the wait for a request. Setting a deadline costs 0.15 µs, so one that is off
// by less than a quarter stays.
func (c *conn) idleDeadline() {
	if c.phase.Load() == fresh {
		c.deadline(c.server.ReadHeader)
		if c.server.hasty.Load() {
			c.hurry()
		}
		return
	}
	now := time.Now()
	if c.idle.Load() && now.Sub(c.since) < c.server.KeepAlive/4 {
		return
	}
	c.deadline(c.server.KeepAlive)
	c.since = now
	c.idle.Store(true)
}

// closeIdle closes a connection that waits for its next request. One that has just been opened
// may have sent its first already, and gets a moment.
func (c *conn) closeIdle() {
	if c.phase.CompareAndSwap(waiting, closed) {
		_ = c.nc.Close()
	} else if c.phase.Load() == fresh {
		c.hurry()
	}
}

// hurry gives the client a moment to send what it has to send.
func (c *conn) hurry() { _ = c.nc.SetReadDeadline(time.Now().Add(moment)) }

// linger lets the client read the answer before the connection goes: closing while there is
// something unread resets it, and a reset throws away what the client has not read.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	scratch := copies.Get().(*[]byte)
	defer copies.Put(scratch)
	for start := time.Now(); time.Since(start) < lingering; {
		c.deadline(moment)
		if _, err := c.nc.Read(*scratch); err != nil {
			return
		}
	}
}

// reset closes the connection without a goodbye: where its end is that of the answer, only so the client
// learns that this was not all. TLS says goodbye when it is closed, so the connection below goes first.
func (c *conn) reset() {
	nc := c.nc
	if c.tls != nil {
		nc = c.tls.NetConn()
	}
	for below := nc; ; {
		if tcp, ok := below.(interface{ SetLinger(int) error }); ok {
			_ = tcp.SetLinger(0) // fails on a closed connection
			break
		}
		wrapper, ok := below.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		below = wrapper.NetConn()
	}
	_ = nc.Close()
}

// How long a connection that is to be closed waits for what the client is sending: for each read,
// and in all.
const (
	moment    = 500 * time.Millisecond
	lingering = 5 * time.Second
)

// A replay is a connection of which the beginning is read again.
type replay struct {
	net.Conn
	rest []byte
}

func (r *replay) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
