package spec_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"
)

// TestAnUpgradePassesHTTP3On: the new program answers on the UDP socket of the old one, when that has
// answered what it had. A client whose connection ends asks once more, as browsers do.
func TestAnUpgradePassesHTTP3On(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, writeCertificate(filepath.Join(dir, "site")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.lua"), []byte(`app:get("/", function() return "hello" end)`), 0o600))
	srv := startedIn(t, dir, "--listen", "127.0.0.1:0", "--tls-cert", "site.pem", "--tls-key", "site.key", "--http3", "--log", "json", "--access-log=false")
	name, port := where(t, srv)
	url := "https://" + name + ":" + port + "/"
	transport := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.Close()
	c := &http.Client{Transport: transport, Timeout: patience}
	again := func() {
		t.Helper()
		if fetch(c, url) != nil {
			require.NoError(t, fetch(c, url))
		}
	}
	for range 20 {
		again()
	}
	require.NoError(t, srv.cmd.Process.Signal(syscall.SIGUSR2))
	start := time.Now()
	for !newProcess.MatchString(srv.log.String()) && time.Since(start) < patience {
		again()
	}
	successor(t, srv)
	for srv.cmd.Process.Signal(syscall.Signal(0)) == nil && time.Since(start) < patience {
		again()
	}
	ended(t, srv)
	t.Logf("the old program ended after %s", time.Since(start))
	for range 20 {
		again()
	}
}
