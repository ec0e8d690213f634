package client

import (
	"errors"
	"syscall"
)

func isRefused(err error) bool {
	const wsaECONNREFUSED = syscall.Errno(10061)
	return errors.Is(err, wsaECONNREFUSED)
}

func isReset(err error) bool {
	return errors.Is(err, syscall.WSAECONNRESET) || errors.Is(err, syscall.WSAECONNABORTED)
}
