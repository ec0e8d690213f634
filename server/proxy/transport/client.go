package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	proxyproto "github.com/pires/go-proxyproto"
)

// client are the addresses of the connection a request came on.
type client struct{ source, destination netip.AddrPort }

type clientKey struct{}

// WithClientAddr returns a context for a request that came from source to destination, as
// [Options.ProxyProtocol] tells the backend. Without it the backend is told that the proxy itself
// asks.
func WithClientAddr(ctx context.Context, source, destination netip.AddrPort) context.Context {
	return context.WithValue(ctx, clientKey{}, client{unmap(source), unmap(destination)})
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// client is what connections may not be shared across.
func (o *Options) client(ctx context.Context) client {
	if o.ProxyProtocol == 0 {
		return client{}
	}
	c, _ := ctx.Value(clientKey{}).(client)
	return c
}

// announce writes the header of the PROXY protocol.
func announce(nc net.Conn, version int, c client) error {
	h := proxyproto.Header{Version: byte(version), Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}
	if c.source.IsValid() && c.destination.IsValid() {
		h.Command = proxyproto.PROXY
		h.SourceAddr, h.DestinationAddr = net.TCPAddrFromAddrPort(c.source), net.TCPAddrFromAddrPort(c.destination)
		h.TransportProtocol = proxyproto.TCPv6
		if c.source.Addr().Is4() && c.destination.Addr().Is4() {
			h.TransportProtocol = proxyproto.TCPv4
		}
	}
	if _, err := h.WriteTo(nc); err != nil {
		return fmt.Errorf("sending the header of the PROXY protocol: %w", err)
	}
	return nil
}
