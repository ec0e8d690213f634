package relay

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
)

// TCPOptions say how connections are carried. Where 0 means a default, a negative value means none.
type TCPOptions struct {
	// Pool has the backends. It may be nil when every connection has to have a name in Names.
	Pool Pool
	// Names choose another pool by the server name that the client asks for in its TLS hello:
	// "db.example.com", or "*.example.com" for one label. The connection is not decrypted, unless
	// TLS is set. One that is not TLS, says nothing, or asks for another name, goes to Pool; one that
	// begins like TLS and does not end its hello in time is closed.
	Names map[string]Pool
	// TLS ends the client's TLS here; nil passes through what comes.
	TLS *tls.Config
	// BackendTLS speaks TLS with the backends; nil does not. Its ServerName is that of all of them;
	// without one it is that of the lease. With Names it needs TLS: what is passed through is TLS already.
	BackendTLS *tls.Config
	// ProxyProtocol 1 or 2 tells backends the address of the client in that version of the PROXY
	// protocol, before anything else.
	ProxyProtocol int

	Connect   time.Duration // until a backend accepts; default 3 s
	Handshake time.Duration // for the client's TLS, or for its hello; default 10 s
	Idle      time.Duration // without a byte either way; default 1 h
	Tries     int           // backends that are tried; default 3

	Logger *slog.Logger // of connections that come to nothing; default [slog.Default]
}

// TCP carries connections. Made by [NewTCP].
type TCP struct {
	o       TCPOptions
	names   names
	dialer  net.Dialer
	stats   stats
	refused atomic.Int64 // see tell
}

// Stats count what a relay has carried.
type Stats struct {
	Open   int64 // connections, or sessions of UDP, at this moment
	Total  int64 // of them since the start
	Failed int64 // that found no backend
	In     int64 // bytes from clients
	Out    int64 // bytes to clients
}

type stats struct{ open, total, failed, in, out atomic.Int64 }

func (s *stats) read() Stats {
	return Stats{Open: s.open.Load(), Total: s.total.Load(), Failed: s.failed.Load(), In: s.in.Load(), Out: s.out.Load()}
}

// NewTCP checks options and makes a relay of them.
func NewTCP(o TCPOptions) (*TCP, error) {
	if o.Pool == nil && len(o.Names) == 0 {
		return nil, errors.New("tcp: there are no backends")
	}
	if len(o.Names) > 0 && o.TLS == nil && o.BackendTLS != nil {
		return nil, errors.New("tcp: what is passed through by its server name is TLS already, and gets no second one around it")
	}
	if o.ProxyProtocol < 0 || o.ProxyProtocol > 2 {
		return nil, fmt.Errorf("tcp: the PROXY protocol has versions 1 and 2, not %d", o.ProxyProtocol)
	}
	names, err := newNames(o.Names)
	if err != nil {
		return nil, err
	}
	o.Connect = cmp.Or(o.Connect, 3*time.Second)
	o.Handshake = cmp.Or(o.Handshake, 10*time.Second)
	o.Idle = cmp.Or(o.Idle, time.Hour)
	o.Tries = max(1, cmp.Or(o.Tries, 3))
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &TCP{o: o, names: names, dialer: net.Dialer{Timeout: max(o.Connect, 0)}}, nil
}

// Stats are those since the relay was made.
func (t *TCP) Stats() Stats { return t.stats.read() }

// ServeConn carries one connection and closes it. It returns when both ways have ended, or soon
// after ctx has.
func (t *TCP) ServeConn(ctx context.Context, client net.Conn) {
	t.stats.open.Add(1)
	t.stats.total.Add(1)
	defer t.stats.open.Add(-1)
	defer client.Close()
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()

	o, err := t.open(ctx, client)
	if err != nil {
		t.tell(client, "handshake", err)
		return
	}
	backend, lease, err := t.dial(ctx, o.pool, client)
	if err != nil {
		t.stats.failed.Add(1)
		t.tell(client, "connecting to a backend", err)
		return
	}
	defer lease.Done(false)
	defer backend.Close()
	defer context.AfterFunc(ctx, func() { _ = backend.Close() })()
	in, out := join(o.conn, backend, o.first, t.o.Idle)
	t.stats.in.Add(in)
	t.stats.out.Add(out)
}

// opened is a connection of which is known where it goes.
type opened struct {
	pool  Pool
	conn  net.Conn // as it is to be read: behind the TLS that ends here
	first []byte   // has been read of it
}

// open finds out which backends a connection is for, by its hello where that decides.
func (t *TCP) open(ctx context.Context, client net.Conn) (opened, error) {
	if t.o.TLS == nil && len(t.o.Names) == 0 {
		return opened{pool: t.o.Pool, conn: client}, nil
	}
	if t.o.Handshake > 0 {
		_ = client.SetDeadline(time.Now().Add(t.o.Handshake)) // fails on a closed connection, as reading will
		defer client.SetDeadline(time.Time{})
	}
	o := opened{conn: client}
	var name string
	if t.o.TLS != nil {
		secured := tls.Server(client, t.o.TLS)
		if err := secured.HandshakeContext(ctx); err != nil {
			return o, err
		}
		name, o.conn = secured.ConnectionState().ServerName, secured
	} else {
		var err error
		if name, o.first, err = peek(ctx, client); err != nil {
			return o, err
		}
	}
	if o.pool = t.names.find(name, t.o.Pool); o.pool == nil {
		return o, fmt.Errorf("there are no backends for the server name %q", name)
	}
	return o, nil
}

// dial connects to a backend, and to another where that fails.
func (t *TCP) dial(ctx context.Context, pool Pool, client net.Conn) (net.Conn, Lease, error) {
	var tried []Lease
	var faults []error
	for len(tried) < t.o.Tries {
		lease, err := pool.Pick(addrOf(client.RemoteAddr()).Addr(), tried)
		if err != nil {
			return nil, nil, errors.Join(append(faults, err)...)
		}
		backend, err := t.connect(ctx, lease, client)
		if err == nil {
			return backend, lease, nil
		}
		lease.Done(ctx.Err() == nil) // the client's leaving is no fault of the backend
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		tried, faults = append(tried, lease), append(faults, err)
	}
	return nil, nil, errors.Join(faults...)
}

func (t *TCP) connect(ctx context.Context, lease Lease, client net.Conn) (net.Conn, error) {
	address := lease.Address()
	network, at := "tcp", address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, at = "unix", path
	}
	conn, err := t.dialer.DialContext(ctx, network, at)
	if err != nil {
		return nil, err
	}
	ready, err := t.greet(ctx, conn, cmp.Or(lease.ServerName(), hostOf(at)), client)
	if err != nil {
		_ = conn.Close() // the first error counts
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return ready, nil
}

// hostOf is an address without its port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// greet says and asks what comes before the bytes of the client. name is who the backend is.
func (t *TCP) greet(ctx context.Context, conn net.Conn, name string, client net.Conn) (net.Conn, error) {
	if t.o.Connect > 0 && (t.o.ProxyProtocol != 0 || t.o.BackendTLS != nil) {
		_ = conn.SetDeadline(time.Now().Add(t.o.Connect))
		defer conn.SetDeadline(time.Time{})
	}
	if t.o.ProxyProtocol != 0 {
		if err := announce(conn, t.o.ProxyProtocol, client); err != nil {
			return nil, err
		}
	}
	if t.o.BackendTLS == nil {
		return conn, nil
	}
	config := t.o.BackendTLS
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = name
	}
	secured := tls.Client(conn, config)
	return secured, secured.HandshakeContext(ctx)
}

// tell logs a connection that came to nothing, at most ten in a row and each hundredth then: clients
// must not fill the log.
func (t *TCP) tell(client net.Conn, doing string, err error) {
	level := slog.LevelWarn
	if doing == "handshake" {
		level = slog.LevelDebug // the client's fault, and there are many
	}
	if n := t.refused.Add(1); n > 10 && n%100 != 0 {
		return
	}
	t.o.Logger.Log(context.Background(), level, "tcp relay: "+doing, "client", client.RemoteAddr().String(), "err", err)
}

// addrOf is the address and port that a socket gives; the zero value for unix sockets.
func addrOf(a net.Addr) netip.AddrPort {
	var at netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		at = a.AddrPort()
	case *net.UDPAddr:
		at = a.AddrPort()
	}
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}
