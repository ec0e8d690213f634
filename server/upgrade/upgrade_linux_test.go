package upgrade_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/listen"
	"rws/server/upgrade"
)

const patience = 20 * time.Second

// role tells this binary what to do in place of its tests: which process to be of an upgrade.
const role = "RWS_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "older":
		older()
	default:
		newer(os.Getenv(role))
	}
}

// newer is a process that was started to replace another.
func newer(role string) {
	old, err := upgrade.Parent()
	if err != nil || old == nil {
		fmt.Fprintln(os.Stderr, "no parent:", err)
		os.Exit(3)
	}
	again, err := upgrade.Parent()
	if again != nil || err != nil {
		old.Fail("it is a child of its own child's making")
		os.Exit(3)
	}
	switch role {
	case "refuses":
		old.Fail("the script has an error\n")
		os.Exit(1)
	case "dies":
		os.Exit(7)
	case "hangs":
		time.Sleep(time.Hour)
	}
	for _, s := range old.Sockets {
		fmt.Println("socket", s.Name)
	}
	serveOne(old.Sockets)
	if err := old.Ready("v2 " + os.Args[0]); err != nil {
		os.Exit(4)
	}
	<-old.Released
	fmt.Println("released")
}

// serveOne answers on the first socket.
func serveOne(sockets []listen.Socket) {
	if len(sockets) == 0 {
		return
	}
	l, err := listen.Open(context.Background(), "127.0.0.1:0", listen.Options{Inherited: listen.Inherited(sockets)})
	if err != nil {
		os.Exit(5)
	}
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, _ = fmt.Fprint(conn, "hello of the new one")
			_ = conn.Close()
		}
	}()
}

// older is a process that is replaced as soon as it is told to by a line; it tells how that went.
func older() {
	fmt.Println("runs")
	var as string
	if _, err := fmt.Scanln(&as); err != nil {
		os.Exit(3)
	}
	_ = os.Setenv(role, as)
	_ = os.Chdir("/") // what it was started by stays where it was
	_ = os.Setenv("PATH", "")
	next, err := upgrade.Start(context.Background(), nil, patience)
	if err != nil {
		fmt.Println("failed:", err)
		return
	}
	fmt.Println("started:", next.Program, next.Version)
	next.Release()
}

// start replaces these tests by this binary in a role.
func start(t *testing.T, as string, sockets []listen.Socket, patience time.Duration) (*upgrade.New, error) {
	t.Helper()
	t.Setenv(role, as)
	t.Setenv("LISTEN_FDS", "3") // of systemd, which are not what it gets
	return upgrade.Start(t.Context(), sockets, patience)
}

func TestANewProcessServesOnTheSocketsOfTheOldOne(t *testing.T) {
	l, err := listen.Open(t.Context(), "127.0.0.1:0", listen.Options{})
	require.NoError(t, err)
	defer l.Close()
	socket, err := listen.Share("127.0.0.1:0", l)
	require.NoError(t, err)
	defer socket.File.Close()
	next, err := start(t, "serves", []listen.Socket{socket}, patience)
	require.NoError(t, err)
	defer next.Release()
	assert.NotEqual(t, os.Getpid(), next.PID)
	assert.True(t, filepath.IsAbs(next.Program), next.Program)
	assert.Equal(t, "v2 "+next.Program, next.Version, "it is told the path, by which it is replaced in its turn")
	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	text := make([]byte, 100)
	n, err := conn.Read(text)
	require.NoError(t, err)
	assert.Equal(t, "hello of the new one", string(text[:n]))
}

func TestANewProcessThatDoesNotServe(t *testing.T) {
	_, err := start(t, "refuses", nil, patience)
	assert.EqualError(t, err, "starting the new program: the script has an error")
	_, err = start(t, "dies", nil, patience)
	assert.EqualError(t, err, "starting the new program: it ended before it was ready: exit status 7")
	_, err = start(t, "hangs", nil, 50*time.Millisecond)
	assert.EqualError(t, err, "starting the new program: it was not ready after 50ms")
}

func TestWhoGivesUpStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the server is stopping"))
	t.Setenv(role, "hangs")
	_, err := upgrade.Start(ctx, nil, patience)
	assert.EqualError(t, err, "starting the new program: the server is stopping")
}

func TestAProcessOfItsOwnHasNoParent(t *testing.T) {
	old, err := upgrade.Parent()
	assert.NoError(t, err)
	assert.Nil(t, old)
}

func TestAParentThatMakesNoSense(t *testing.T) {
	t.Setenv("_RWS_UPGRADE", "no JSON")
	_, err := upgrade.Parent()
	assert.ErrorContains(t, err, `the variable _RWS_UPGRADE is "no JSON"`)
}

// install puts a copy of this binary at a path.
func install(t *testing.T, path string) {
	t.Helper()
	own, err := os.Executable()
	require.NoError(t, err)
	content, err := os.ReadFile(own)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, content, 0o700))
}

// replace runs a program as older by a name, in a folder and with a PATH, and returns what it tells. Before
// it is replaced, prepare is called.
func replace(t *testing.T, path, name, dir string, prepare func()) string {
	t.Helper()
	cmd := exec.Command(path)
	cmd.Args[0], cmd.Dir = name, dir
	cmd.Env = append(os.Environ(), role+"=older", "PATH="+filepath.Dir(path))
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(out)
	_, err = lines.ReadString('\n') // it runs
	require.NoError(t, err)
	prepare()
	_, err = fmt.Fprintln(in, "serves")
	require.NoError(t, err)
	rest, err := io.ReadAll(lines)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
	return string(rest)
}

// An installation that moves the running file away and puts a new one there wants the new one to run.
func TestWhatStandsAtThePathIsStarted(t *testing.T) {
	for _, by := range []string{"absolute", "relative", "in PATH", "by a link", "by no path at all"} {
		t.Run(by, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "app")
			install(t, path)
			want, started := path, path
			name := map[string]string{"absolute": path, "relative": "./app", "in PATH": "app", "by a link": filepath.Join(dir, "link"), "by no path at all": "nonsense"}[by]
			if by == "by a link" {
				require.NoError(t, os.Symlink("app", name))
				want, started = name, name
			}
			out := replace(t, started, name, dir, func() {
				require.NoError(t, os.Rename(path, path+".old"))
				install(t, path)
			})
			assert.Contains(t, out, "started: "+want+" v2 "+want+"\n")
		})
	}
}

func TestNothingStandsAtThePath(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app")
	install(t, path)
	out := replace(t, path, path, dir, func() { require.NoError(t, os.Rename(path, path+".old")) })
	assert.Contains(t, out, "failed: starting the new program: looking for what this one was started by")
	assert.Contains(t, out, path)
}
