package spec_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	servers "rws/spec_test/peers"
)

// PHP knows that the visitor speaks TLS, and which HTTP, or links and cookies are made for the other scheme.
func TestPHPKnowsTheConnectionOfTheVisitor(t *testing.T) {
	socket, root := servers.PHP(t, map[string]string{"index.php": `<?php
		echo $_SERVER["SERVER_PROTOCOL"], " ", $_SERVER["REQUEST_SCHEME"], " ", $_SERVER["HTTPS"] ?? "off", " ", $_SERVER["PHP_SELF"];`})
	dir := t.TempDir()
	require.NoError(t, writeCertificate(filepath.Join(dir, "site")))
	script := fmt.Sprintf(`app:proxy("/*", "fastcgi:%s", { fastcgi = { root = %q, front = "/index.php" } })`, socket, root)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "app.lua"), []byte(script), 0o600))
	ask := func(url string, transport http.RoundTripper) string {
		t.Helper()
		res, err := (&http.Client{Transport: transport, Timeout: patience}).Get(url)
		require.NoError(t, err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(text)
	}

	host, port := where(t, startedIn(t, dir, "--listen", "127.0.0.1:0", "--log", "json"))
	plain := &http.Transport{DisableKeepAlives: true}
	assert.Equal(t, "HTTP/1.1 http off /index.php", ask("http://"+host+":"+port+"/", plain))

	host, port = where(t, startedIn(t, dir, "--listen", "127.0.0.1:0", "--log", "json", "--tls-cert", "site.pem", "--tls-key", "site.key", "--http3"))
	url := "https://" + host + ":" + port + "/"
	trust := &tls.Config{InsecureSkipVerify: true}
	one := &http.Transport{DisableKeepAlives: true, TLSClientConfig: trust}
	two := &http.Transport{DisableKeepAlives: true, TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true} // which adds h2 to its configuration
	three := &http3.Transport{TLSClientConfig: trust}
	defer three.Close()
	for want, transport := range map[string]http.RoundTripper{"HTTP/1.1": one, "HTTP/2.0": two, "HTTP/3.0": three} {
		assert.Equal(t, want+" https on /index.php", ask(url, transport))
	}
}
