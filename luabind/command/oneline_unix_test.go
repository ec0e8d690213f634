//go:build unix

package command_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A folder may be anybody's: what lies in it opens nothing to the world, and serving it leaves nothing there.
func TestOneLineTakesNoSettingsFromItsFolderAndMakesNothingThere(t *testing.T) {
	dir := app(t, "site/index.html", "hello", "site/.env", "RWS_HOST=0.0.0.0\nno variable", ".env", "RWS_HOST=0.0.0.0\n")
	served := serve(t, "serve", "site")
	assert.Equal(t, "hello", served.get("/"))
	proxies := []*site{serve(t, "proxy", served.url), serve(t, "proxy", served.url)}
	for _, s := range append(proxies, served) {
		assert.Contains(t, s.get("/"), "hello")
		s.untilSays("Ctrl-C stops")
		assert.NotContains(t, s.err.String(), "on all addresses")
		assert.NotContains(t, s.err.String(), "attach")
		assert.NotContains(t, s.err.String(), ".rws")
	}
	for _, folder := range []string{dir, filepath.Join(dir, "site")} {
		assert.NoDirExists(t, filepath.Join(folder, ".rws"))
	}
	t.Chdir(filepath.Join(dir, "site"))
	here := serve(t)
	here.untilSays("the files of this folder")
	assert.NotContains(t, here.err.String(), "on all addresses")
	assert.NoDirExists(t, filepath.Join(dir, "site", ".rws"))
}

func TestOneLineTakesSettingsFromTheEnvironment(t *testing.T) {
	app(t, "a.txt", "hello")
	t.Setenv("RWS_TIMEOUT", "7s")
	serve(t, "serve", ".").untilSays("handler 7s")
}

// gRPC is HTTP/2, and most of its clients within a machine speak it without TLS.
func TestAProxyToH2CTakesH2C(t *testing.T) {
	app(t)
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Proto)) }))
	backend.Config.Protocols = new(http.Protocols)
	backend.Config.Protocols.SetUnencryptedHTTP2(true)
	backend.Start()
	defer backend.Close()
	two := &http.Transport{Protocols: new(http.Protocols)}
	two.Protocols.SetUnencryptedHTTP2(true)
	defer two.CloseIdleConnections()
	for _, scheme := range []string{"h2c", "grpc"} {
		s := serve(t, "proxy", scheme+strings.TrimPrefix(backend.URL, "http"))
		s.says("HTTP/1.1 HTTP/2")
		res, err := (&http.Client{Transport: two}).Get(s.url)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, 2, res.ProtoMajor)
	}
	assert.NotContains(t, serve(t, "proxy", "--h2c=false", "h2c"+strings.TrimPrefix(backend.URL, "http")).err.String(), "HTTP/2")
}

func TestOneLineSpeaksOfTheCommandLine(t *testing.T) {
	app(t, "site/a.txt", "")
	const backend = "http://127.0.0.1:1"
	for want, args := range map[string][]string{
		`--balance: balance policy "nonsense"`:     {"proxy", backend, "--balance", "nonsense"},
		`--strip: prefix "x"`:                      {"proxy", backend, "--strip", "x"},
		`--health: the path "x"`:                   {"proxy", backend, "--health", "x"},
		`is there twice`:                           {"proxy", backend, backend},
		`scheme "ftp" is unknown`:                  {"proxy", "ftp://a:1"},
		`needs a script`:                           {"proxy", "fastcgi:/run/php.sock"},
		`":0" and --port are both where to listen`: {"proxy", ":0", backend, "--port", "9000"},
		`":0" and --host are both where to listen`: {"proxy", ":0", backend, "--host", "::1"},
		`and --listen are both where to listen`:    {"proxy", ":0", backend, "--listen", ":1"},
		`it needs an address with TLS`:             {"serve", "site", "--http3"},
	} {
		r := rws(t, args...)
		r.expect(t, 2, want)
		r.refuse(t, "app.lua:", "app:proxy(")
	}
	_, err := os.Stat("site/.rws")
	assert.ErrorIs(t, err, os.ErrNotExist)
}
