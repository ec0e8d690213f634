package listen

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// listenUnix listens on a unix socket whose file has the given mode from its first moment on.
func listenUnix(ctx context.Context, path string, mode fs.FileMode) (net.Listener, error) {
	abstract := strings.HasPrefix(path, "@")
	if !abstract {
		if err := removeStale(ctx, path); err != nil {
			return nil, err
		}
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { restrict(fd, mode) })
	}}
	l, err := config.Listen(ctx, "unix", path)
	if err != nil || abstract {
		return l, err
	}
	if err := os.Chmod(path, mode); err != nil {
		l.Close()
		return nil, fmt.Errorf("setting the mode of %q: %w", path, err)
	}
	return l, nil
}

// removeStale removes the socket file of a program that is gone. It never removes one that is
// answered on, nor anything that is no socket.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return nil // nothing there; what else is wrong, listening will tell
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%q exists and is no socket; remove it or choose another path", path)
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
		return fmt.Errorf("another program answers on %q; stop it or choose another path", path)
	}
	if !isRefused(err) {
		return fmt.Errorf("finding out whether %q is still in use: %w", path, err)
	}
	return os.Remove(path)
}
