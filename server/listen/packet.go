package listen

import (
	"context"
	"net"
)

// OpenPacket opens the UDP socket that belongs to a TCP listener of [Open]: of the same address and
// port. addr is what that was opened with.
func OpenPacket(ctx context.Context, addr string, beside net.Addr, o Options) (net.PacketConn, error) {
	if conn, err := o.Inherited.packetConn(addr); conn != nil || err != nil {
		return conn, err
	}
	var config net.ListenConfig
	conn, err := config.ListenPacket(ctx, "udp", beside.String())
	if err != nil {
		return nil, &openError{addr: beside.String() + " (UDP)", err: err}
	}
	return conn, nil
}
