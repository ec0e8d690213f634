package listen

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// listener accepts within the limits.
type listener struct {
	net.Listener
	slots  chan struct{}  // one element per open connection; nil for no limit
	perIP  *counter       // nil for no limit
	proxy  *ProxyProtocol // nil without
	refuse *Refusals      // because of it
	log    *slog.Logger
	closed chan struct{}
	close  func() error
}

func newListener(inner net.Listener, o Options) *listener {
	l := &listener{Listener: inner, proxy: o.Proxy, log: o.Logger, closed: make(chan struct{})}
	if l.refuse = new(Refusals); o.Proxy != nil && o.Proxy.Refused != nil {
		l.refuse = o.Proxy.Refused
	}
	if o.MaxConns > 0 {
		l.slots = make(chan struct{}, o.MaxConns)
	}
	if o.MaxConnsPerIP > 0 && (inner.Addr().Network() != "unix" || o.Proxy != nil) {
		l.perIP = &counter{limit: o.MaxConnsPerIP, open: map[netip.Prefix]int{}}
	}
	l.close = sync.OnceValue(func() error {
		close(l.closed)
		return inner.Close()
	})
	return l
}

// Close stops listening; a waiting Accept returns net.ErrClosed. Connections stay open.
// Closing again returns the same result.
func (l *listener) Close() error { return l.close() }

// Accept waits for a connection and for room to have it.
func (l *listener) Accept() (net.Conn, error) {
	if err := l.acquire(); err != nil {
		return nil, err
	}
	for {
		conn, err := l.acceptPatiently()
		if err != nil {
			l.release()
			return nil, err
		}
		if ready := l.admit(conn); ready != nil {
			return ready, nil
		}
		refuse(conn)
	}
}

// admit is the connection as it is used; nil for a client that may not have one.
func (l *listener) admit(conn net.Conn) net.Conn {
	if l.proxy != nil && l.proxy.Trusts(conn.RemoteAddr()) {
		return l.proxy.expect(wrap(conn, l.release), l.noHeader, l.admitClient)
	}
	if l.proxy != nil && !l.proxy.Plain {
		l.refuse.refuse(&l.refuse.untrusted, l.log, conn.RemoteAddr(), "the PROXY protocol is expected, and the peer is not trusted")
		return nil
	}
	leave, err := l.admitClient(conn.RemoteAddr())
	if err != nil {
		return nil
	}
	return wrap(conn, func() {
		leave()
		l.release()
	})
}

func (l *listener) noHeader(peer net.Addr, why error) {
	l.refuse.refuse(&l.refuse.header, l.log, peer, "the header of the PROXY protocol could not be read: "+why.Error())
}

var errTooMany = errors.New("the client has as many connections as it may")

// admitClient counts a client in, unless it has as many connections as it may.
func (l *listener) admitClient(addr net.Addr) (leave func(), err error) {
	client := clientOf(addr)
	if !l.perIP.add(client, l.log) {
		return nil, errTooMany
	}
	return func() { l.perIP.remove(client) }, nil
}

func (l *listener) acquire() error {
	if l.slots == nil {
		return nil
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-l.closed:
		return &net.OpError{Op: "accept", Net: l.Addr().Network(), Addr: l.Addr(), Err: net.ErrClosed}
	}
}

func (l *listener) release() {
	if l.slots != nil {
		<-l.slots
	}
}

// acceptPatiently waits out failures that pass: 5 ms, doubled up to 1 s.
func (l *listener) acceptPatiently() (net.Conn, error) {
	for delay := 5 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		conn, err := l.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) || !isTemporary(err) {
			return conn, err
		}
		l.log.Warn("accepting a connection; trying again", "addr", l.Addr().String(), "err", err, "in", delay)
		select {
		case <-time.After(delay):
		case <-l.closed:
		}
	}
}

// refuse drops a connection with a reset, which leaves nothing behind in TIME_WAIT.
func refuse(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// clientOf returns what MaxConnsPerIP counts by: the address, or the /64 of an IPv6 address,
// since every customer of a provider has at least that many.
func clientOf(addr net.Addr) netip.Prefix {
	peer, ok := addr.(interface{ AddrPort() netip.AddrPort }) // of TCP or UDP
	if !ok {
		return netip.Prefix{}
	}
	ip := peer.AddrPort().Addr().Unmap()
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	prefix, _ := ip.Prefix(bits)
	return prefix
}

// counter counts the open connections of each client. A nil counter admits everybody.
type counter struct {
	limit int

	mu     sync.Mutex
	open   map[netip.Prefix]int
	warned time.Time
}

// add counts a connection, unless the client has as many as it may.
func (c *counter) add(client netip.Prefix, log *slog.Logger) bool {
	if c == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[client] < c.limit {
		c.open[client]++
		return true
	}
	if time.Since(c.warned) > time.Minute { // a flood must not fill the log
		c.warned = time.Now()
		log.Warn("refusing connections: too many from one client", "client", client.String(), "limit", c.limit)
	}
	return false
}

func (c *counter) remove(client netip.Prefix) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[client]--; c.open[client] == 0 {
		delete(c.open, client)
	}
}
