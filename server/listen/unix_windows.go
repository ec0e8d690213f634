package listen

import (
	"errors"
	"io/fs"
	"syscall"
)

func isRefused(err error) bool {
	const wsaECONNREFUSED = syscall.Errno(10061)
	return errors.Is(err, wsaECONNREFUSED)
}

// restrict does nothing: the rights of the folder decide.
func restrict(uintptr, fs.FileMode) {}
