package listen

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
)

// ProxyProtocol says that connections begin with a header of the PROXY protocol, version 1 or 2
// (haproxy.org, "The PROXY protocol"), which tells who the client is. TLS comes after it.
type ProxyProtocol struct {
	// Trusted are the networks of the proxies. Who connects from there must send a header. On a unix
	// socket everybody is trusted whom the mode of its file lets in.
	Trusted []netip.Prefix
	// Plain serves everybody else as clients without a header, which they can't send. Default is to
	// refuse them.
	Plain bool
	// Timeout is how long a header may take; default 5 s.
	Timeout time.Duration
	// Refused counts who is refused; nil counts for the log alone.
	Refused *Refusals
}

// Errors of a connection whose header is not there or makes no sense. It is closed then.
var errHeader = errors.New("reading the header of the PROXY protocol")

const (
	headerTime  = 5 * time.Second
	maxHeaderV1 = 107     // bytes; the longest line the protocol knows
	maxHeaderV2 = 4 << 10 // of addresses and what else comes with them
)

// Trusts reports whether a peer is one of Trusted, or on a unix socket.
func (p *ProxyProtocol) Trusts(peer net.Addr) bool {
	from, ok := peer.(interface{ AddrPort() netip.AddrPort }) // of TCP or UDP
	if !ok {
		return true
	}
	ip := from.AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(p.Trusted, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// expect is a connection whose header is read when it is first used. admit may refuse the client,
// and returns what to call when it is gone.
// refused hears why a header was not taken.
func (p *ProxyProtocol) expect(conn net.Conn, refused func(peer net.Addr, why error), admit func(client net.Addr) (leave func(), err error)) net.Conn {
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = headerTime
	}
	return &proxiedConn{Conn: conn, timeout: timeout, refused: refused, admit: admit, leave: func() {}, remote: conn.RemoteAddr(), local: conn.LocalAddr()}
}

// proxiedConn is a connection through a proxy. Nothing of it is buffered, so that the socket below
// can be read once the header is; when there is none, that is closed.
type proxiedConn struct {
	net.Conn
	timeout time.Duration
	refused func(net.Addr, error)
	admit   func(net.Addr) (func(), error)

	once          sync.Once
	remote, local net.Addr
	fault         error

	mu    sync.Mutex
	until time.Time // the read deadline that others have set
	ended bool
	leave func()
}

// begin reads the header, once.
func (c *proxiedConn) begin() error {
	c.once.Do(func() {
		if c.fault = c.readHeader(); c.fault != nil {
			if !errors.Is(c.fault, errTooMany) && !errors.Is(c.fault, net.ErrClosed) && c.fault != io.EOF { // a balancer that only looks
				c.refused(c.Conn.RemoteAddr(), c.fault)
			}
			c.fault = fmt.Errorf("%w from %s: %w", errHeader, c.Conn.RemoteAddr(), c.fault)
			_ = c.Close()
		}
	})
	return c.fault
}

func (c *proxiedConn) readHeader() error {
	c.limit(time.Now().Add(c.timeout))
	header, err := readProxyHeader(c.Conn)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.Conn.SetReadDeadline(c.until); err != nil {
		return err
	}
	from, to, ok := header.TCPAddrs()
	if !ok || header.Command.IsLocal() { // the proxy itself, or a client that it does not know
		return nil
	}
	if c.ended {
		return net.ErrClosed
	}
	if c.leave, err = c.admit(from); err != nil {
		c.leave = func() {}
		return err
	}
	c.remote, c.local = from, to
	return nil
}

// limit sets the deadline of the header, unless there is a sooner one.
func (c *proxiedConn) limit(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.IsZero() || at.Before(c.until) {
		_ = c.Conn.SetReadDeadline(at) // fails on a closed connection, as the read will
	}
}

// readProxyHeader reads a header and nothing of what follows.
func readProxyHeader(src io.Reader) (*proxyproto.Header, error) {
	raw := make([]byte, 16, 16+maxHeaderV1)
	// No header is shorter than "PROXY UNKNOWN\r\n".
	if _, err := io.ReadFull(src, raw[:15]); err != nil {
		return nil, err
	}
	var err error
	switch {
	case bytes.HasPrefix(raw, []byte("PROXY ")):
		raw, err = readLine(src, raw[:15])
	case bytes.HasPrefix(raw, proxyproto.SIGV2):
		raw, err = readBlock(src, raw)
	default:
		return nil, errors.New("there is none; does the proxy send it?")
	}
	if err != nil {
		return nil, err
	}
	rest := bufio.NewReaderSize(bytes.NewReader(raw), max(len(raw), 16))
	header, err := proxyproto.Read(rest)
	if err == nil && rest.Buffered() > 0 {
		err = errors.New("it is longer than it says")
	}
	return header, err
}

// readLine reads the rest of a header of version 1, byte by byte, for what follows is not ours.
func readLine(src io.Reader, raw []byte) ([]byte, error) {
	for !bytes.HasSuffix(raw, []byte("\r\n")) {
		if len(raw) == maxHeaderV1 {
			return nil, fmt.Errorf("its line has more than %d bytes", maxHeaderV1)
		}
		raw = append(raw, 0)
		if _, err := io.ReadFull(src, raw[len(raw)-1:]); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

// readBlock reads the rest of a header of version 2, of which the last byte of raw is still missing.
func readBlock(src io.Reader, raw []byte) ([]byte, error) {
	if _, err := io.ReadFull(src, raw[15:]); err != nil {
		return nil, err
	}
	size := int(raw[14])<<8 | int(raw[15])
	if size > maxHeaderV2 {
		return nil, fmt.Errorf("it has %d bytes, of at most %d", size, maxHeaderV2)
	}
	raw = append(raw, make([]byte, size)...)
	_, err := io.ReadFull(src, raw[16:])
	return raw, err
}

func (c *proxiedConn) Read(p []byte) (int, error) {
	if err := c.begin(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// ReadFrom keeps sendfile(2) and splice(2).
func (c *proxiedConn) ReadFrom(src io.Reader) (int64, error) {
	if to, ok := c.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, src)
}

// RemoteAddr is the client that the header names; it waits for that.
func (c *proxiedConn) RemoteAddr() net.Addr {
	_ = c.begin() // Read tells
	return c.remote
}

// LocalAddr is where that client has connected to.
func (c *proxiedConn) LocalAddr() net.Addr {
	_ = c.begin()
	return c.local
}

func (c *proxiedConn) SetReadDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = at
	return c.Conn.SetReadDeadline(at)
}

func (c *proxiedConn) SetDeadline(at time.Time) error {
	return errors.Join(c.SetReadDeadline(at), c.SetWriteDeadline(at))
}

func (c *proxiedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

func (c *proxiedConn) Close() error {
	err := c.Conn.Close() // which ends the reading of a header
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.ended = true
		c.leave()
	}
	return err
}

// NetConn returns the connection below, past the header; it must not be closed in place of this one.
func (c *proxiedConn) NetConn() net.Conn {
	_ = c.begin()
	return c.Conn
}
