//go:build !windows

package listen

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// duplicate is a copy of a socket. That of package net would block when it is given to a new process, and
// with it the socket itself, which it shares that with.
func duplicate(raw syscall.RawConn, name string) (*os.File, error) {
	var fd int
	var fault error
	err := raw.Control(func(own uintptr) { fd, fault = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(err, fault); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
