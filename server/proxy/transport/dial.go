package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// A dialer opens connections to one backend.
type dialer struct {
	scheme, network, address string

	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	tls   *tls.Config // nil without
	proxy int
	limit time.Duration
}

func newDialer(o *Options) (*dialer, error) {
	d := &dialer{scheme: o.Scheme, network: "tcp", address: o.Address, dial: o.Dial, proxy: o.ProxyProtocol, limit: o.Connect}
	if o.Scheme == "unix" {
		d.network = "unix"
	}
	if d.dial == nil {
		d.dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	if !o.isTLS() {
		if o.TLS != nil {
			return nil, fmt.Errorf("the backend %s has settings for TLS, which the scheme %s does not use; use %s", o.Address, o.Scheme, tlsScheme(o.Scheme))
		}
		return d, nil
	}
	d.tls = tlsConfig(o)
	return d, nil
}

func tlsConfig(o *Options) *tls.Config {
	c := &tls.Config{}
	if o.TLS != nil {
		c = o.TLS.Clone()
	}
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.NextProtos = []string{"http/1.1"}
	if o.isH2() {
		c.NextProtos = []string{"h2"}
	}
	if c.ServerName == "" {
		host, _, _ := net.SplitHostPort(o.Address) // checked before
		c.ServerName = strings.TrimSuffix(host, ".")
	}
	if c.ClientSessionCache == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(32)
	}
	return c
}

// open returns a connection that is ready for requests.
func (d *dialer) open(ctx context.Context, c client) (net.Conn, error) {
	outer := ctx
	if d.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.limit)
		defer cancel()
	}
	nc, err := d.dial(ctx, d.network, d.address)
	if err != nil {
		return nil, d.dialError(outer, err)
	}
	ready, err := d.prepare(ctx, nc, c)
	if err != nil {
		_ = nc.Close()
		return nil, d.dialError(outer, err)
	}
	return ready, nil
}

// prepare does what comes before the first request.
func (d *dialer) prepare(ctx context.Context, nc net.Conn, c client) (net.Conn, error) {
	if d.proxy > 0 {
		if at, ok := ctx.Deadline(); ok {
			_ = nc.SetWriteDeadline(at) // fails on a closed connection, as the write will
		}
		if err := announce(nc, d.proxy, c); err != nil {
			return nil, err
		}
		_ = nc.SetWriteDeadline(time.Time{})
	}
	s := settlingOf(ctx)
	if s != nil {
		s.Conn, nc = nc, s
		defer s.begun.Store(true)
	}
	if d.tls == nil {
		return nc, nil
	}
	secure := tls.Client(nc, d.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	if got := secure.ConnectionState().NegotiatedProtocol; got != "h2" && d.tls.NextProtos[0] == "h2" {
		return nil, fmt.Errorf("it speaks no HTTP/2 over TLS (it chose %q); use https, or enable h2 there", got)
	}
	return secure, nil
}

func (d *dialer) plainScheme() string {
	return map[string]string{"https": "http", "wss": "ws", "h2": "h2c", "grpcs": "grpc"}[d.scheme]
}

func tlsScheme(plain string) string {
	return map[string]string{"http": "https", "ws": "wss", "h2c": "h2", "grpc": "grpcs", "unix": "https"}[plain]
}
