//go:build unix

package storage

import "syscall"

// openFlags keep a named pipe without a writer from blocking.
const openFlags = syscall.O_NONBLOCK
