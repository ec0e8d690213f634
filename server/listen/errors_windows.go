package listen

import (
	"errors"
	"syscall"
)

// Numbers of Winsock that package syscall does not name.
const (
	wsaEMFILE        = syscall.Errno(10024)
	wsaEADDRINUSE    = syscall.Errno(10048)
	wsaEADDRNOTAVAIL = syscall.Errno(10049)
	wsaENETDOWN      = syscall.Errno(10050)
	wsaENOBUFS       = syscall.Errno(10055)
)

func isAddrInUse(err error) bool        { return errors.Is(err, wsaEADDRINUSE) }
func isAddrNotAvailable(err error) bool { return errors.Is(err, wsaEADDRNOTAVAIL) }

func isPathTooLong(path string, err error) bool {
	return errors.Is(err, syscall.EINVAL) && len(path) > 100
}

// isTemporary reports whether accepting may work again in a moment.
func isTemporary(err error) bool {
	for _, passing := range []syscall.Errno{wsaEMFILE, wsaENETDOWN, wsaENOBUFS, syscall.WSAECONNRESET, syscall.WSAECONNABORTED} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return false
}

// permitHint explains the refusal: Windows has no privileged ports but reserved ones.
func permitHint() string {
	return ", or see which are reserved: netsh interface ipv4 show excludedportrange protocol=tcp"
}
