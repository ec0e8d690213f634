package spec_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// loop makes requests, one after the other on each of several connections, until it is stopped.
type loop struct {
	stop   chan struct{}
	group  sync.WaitGroup
	done   atomic.Int64
	failed atomic.Int64
	fault  atomic.Value
}

func newLoop(url string) *loop {
	l := &loop{stop: make(chan struct{})}
	for range 4 {
		l.group.Go(func() {
			c := &http.Client{Transport: &http.Transport{}, Timeout: patience}
			defer c.CloseIdleConnections()
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				if err := fetch(c, url); err != nil {
					l.failed.Add(1)
					l.fault.Store(err)
				}
				l.done.Add(1)
			}
		})
	}
	return l
}

func fetch(c *http.Client, url string) error {
	res, err := c.Get(url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}

// more waits until the loop has made some requests more.
func (l *loop) more(t *testing.T) {
	t.Helper()
	from := l.done.Load()
	require.Eventually(t, func() bool { return l.done.Load() > from+200 }, patience, time.Millisecond)
}

func (l *loop) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.group.Wait()
	assert.Zero(t, l.failed.Load(), "of %d, the last: %v", l.done.Load(), l.fault.Load())
	t.Logf("%d requests", l.done.Load())
}

func bodyOf(t *testing.T, url string) string {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := c.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(text)
}

var newProcess = regexp.MustCompile(`"new_pid":(\d+)`)

// replaced has a server replace its program by another, which ends with the test.
func replaced(t *testing.T, srv *server) (pid int) {
	t.Helper()
	require.NoError(t, srv.cmd.Process.Signal(syscall.SIGUSR2))
	return successor(t, srv)
}

// successor waits for the program that takes the place of a server's; it ends with the test.
func successor(t *testing.T, srv *server) (pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return newProcess.MatchString(srv.log.String()) }, patience, 5*time.Millisecond)
	pid, err := strconv.Atoi(newProcess.FindStringSubmatch(srv.log.String())[1])
	require.NoError(t, err)
	t.Cleanup(func() { endProcess(t, pid) })
	return pid
}

// ended waits until the program that was replaced has ended.
func ended(t *testing.T, srv *server) {
	t.Helper()
	require.Eventually(t, func() bool { return srv.cmd.Process.Signal(syscall.Signal(0)) != nil }, patience, 5*time.Millisecond, "the old process goes on")
}

func TestAnUpgradeLosesNoRequest(t *testing.T) {
	const script = `app:get("/", function() return "version 1" end)`
	srv, dir := started(t, script, "--listen", "127.0.0.1:0", "--log", "json", "--access-log=false")
	name, port := where(t, srv)
	url := "http://" + name + ":" + port + "/"
	l := newLoop(url)
	l.more(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.lua"), []byte(`app:get("/", function() return "version 2" end)`), 0o600))
	assert.Equal(t, "version 1", bodyOf(t, url))
	replaced(t, srv)
	ended(t, srv)
	l.more(t)
	l.end(t)
	assert.Equal(t, "version 2", bodyOf(t, url))
}

// endProcess ends a process that is not our child.
func endProcess(t *testing.T, pid int) {
	require.NoError(t, syscall.Kill(pid, syscall.SIGTERM))
	require.Eventually(t, func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }, patience, 5*time.Millisecond)
}

func TestAnUpgradeThatDoesNotStartLeavesTheOldProgram(t *testing.T) {
	const script = `app:get("/", function() return "version 1" end)`
	srv, dir := started(t, script, "--listen", "127.0.0.1:0,unix:a.sock", "--log", "json", "--access-log=false")
	name, port := where(t, srv)
	url := "http://" + name + ":" + port + "/"
	l := newLoop(url)
	l.more(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.lua"), []byte(`this is no Lua`), 0o600))
	require.NoError(t, srv.cmd.Process.Signal(syscall.SIGUSR2))
	require.Eventually(t, func() bool { return regexp.MustCompile("the program was not replaced").MatchString(srv.log.String()) }, patience, 5*time.Millisecond)
	assert.Contains(t, srv.log.String(), "app.lua:1")
	l.more(t)
	l.end(t)
	assert.Equal(t, "version 1", bodyOf(t, url))
	_, err := os.Stat(filepath.Join(dir, "a.sock"))
	assert.NoError(t, err)
	require.NoError(t, srv.stop())
	_, err = os.Stat(filepath.Join(dir, "a.sock"))
	assert.ErrorIs(t, err, os.ErrNotExist, "it is ours to remove again")
}
