//go:build !windows

package listen

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

func isAddrInUse(err error) bool        { return errors.Is(err, syscall.EADDRINUSE) }
func isAddrNotAvailable(err error) bool { return errors.Is(err, syscall.EADDRNOTAVAIL) }

// isPathTooLong knows both forms of the failure: package net refuses paths that do not fit
// sun_path with EINVAL before it asks the kernel.
func isPathTooLong(path string, err error) bool {
	return errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, syscall.EINVAL) && len(path) > 100
}

// isTemporary reports whether accepting may work again in a moment: the peer left early, or
// descriptors or memory are short (accept(2)).
func isTemporary(err error) bool {
	for _, passing := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPROTO,
		syscall.EPERM, syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ENOPROTOOPT,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// permitHint says how to allow a port below 1024.
func permitHint() string {
	program, err := os.Executable()
	if err != nil || runtime.GOOS != "linux" {
		return ", or start the program as root"
	}
	return ", or allow it once: sudo setcap cap_net_bind_service=+ep " + program
}
