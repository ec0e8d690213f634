//go:build !windows

package listen

import (
	"errors"
	"io/fs"
	"syscall"
)

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// restrict gives a socket that is not bound yet the mode its file shall have. Linux then
// creates the file with it, so that nobody can connect between creation and chmod; other
// systems refuse, and rely on the umask for that moment.
func restrict(fd uintptr, mode fs.FileMode) {
	_ = syscall.Fchmod(int(fd), uint32(mode.Perm()))
}
