package spec_test

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// started is a running rws that serves a script in a folder of its own, until the test ends.
func started(t *testing.T, script string, args ...string) (srv *server, dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.lua"), []byte(script), 0o600))
	return startedIn(t, dir, args...), dir
}

func startedIn(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	return startedAs(t, binary, dir, args...)
}

// startedAs is startedIn for a program at another path.
func startedAs(t *testing.T, program, dir string, args ...string) *server {
	t.Helper()
	srv := &server{name: "app.lua", done: make(chan struct{})}
	srv.cmd = exec.Command(program, append([]string{"app.lua", "--env", "production"}, args...)...)
	srv.cmd.Dir, srv.cmd.Stdout, srv.cmd.Stderr = dir, &srv.log, &srv.log
	srv.cmd.Env = append(os.Environ(), "HOME="+dir)
	srv.cmd.WaitDelay = time.Second // of what an upgrade leaves with our pipes
	require.NoError(t, srv.cmd.Start())
	go func() { srv.err = srv.cmd.Wait(); close(srv.done) }()
	t.Cleanup(func() {
		_ = srv.cmd.Process.Signal(stopSignal())
		assert.NoError(t, srv.wait())
	})
	return srv
}

// where is the host and port that a server listens on.
func where(t *testing.T, srv *server) (host, port string) {
	t.Helper()
	text, err := srv.url()
	require.NoError(t, err)
	u, err := url.Parse(text)
	require.NoError(t, err)
	return "127.0.0.1", u.Port()
}

// accepts waits until something listens on an address.
func accepts(t *testing.T, addr string) {
	t.Helper()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, patience, 5*time.Millisecond, "nothing listens on %s", addr)
}
