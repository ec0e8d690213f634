package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
)

// openError is a failure to listen with what to do about it; errors.Is and errors.As see the
// cause.
type openError struct {
	addr, hint string
	err        error
}

func (e *openError) Error() string {
	if e.hint == "" {
		return fmt.Sprintf("listening on %s: %v", e.addr, e.err)
	}
	return fmt.Sprintf("listening on %s: %s", e.addr, e.hint)
}

func (e *openError) Unwrap() error { return e.err }

// hint says in one sentence what a failure means and what to do; empty when the error itself
// says it best.
func hint(a address, err error) string {
	var dns *net.DNSError
	switch {
	case a.network == "systemd":
		return systemdHint(a.host)
	case errors.As(err, &dns):
		return fmt.Sprintf("no address is known for the host %q; use an address of this machine, or %q for all of them", a.host, ":"+a.port)
	case a.network == "unix":
		return unixHint(a.host, err)
	case isAddrInUse(err):
		return fmt.Sprintf("the port is in use%s; stop the other program or choose another with --port", holder(a.port))
	case isAddrNotAvailable(err):
		return fmt.Sprintf("%q is no address of this machine; use one that is, or %q for all of them", a.host, ":"+a.port)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("this user may not use port %s; choose one above 1023 with --port%s", a.port, permitHint())
	}
	return ""
}

func unixHint(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("the folder of %q does not exist; create it first", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("this user may not create %q; choose another folder or change the owner of this one", path)
	case isPathTooLong(path, err):
		return fmt.Sprintf("the path of the socket has %d bytes, systems allow about 100; choose a shorter one", len(path))
	}
	return ""
}

// process is a program that holds a port.
type process struct {
	pid  int
	name string
}

// holder names the program that listens on the port, as " by node (pid 812)", if the system
// tells.
func holder(port string) string {
	p, ok := findHolder(port)
	switch {
	case !ok:
		return ""
	case p.pid == os.Getpid():
		return " by this program itself"
	}
	return fmt.Sprintf(" by %s (pid %d)", strings.Map(printable, p.name), p.pid)
}

// printable masks what a process name could do to a terminal.
func printable(r rune) rune {
	if r < ' ' || r >= 0x7f && r < 0xa0 {
		return '?'
	}
	return r
}

// systemdHint says what to write into a unit; the error alone says that there is no socket.
func systemdHint(name string) string {
	if name == "" {
		return "systemd has handed over no socket, or all of them are taken; start rws by its .socket unit"
	}
	return fmt.Sprintf("systemd has handed over no socket of the name %q, or it is taken; start rws by a .socket unit with FileDescriptorName=%s", name, name)
}
