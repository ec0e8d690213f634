package listen

import (
	"context"
	"net"
)

// OpenPacket opens the UDP socket that belongs to a TCP listener of [Open]: of the same address and
// port. addr is what that was opened with.
func OpenPacket(ctx context.Context, addr string, beside net.Addr, o Options) (net.PacketConn, error) {
	return openPacket(ctx, addr, beside.String(), o)
}

// OpenUDP opens a UDP socket for "host:port" or ":port".
func OpenUDP(ctx context.Context, addr string, o Options) (*net.UDPConn, error) {
	conn, err := openPacket(ctx, addr, addr, o)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

func openPacket(ctx context.Context, addr, at string, o Options) (net.PacketConn, error) {
	if conn, err := o.Inherited.packetConn(addr); conn != nil || err != nil {
		return conn, err
	}
	var config net.ListenConfig
	conn, err := config.ListenPacket(ctx, "udp", at)
	if err != nil {
		return nil, &openError{addr: at + " (UDP)", err: err}
	}
	return conn, nil
}
