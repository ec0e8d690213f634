// Package upgrade replaces a running process by a new one without closing its sockets: the new one
// gets them open, says when it is ready, and only then the old one stops accepting. It works on Linux.
//
//	old: upgrade.Start(ctx, sockets) … child.Ready … stop, child.Release()
//	new: parent, err := upgrade.Parent() … parent.Ready() … <-parent.Released
package upgrade

import (
	"errors"

	"rws/server/listen"
)

// ErrUnsupported says that this system can't do it.
var ErrUnsupported = errors.New("replacing the running program needs Linux; stop it and start the new one")

// variable of the environment tells a new process what it got: the names of its sockets.
const variable = "_RWS_UPGRADE"

// The descriptors of a new process: after the standard ones the two pipes, then the sockets.
const (
	readyFD    = 3 // it writes a byte when it is ready
	releasedFD = 4 // its end is when the old one has let go
	socketsFD  = 5
)

// Old is the process that this one is to replace, as [Parent] finds it.
type Old struct {
	Sockets  []listen.Socket
	Released <-chan struct{} // closed when it has let go of all that two can't have at a time, or is gone

	ready func() error
}

// Ready tells the old process that this one serves. It is called once.
func (o *Old) Ready() error { return o.ready() }
