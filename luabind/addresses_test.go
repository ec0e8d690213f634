package luabind_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
)

func TestAddressesThatCannotBeOpenedAreToldWhenAScriptLoads(t *testing.T) {
	for script, want := range map[string]string{
		`app:config { port = 8080 } app:tcp(":8080", { to = "10.0.0.1:1" })`:                       "app:tcp: :8080 is taken by the app itself",
		`app:tcp(":5432", { to = "10.0.0.1:1" }) app:tcp("127.0.0.1:5432", { to = "10.0.0.1:2" })`: "is taken by app:tcp, declared already (app.lua:2)",
		`app:config { listen = { ":8080", ":8080" } }`:                                             ":8080 is taken",
		`app:config { listen = { ":8080", "0.0.0.0:8080" } }`:                                      "0.0.0.0:8080 is taken",
		`app:config { listen = { "unix:/tmp/a.sock", "unix:/tmp/a.sock" } }`:                       "is taken",
		`app:config { listen = { ":443" } } app:tls { domains = "a.example", redirect = ":443" }`:  `option "redirect": :443 is taken`,
		`app:config { listen = { { address = ":8080", hosts = {} } } }`:                            `option "hosts": the list is empty`,
		`app:config { listen = {} }`:                                                               "the list is empty",
		`app:config { listen = { ":8080" }, port = 9000 }`:                                         "it has no effect beside listen",
		`app:config { listen = { { address = ":8080", hosts = { "a b" } } } }`:                     `the host "a b"`,
		`app:tls { domains = "a.example" } app:tls { domains = { "b.example", "A.example" } }`:     `"a.example" is in the app:tls at app.lua:2 already`,
		`app:tls { domains = "a.example", challenges = "http-01" }`:                                `redirect = ":80"`,
		`app:config { tls = { min = "1.2" } }`:                                                     "app:tls",
	} {
		_, err := loadScript(t, "\n"+script, nil)
		if assert.ErrorContains(t, err, want, script) {
			assert.ErrorContains(t, err, "app.lua:2", script)
		}
	}
	_, err := loadScript(t, `
		app:config { listen = { ":8080", "systemd:web" } }
		app:tcp("127.0.0.1:5432", { to = "10.0.0.1:1" })
		app:tcp("[::1]:5432", { to = "10.0.0.1:1" })
		app:udp(":8080", { to = "10.0.0.1:1" })
		app:tls { domains = "a.example", challenges = "http-01" }
		app:tls { domains = "b.example", redirect = ":80" }
	`, nil)
	assert.NoError(t, err)
}

func TestCheckReadsCertificates(t *testing.T) {
	dir := t.TempDir()
	writePair(t, filepath.Join(dir, "a.pem"), "a.example")
	writePair(t, filepath.Join(dir, "b.pem"), "b.example")
	for script, want := range map[string]string{
		`app:tls { cert = "nope.pem", key = "nope.pem" }`:           "nope.pem",
		`app:tls { cert = "a.pem", key = "b.pem" }`:                 "does not belong to the certificate",
		`app:tls { domains = "a.example", client_ca = "nope.pem" }`: "nope.pem",
		`app:tls { domains = "a.example", ca = "nope.pem" }`:        "nope.pem",
		`app:config { tls = { cert = "a.pem", key = "b.pem" } }`:    "does not belong to the certificate",
	} {
		p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: "\n" + script})
		require.NoError(t, err, script)
		faults := p.LookAtFiles()
		if assert.Len(t, faults, 1, script) {
			assert.ErrorContains(t, faults[0], want, script)
			assert.Equal(t, "app.lua:2", faults[0].At, script)
		}
		require.NoError(t, p.Close(t.Context()))
	}
	p, err := luabind.Load(luabind.Options{File: "app.lua", Dir: dir, Source: `app:tls { cert = "a.pem", key = "a.pem", domains = { "a.example", "c.example" } }`})
	require.NoError(t, err)
	assert.Empty(t, p.LookAtFiles())
	if doubts := p.Doubts(); assert.Len(t, doubts, 1) {
		assert.ErrorContains(t, doubts[0], `is not for the host "c.example"`)
	}
	require.NoError(t, p.Close(t.Context()))
	assert.NoDirExists(t, filepath.Join(dir, ".rws"), "looking made an authority")
}
