package luabind_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/server"
)

// phpSite loads a script in a folder with an application in PHP and its files.
func phpSite(t *testing.T, script string) *luabind.Program {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"www/index.php", "www/UPPER.PHP", "www/css/a.css", "www/x.fcgi", "assets/a.css", "assets/sub/b.php"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("<?php source();"), 0o600))
	}
	p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: script})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close(t.Context())) })
	return p
}

const php = "\napp:proxy('/*', 'fastcgi:/nowhere.sock', { fastcgi = { root = 'www' } })"

// The source of a script is nobody's business, whichever comes first and wherever it lies.
func TestNoStaticFolderSendsScriptsOfFastCGI(t *testing.T) {
	for script, want := range map[string]map[string]int{
		`app:static("/s", "www")` + php:    {"/s/index.php": 404, "/s/UPPER.PHP": 404, "/s/index.php/": 404, "/s/css/a.css": 200, "/s/x.fcgi": 200},
		php + `app:static("/s", "assets")`: {"/s/sub/b.php": 404, "/s/a.css": 200},
		`app:static("/s", ".")` + php:      {"/s/www/index.php": 404, "/s/www/css/a.css": 200},
		`app:static("/s", "www") app:proxy('/*', 'fastcgi:/nowhere.sock', { fastcgi = { root = 'www', extension = '.fcgi', index = 'x.fcgi' } })`: {"/s/x.fcgi": 404, "/s/index.php": 200},
		`app:static("/s", "www")`: {"/s/index.php": 200},
	} {
		h, err := server.Compile(phpSite(t, script).App)
		require.NoError(t, err)
		for path, status := range want {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			assert.Equal(t, status, w.Code, "%s of %s", path, script)
			if status == http.StatusNotFound {
				assert.NotContains(t, w.Body.String(), "source")
			}
		}
	}
	h, err := server.Compile(phpSite(t, `app:static("/s", "www", { list = true })`+php).App)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/s/", nil))
	assert.Contains(t, w.Body.String(), "css")
	assert.NotContains(t, w.Body.String(), "index.php")
}

func TestDoubtsAboutStaticFoldersWithAnApplication(t *testing.T) {
	for folder, want := range map[string]string{
		"www": `the folder "www" is the root`, ".": `the folder "." holds the root`, "www/css": `the folder "www/css" lies in the root`, "assets": "",
	} {
		doubts := phpSite(t, `app:static("/s", "`+folder+`")`+php).Doubts()
		if want == "" {
			assert.Empty(t, doubts)
			continue
		}
		if assert.Len(t, doubts, 1, folder) {
			assert.Contains(t, doubts[0].Message, want)
			assert.Equal(t, "app.lua:1", doubts[0].At)
		}
	}
}

func TestGRPCCanBeReached(t *testing.T) {
	for script, doubted := range map[string]bool{
		`app:grpc("/a.B/*", "h2c://a")`:                              true,
		`app:config { h2c = true } app:grpc("/a.B/*", "h2c://a")`:    false,
		`app:tls { issuer = "local" } app:grpc("/a.B/*", "h2c://a")`: false,
		`app:config { listen = { { address = ":0", tls = false } } } app:tls { issuer = "local" } app:grpc("/a.B/*", "h2c://a")`: true,
	} {
		if doubts := phpSite(t, script).Doubts(); doubted {
			if assert.Len(t, doubts, 1, script) {
				assert.Contains(t, doubts[0].Message, "no gRPC client can reach it")
			}
		} else {
			assert.Empty(t, doubts, script)
		}
	}
}
