package spec_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// heard reads what rws tells systemd until it has told what is wanted.
func heard(t *testing.T, socket *net.UnixConn, want string) string {
	t.Helper()
	require.NoError(t, socket.SetReadDeadline(time.Now().Add(patience)))
	for buf := make([]byte, 4<<10); ; {
		n, err := socket.Read(buf)
		require.NoError(t, err, "waiting for %s", want)
		if text := string(buf[:n]); strings.Contains(text, want) {
			return text
		}
	}
}

// TestSystemd starts rws as systemd does: with open sockets, and a socket to tell the state to.
func TestSystemd(t *testing.T) {
	dir, err := os.MkdirTemp("", "rws") // sockets have short paths
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.lua"), []byte(`app:get("/", function() return "hello" end)`), 0o600))
	state, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	require.NoError(t, err)
	defer state.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	file, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	url := "http://" + l.Addr().String() + "/"

	srv := &server{name: "app.lua", done: make(chan struct{})}
	srv.cmd = exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, binary, "app.lua", "--env", "production", "--listen", "systemd:web", "--log", "json")
	srv.cmd.Dir, srv.cmd.Stdout, srv.cmd.Stderr, srv.cmd.ExtraFiles = dir, &srv.log, &srv.log, []*os.File{file}
	srv.cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=web", "NOTIFY_SOCKET="+filepath.Join(dir, "notify"))
	require.NoError(t, srv.cmd.Start())
	go func() { srv.err = srv.cmd.Wait(); close(srv.done) }()
	t.Cleanup(func() { _ = srv.cmd.Process.Kill() }) // it has ended, unless something failed
	require.NoError(t, file.Close())
	require.NoError(t, l.Close()) // from here on only rws has it

	heard(t, state, "READY=1")
	assert.Equal(t, "hello", bodyOf(t, url))
	require.NoError(t, srv.cmd.Process.Signal(signals["HUP"]))
	assert.Contains(t, heard(t, state, "RELOADING=1"), "MONOTONIC_USEC=")
	heard(t, state, "READY=1")
	require.NoError(t, srv.cmd.Process.Signal(stopSignal()))
	heard(t, state, "STOPPING=1")
	require.NoError(t, srv.wait())
	assert.NoError(t, srv.err, "%s", srv.log.String())
}

func TestSystemdHasNoSuchSocket(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.lua"), nil, 0o600))
	cmd := exec.Command(binary, "app.lua", "--listen", "systemd:web")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(out), "FileDescriptorName=web")
}
