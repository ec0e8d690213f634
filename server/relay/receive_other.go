//go:build !unix

package relay

import "net"

// receive waits for one datagram of a connected socket and calls use with it.
func receive(conn *net.UDPConn, use func([]byte)) error {
	buffer := make([]byte, maxDatagram)
	n, err := conn.Read(buffer)
	if err == nil {
		use(buffer[:n])
	}
	return err
}
