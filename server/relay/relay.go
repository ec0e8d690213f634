// Package relay carries TCP connections and UDP datagrams to backends, without looking into them.
//
// It opens no listening socket: who does hands each connection to [TCP.ServeConn], and each packet
// socket to [UDP.ServePackets], and then to [UDP.Leave].
package relay

import "net/netip"

// A Pool chooses where traffic goes. Safe for concurrent use.
type Pool interface {
	// Pick chooses a backend for a client (the zero Addr for one on a unix socket), none of those
	// that were tried. Where none is left the error says why.
	Pick(client netip.Addr, tried []Lease) (Lease, error)
}

// A Lease is one connection, or one session of UDP, that a Pool counts.
type Lease interface {
	// Address is where the backend is: "host:port", or "unix:/run/x.sock" for TCP.
	Address() string
	// ServerName is who the backend is over TLS: what its certificate must be for, and the SNI that it
	// is sent where that is a name. "" is the host of the address.
	ServerName() string
	// Done gives the lease back, once. failed says that the backend could not be reached; what
	// breaks later may be the fault of either side, and counts for nobody.
	Done(failed bool)
}
