//go:build unix

package relay

import (
	"errors"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// datagrams are pooled: a session that waits has none, or ten thousand of them would take 640 MB.
var datagrams = sync.Pool{New: func() any { return new([maxDatagram]byte) }}

// receive waits for one datagram of a connected socket and calls use with it.
func receive(conn *net.UDPConn, use func([]byte)) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var fault error
	err = raw.Read(func(fd uintptr) (done bool) {
		buffer := datagrams.Get().(*[maxDatagram]byte)
		defer datagrams.Put(buffer)
		n, err := unix.Read(int(fd), buffer[:])
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			return false
		}
		if fault = err; err == nil {
			use(buffer[:n])
		}
		return true
	})
	return errors.Join(err, fault)
}
