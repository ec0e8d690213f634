package relay

import (
	"net"

	"github.com/pires/go-proxyproto"
)

// announce writes the header of the PROXY protocol
// (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt) for a client. One on a unix socket
// is announced as unknown.
func announce(backend net.Conn, version int, client net.Conn) error {
	from, to := client.RemoteAddr(), client.LocalAddr()
	_, err := proxyproto.HeaderProxyFromAddrs(byte(version), from, to).WriteTo(backend)
	return err
}
