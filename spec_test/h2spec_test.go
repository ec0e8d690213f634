package spec_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	servers "rws/spec_test/peers"
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
	srv := &server{name: "app.lua", done: make(chan struct{})}
	srv.cmd = exec.Command(binary, append([]string{"app.lua", "--env", "production"}, args...)...)
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

var h2specTotal = regexp.MustCompile(`(\d+) tests, (\d+) passed`)

// TestH2Spec runs the conformance tests of HTTP/2. The server of net/http passes 141 of 145 over TLS
// and 140 without; what it fails are questions of taste.
func TestH2Spec(t *testing.T) {
	tool := servers.Program(t, "h2spec", "go install github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible")
	const script = `app:get("/", function() return "hello" end) app:post("/", function(c) return c.body end)`
	for _, c := range []struct {
		name   string
		server []string
		tool   []string
		least  int
	}{
		{"tls", []string{"--tls-cert", "site.pem", "--tls-key", "site.key"}, []string{"-t", "-k"}, 141},
		{"h2c", []string{"--h2c"}, nil, 140},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "app.lua"), []byte(script), 0o600))
			require.NoError(t, writeCertificate(filepath.Join(dir, "site"), "localhost"))
			srv := startedIn(t, dir, append(c.server, "--listen", "127.0.0.1:0", "--access-log=false")...)
			host, port := where(t, srv)
			out, _ := exec.Command(tool, append(c.tool, "-h", host, "-p", port)...).CombinedOutput() // fails with one test
			m := h2specTotal.FindSubmatch(out)
			require.NotNil(t, m, "%s", out)
			passed, err := strconv.Atoi(string(m[2]))
			require.NoError(t, err)
			assert.GreaterOrEqual(t, passed, c.least, "%s", out)
			assert.Equal(t, "145", string(m[1]))
		})
	}
}
