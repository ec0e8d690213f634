//go:build !linux

package http1

import "net"

// A hangupWatch there is only on Linux; elsewhere a goroutine reads, and so can't look past a body or
// a next request that nobody has read.
type hangupWatch struct{}

type ticket uint64

func (*hangupWatch) add(net.Conn, *life) ticket { return 0 }
func (*hangupWatch) remove(net.Conn, ticket)    {}
func (*hangupWatch) close()                     {}

func (*hangupWatch) leftAll() {}
