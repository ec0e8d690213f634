package luabind_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/server"
)

func TestMaintenanceSparesWhoRunsTheService(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "m.html"), nil, 0o600))
	p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: `
		app:use(rws.maintenance { file = "m.html" })
		app:get("/", function() return "ok" end)
		app:health { ready = "/ready" }
		app:group("/ops"):metrics("/numbers")
	`})
	require.NoError(t, err)
	defer p.Close(t.Context())
	h, err := server.Compile(p.App)
	require.NoError(t, err)
	for target, want := range map[string]int{"GET /": 503, "GET /healthz": 200, "HEAD /ready": 200, "GET /ops/numbers": 200, "POST /healthz": 503, "GET /none": 503} {
		w := httptest.NewRecorder()
		method, path, _ := strings.Cut(target, " ")
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		assert.Equal(t, want, w.Code, target)
	}
}

// A link that leads out of the folder switches maintenance on, and shows nothing.
func TestAMaintenancePageStaysInTheFolder(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(outside, []byte("<p>secret"), 0o600))
	p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: `
		app:use(rws.maintenance { file = "m.html", page = "<p>closed" })
		app:get("/", function() return "ok" end)
	`})
	require.NoError(t, err)
	defer p.Close(t.Context())
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "m.html")))
	h, err := server.Compile(p.App)
	require.NoError(t, err)
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", "text/html")
	h.ServeHTTP(w, r)
	assert.Equal(t, 503, w.Code)
	assert.Equal(t, "<p>closed", w.Body.String())
}

func TestWhereMaintenanceIsSwitched(t *testing.T) {
	outside := t.TempDir()
	for source, want := range map[string]string{
		"\napp:use(rws.maintenance { file = '../m.html' })":                                                               "app.lua:2",
		"\napp:use(rws.maintenance { file = '" + filepath.ToSlash(outside) + "/m.html' })":                                "outside of the app's folder",
		"\napp:use(rws.maintenance {\n file = 'none/m.html' })":                                                           "app.lua:3: rws.maintenance: option \"file\": \"none/m.html\": looking at its folder",
		"app:use(rws.maintenance { file = 'app.lua/m.html' })":                                                            "looking at its folder",
		"app:use(rws.maintenance { file = '" + outside + "/m.html' })\napp:config { fs = { allow = '" + outside + "' } }": "",
	} {
		_, err := loadScript(t, source, nil)
		if want == "" {
			assert.NoError(t, err, source)
			continue
		}
		assert.ErrorContains(t, err, want, source)
	}
}

func TestARedirectToNobodyIsRefused(t *testing.T) {
	for source, want := range map[string]string{
		"app:use(rws.redirect_https { hosts = '' })":     "a name is empty",
		"app:use(rws.redirect_https { hosts = {} })":     `option "hosts": the list is empty`,
		"app:use(rws.redirect_https {\n status = 200 })": "status 200: want 301",
	} {
		_, err := loadScript(t, source, nil)
		if assert.ErrorContains(t, err, want, source) {
			assert.NotContains(t, err.Error(), "port", source)
		}
	}
}

// What is dangerous and may be meant is told in the log, when the program loads.
func TestDangerousSettingsAreTold(t *testing.T) {
	for source, want := range map[string]string{
		`app:config { trusted_proxies = "all" }`:                                                "name the proxies",
		`app:config { env = "production" } app:use(rws.redirect_https())`:                       "name those of the service",
		`app:use(rws.redirect_https()) app:config { env = "production" }`:                       "name those of the service",
		`app:use(rws.redirect_https { hosts = "a.example" }) app:config { env = "production" }`: "",
		`app:use(rws.redirect_https()) app:config { trusted_proxies = "loopback" }`:             "",
	} {
		var out bytes.Buffer
		p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: t.TempDir(), Source: source,
			Logger: func(*luabind.Config) *slog.Logger { return slog.New(slog.NewTextHandler(&out, nil)) }})
		require.NoError(t, err, source)
		require.NoError(t, p.Close(t.Context()))
		if want == "" {
			assert.Empty(t, out.String(), source)
			continue
		}
		assert.Contains(t, out.String(), want, source)
	}
}
