//go:build unix

package command

import (
	"os"
	"syscall"
)

// reloadSignals make a running server load its script again.
var reloadSignals = []os.Signal{syscall.SIGHUP}

func isReload(s os.Signal) bool { return s == syscall.SIGHUP }
