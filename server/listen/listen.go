// Package listen opens the sockets a server accepts connections on: TCP addresses and unix
// sockets, with limits on the number of connections and errors that say what to do.
//
// A listener made here works wherever a net.Listener does, also under TLS.
package listen

import (
	"context"
	"log/slog"
	"net"
	"os"
	"time"
)

// DefaultMaxConns is the limit on open connections when Options.MaxConns is 0. At about 10 KiB
// for an idle keep-alive connection it bounds them to some 100 MiB.
const DefaultMaxConns = 10_000

// Options of a listener. The zero value is a good default.
type Options struct {
	// MaxConns limits the open connections of this listener. At the limit Accept waits until
	// one closes; clients wait in the backlog of the kernel. 0 means [DefaultMaxConns], a
	// negative number no limit.
	MaxConns int
	// MaxConnsPerIP limits the open connections of one client address (of one /64 for IPv6);
	// one too many is closed at once. 0 means no limit, the default: behind a proxy or a NAT
	// one address is many clients. It does not apply to unix sockets.
	MaxConnsPerIP int
	// KeepAlive is the idle time before TCP asks whether the peer is still there, and the time
	// between its questions. 0 means 15 s, a negative duration never asks.
	KeepAlive time.Duration
	// SocketMode is the mode of a unix socket's file; 0 means 0660. Windows ignores it.
	SocketMode os.FileMode
	// Proxy expects the PROXY protocol; nil does not. MaxConnsPerIP then counts the clients that it names.
	Proxy *ProxyProtocol
	// Inherited are sockets that are open already, which are taken before one is opened. nil for none.
	Inherited *Sockets
	// Logger hears of connections refused and of failures that Accept waits out; nil means
	// [slog.Default].
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxConns == 0 {
		o.MaxConns = DefaultMaxConns
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = 15 * time.Second
	}
	if o.SocketMode == 0 {
		o.SocketMode = 0o660
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Open listens on addr, one of
//
//	":8080"                   all addresses of the machine, IPv4 and IPv6
//	"host:8080"               the addresses of a name; "127.0.0.1:0" picks a free port
//	"[::1]:8080"              an IPv6 address
//	"unix:/run/app.sock"      a unix socket; "unix:@name" an abstract one (Linux)
//	"systemd:web"             the next socket of that name which systemd has opened; "systemd:"
//	                          the next of any name
//
// The file of a unix socket is removed when the listener closes. One left behind by a program
// that died is replaced; one that something answers on is an error, and so is a file that is
// no socket.
//
// ctx bounds the look-up of the name, not the life of the listener. Accept logs and waits out
// the failures that pass (no file descriptors left, a connection gone before it was accepted);
// the error it returns is in practice net.ErrClosed.
func Open(ctx context.Context, addr string, o Options) (net.Listener, error) {
	o = o.withDefaults()
	a, err := parse(addr)
	if err != nil {
		return nil, err
	}
	if inner, err := o.Inherited.listener(addr); inner != nil || err != nil {
		return opened(inner, o, err)
	}
	inner, err := a.listen(ctx, o)
	if err != nil {
		return nil, &openError{addr: addr, hint: hint(a, err), err: err}
	}
	return newListener(inner, o), nil
}

// opened is the listener on a socket that another has opened.
func opened(inner net.Listener, o Options, err error) (net.Listener, error) {
	if err != nil {
		return nil, err
	}
	return newListener(inner, o), nil
}

func (a address) listen(ctx context.Context, o Options) (net.Listener, error) {
	switch a.network {
	case "unix":
		return listenUnix(ctx, a.host, o.SocketMode)
	case "systemd":
		return nil, errNotActivated
	}
	config := net.ListenConfig{KeepAlive: -1}
	if o.KeepAlive > 0 {
		config.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: o.KeepAlive, Interval: o.KeepAlive}
	}
	return config.Listen(ctx, a.network, net.JoinHostPort(a.host, a.port))
}
