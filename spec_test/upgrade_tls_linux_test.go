package spec_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	servers "rws/spec_test/peers"
)

// The new program takes the addresses that are redirected to TLS, too.
func TestAnUpgradeKeepsTheRedirectsToTLS(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, writeCertificate(filepath.Join(dir, "site")))
	plain := servers.FreeAddress(t)
	script := fmt.Sprintf(`app:tls { cert = "site.pem", key = "site.key", redirect = %q } app:get("/", function() return "hello" end)`, plain)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.lua"), []byte(script), 0o600))
	srv := startedIn(t, dir, "--listen", "127.0.0.1:0", "--log", "json", "--access-log=false")
	where(t, srv) // it listens
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, Timeout: patience}
	require.NoError(t, fetch(c, "http://"+plain+"/"))

	pid := replaced(t, srv)
	ended(t, srv)
	assert.NoError(t, fetch(c, "http://"+plain+"/"))
	assert.NoError(t, syscall.Kill(pid, 0))
}
