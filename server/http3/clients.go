package http3

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
)

// clients counts the connections, all and by address.
type clients struct {
	max, perIP int // perIP 0 means no limit
	streams    int
	admit      func(net.Addr) bool // nil for all

	mu          sync.Mutex
	open        map[netip.Prefix]int // only with perIP
	all         int
	handshaking atomic.Int64
}

func newClients(admit func(net.Addr) bool, limit, perIP, streams int) *clients {
	return &clients{admit: admit, max: limit, perIP: perIP, streams: streams, open: map[netip.Prefix]int{}}
}

var (
	errTooMany     = errors.New("too many connections")
	errNotAdmitted = errors.New("clients of this address may not come by UDP")
)

// enter counts a connection in, and out when it ends.
func (c *clients) enter(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	if c.admit != nil && !c.admit(info.RemoteAddr) {
		return nil, errNotAdmitted
	}
	who := prefixOf(info.RemoteAddr)
	if !c.add(who) {
		return nil, errTooMany
	}
	c.handshaking.Add(1)
	one := &client{proven: info.AddrVerified, running: make(chan struct{}, c.streams)}
	one.done = sync.OnceFunc(func() { c.handshaking.Add(-1) })
	context.AfterFunc(ctx, func() {
		one.done()
		c.remove(who)
	})
	return context.WithValue(ctx, key{}, one), nil
}

func (c *clients) add(who netip.Prefix) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.max > 0 && c.all >= c.max || c.perIP > 0 && c.open[who] >= c.perIP {
		return false
	}
	c.all++
	if c.perIP > 0 {
		c.open[who]++
	}
	return true
}

func (c *clients) remove(who netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.perIP == 0 {
		return
	}
	if c.open[who]--; c.open[who] == 0 {
		delete(c.open, who)
	}
}

// suspicious has clients prove their address while many handshakes are under way, which may come from
// addresses that are not theirs.
func (c *clients) suspicious(net.Addr) bool { return c.handshaking.Load() >= unverified }

// prefixOf is what connections are counted by: an address, or the /64 of one of IPv6.
func prefixOf(addr net.Addr) netip.Prefix {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := udp.AddrPort().Addr().Unmap()
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	prefix, _ := ip.Prefix(bits)
	return prefix
}

// watched tells when a handshake has come so far that the address is the client's own.
type watched struct {
	*quic.EarlyListener
	clients *clients
}

func (w watched) Accept(ctx context.Context) (*quic.Conn, error) {
	conn, err := w.EarlyListener.Accept(ctx)
	if err == nil {
		one := clientOf(conn.Context())
		one.conn = conn
		go func() {
			select {
			case <-conn.HandshakeComplete():
			case <-conn.Context().Done():
			}
			one.done()
		}()
	}
	return conn, err
}

// client is one connection.
type client struct {
	conn    *quic.Conn // set when it is accepted
	proven  bool       // its address was, before the handshake
	done    func()     // with the handshake
	running chan struct{}
	waiting atomic.Int64
}

type key struct{}

func clientOf(ctx context.Context) *client { return ctx.Value(key{}).(*client) }

// tolerance is how many times the requests that may run at a time may wait.
const tolerance = 4

// begin waits until a request may run. It reports false for one that is given up meanwhile. Of a
// client that lets too many wait, which it can only by giving up what it has asked for, the
// connection is closed.
func (c *client) begin(ctx context.Context) bool {
	if c.waiting.Add(1) > int64(tolerance*cap(c.running)) {
		_ = c.conn.CloseWithError(excessiveLoad, "too many requests were given up")
	}
	defer c.waiting.Add(-1)
	select {
	case c.running <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *client) finish() { <-c.running }
