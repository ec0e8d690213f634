// Package upgrade replaces a running process by a new one without closing its sockets: the new one
// gets them open, says when it is ready, and only then the old one stops accepting. It works on Linux.
//
// The new one is what stands at the path by which the old one was started, which an installation may have
// replaced by another file.
//
//	old: upgrade.Start(ctx, sockets) … child.Ready … stop, child.Release()
//	new: parent, err := upgrade.Parent() … parent.Ready(version) … <-parent.Released
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
	readyFD    = 3 // it writes a byte, 1 when it is ready, or 0 with why it never is
	releasedFD = 4 // its end is when the old one has let go
	socketsFD  = 5
)

// Old is the process that this one is to replace, as [Parent] finds it.
type Old struct {
	Sockets  []listen.Socket
	Released <-chan struct{} // closed when it has let go of all that two can't have at a time, or is gone

	ready func(version string) error
	fail  func(why string)
}

// Ready tells the old process that this one serves, and of which version it is. It is called once.
func (o *Old) Ready(version string) error { return o.ready(version) }

// Fail tells the old process why this one will not serve, which is what [Start] returns there. It is called
// at most once, in place of Ready.
func (o *Old) Fail(why string) { o.fail(why) }

// maxSaid is how much a new process may say: a pipe holds that without a reader.
const maxSaid = 32 << 10
