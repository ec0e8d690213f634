//go:build unix

package command

import (
	"os"
	"syscall"
)

// reloadSignals make a running server load its script again.
var reloadSignals = []os.Signal{syscall.SIGHUP}

// upgradeSignals make a running server start its program again and give it the sockets.
var upgradeSignals = []os.Signal{syscall.SIGUSR2}

func isUpgrade(s os.Signal) bool { return s == syscall.SIGUSR2 }

func isReload(s os.Signal) bool { return s == syscall.SIGHUP }
