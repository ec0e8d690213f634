//go:build unix

package luabind

import "syscall"

// openFlags make opening a pipe return at once; without a writer it would wait for ever.
const openFlags = syscall.O_NONBLOCK
