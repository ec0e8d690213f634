package repl

import "net"

// listenPrivate listens on a socket; who may open it follows from its folder, as Windows
// has no mode for sockets.
func listenPrivate(path string) (net.Listener, error) { return net.Listen("unix", path) }
