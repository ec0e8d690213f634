package redis_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/redis"
	"rws/spec_test/peers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, url string) *redis.Client {
	t.Helper()
	c, err := redis.Open(url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// do sends a command that must succeed.
func do(t testing.TB, c *redis.Client, args ...any) any {
	t.Helper()
	reply, err := c.Do(t.Context(), args...)
	require.NoError(t, err)
	return reply
}

// code sends a command that must fail and returns the code of its error.
func code(t testing.TB, c *redis.Client, args ...any) string {
	t.Helper()
	_, err := c.Do(t.Context(), args...)
	var e *redis.Error
	require.ErrorAs(t, err, &e)
	return e.Code
}

func soon(t testing.TB, what string, f func() bool) {
	t.Helper()
	require.Eventually(t, f, 30*time.Second, 20*time.Millisecond, what)
}

// password of a peer, from its URL.
func password(t testing.TB, s *peers.Server) string {
	t.Helper()
	var secret string
	_, err := fmt.Sscanf(s.URL(), "redis://:%s", &secret)
	require.NoError(t, err)
	for i := range secret {
		if secret[i] == '@' {
			return secret[:i]
		}
	}
	t.Fatal("no password in the URL of the peer")
	return ""
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// startCluster starts a cluster of three masters.
func startCluster(t testing.TB) (url string) {
	t.Helper()
	// All need the same password, or a client could not follow from one to the next.
	const secret = "cluster-password"
	var addrs []string
	for range 3 {
		port, bus := freePort(t), freePort(t)
		serve(t, "", "--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--save", "", "--requirepass", secret, "--masterauth", secret,
			"--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(bus), "--cluster-node-timeout", "2000")
		addrs = append(addrs, fmt.Sprintf("127.0.0.1:%d", port))
		answers(t, fmt.Sprintf("redis://:%s@127.0.0.1:%d", secret, port))
	}
	args := append([]string{"-a", secret, "--no-auth-warning", "--cluster", "create"}, addrs...)
	out, err := exec.Command("redis-cli", append(args, "--cluster-yes")...).CombinedOutput()
	require.NoError(t, err, string(out))
	url = fmt.Sprintf("redis+cluster://:%s@%s,%s,%s", secret, addrs[0], addrs[1], addrs[2])
	c := open(t, url)
	soon(t, "the cluster serves all slots", func() bool {
		for i := range 30 {
			if _, err := c.Do(t.Context(), "SET", fmt.Sprint("probe", i), i); err != nil {
				return false
			}
		}
		return true
	})
	return url
}

// startSentinel starts a sentinel that watches a master.
func startSentinel(t testing.TB, master *peers.Server) (url string) {
	t.Helper()
	port := freePort(t)
	host, masterPort, err := net.SplitHostPort(master.Addr())
	require.NoError(t, err)
	serve(t, fmt.Sprintf(`bind 127.0.0.1
port %d
sentinel monitor main %s %s 1
sentinel auth-pass main %s
sentinel down-after-milliseconds main 1000
`, port, host, masterPort, password(t, master)), "--sentinel")
	answers(t, fmt.Sprintf("redis://127.0.0.1:%d", port))
	return fmt.Sprintf("redis+sentinel://:%s@127.0.0.1:%d/main", password(t, master), port)
}

// serve runs redis-server in a folder of its own until the test ends.
func serve(t testing.TB, config string, args ...string) {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("RWS_TEST_REQUIRE") != "" {
			t.Fatal("redis-server is missing: install the package redis-server")
		}
		t.Skip("redis-server is missing: install the package redis-server")
	}
	dir := t.TempDir()
	if config != "" {
		file := filepath.Join(dir, "redis.conf")
		require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
		args = append([]string{file}, args...)
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

func answers(t testing.TB, url string) {
	t.Helper()
	c := open(t, url)
	soon(t, "the server answers", func() bool { return c.Ping(context.Background()) == nil })
}
