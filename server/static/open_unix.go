//go:build !windows

package static

import "syscall"

// openFlags keep the open of a named pipe from waiting for its writer and that
// of a terminal from taking it over.
const openFlags = syscall.O_NONBLOCK | syscall.O_NOCTTY
