package luabind

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind/fault"
	"rws/server/certs/acme"
)

func TestTLSOptionsThatMakeNoSense(t *testing.T) {
	for script, want := range map[string]string{
		`app:tls {}`:                                                                                                     "say where certificates come from",
		`app:tls { domain = "a.example" }`:                                                                               `did you mean "domains"`,
		`app:tls { cert = "a.pem" }`:                                                                                     "key is missing",
		`app:tls { key = "a.pem" }`:                                                                                      "cert is missing",
		`app:tls { cert = "a", key = "a", issuer = "acme" }`:                                                             "leave out cert and key",
		`app:tls { cert = "a", key = "a", email = "x" }`:                                                                 "it is about certificates by ACME",
		`app:tls { cert = "a", key = "a", storage = "x" }`:                                                               "a file of its own",
		`app:tls { issuer = "locl" }`:                                                                                    `did you mean "local"`,
		`app:tls { issuer = "local", domains = "a b" }`:                                                                  `"a b"`,
		`app:tls { domains = "localhost", dns = {} }`:                                                                    "the local authority",
		`app:tls { domains = "a" }`:                                                                                      `"a" is no domain`,
		`app:tls { domains = "*.a.example" }`:                                                                            "dns-01 only",
		`app:tls { domains = "a.example", min = "1.1" }`:                                                                 "no version of TLS that is safe",
		`app:tls { domains = "a.example", min = "1.3", max = "1.2" }`:                                                    "older than min",
		`app:tls { domains = "a.example", client_auth = "require" }`:                                                     "client_ca is missing",
		`app:tls { domains = "a.example", client_ca = "a", client_auth = "no" }`:                                         `"no" is none of require, optional`,
		`app:tls { domains = "a.example", client_crl = "a" }`:                                                            "client_ca is missing",
		`app:tls { domains = "a.example", client_ca = {} }`:                                                              `option "client_ca": the list is empty`,
		`app:tls { domains = "a.example", client_ca = "a", client_crl = {} }`:                                            `option "client_crl": the list is empty`,
		`app:tls { cert = "a", key = "a", domains = {} }`:                                                                `option "domains": the list is empty`,
		`app:tls { domains = "a.example", ca = {} }`:                                                                     `option "ca": the list is empty`,
		`app:tls { domains = "a.example", challenges = {} }`:                                                             `option "challenges": the list is empty`,
		`app:tls { domains = "a.example", redirect = {} }`:                                                               `option "redirect": the list is empty`,
		`app:tls { domains = "a.example", directory = {} }`:                                                              `option "directory": the list is empty`,
		`app:tls { domains = "a.example", dns = { present = print, cleanup = print, resolvers = {} } }`:                  `option "dns.resolvers": the list is empty`,
		`app:tls { domains = "a.example", challenges = "http" }`:                                                         `no challenge "http"`,
		`app:tls { domains = "a.example", dns = { present = print } }`:                                                   "two functions are needed",
		`app:tls { domains = "a.example", directory = "http://ca" }`:                                                     "want https://",
		`app:tls { domains = "a.example", directory = { uri = "x" } }`:                                                   `did you mean "url"`,
		`app:tls { domains = "a.example", eab = { key_id = "a", key = "b" } }`:                                           "name its directory",
		`app:tls { domains = "a.example", directory = { "https://a", "https://b" }, eab = { key_id = "a", key = "b" } }`: "put it to its authority",
		`app:tls { on_demand = {} }`:                                                                                     "a function expected",
		`app:tls { on_demand = { ask = "ftp://x" } }`:                                                                    "want http:// or https://",
		`app:tls { domains = "a.example", redirect = "80" }`:                                                             `did you mean ":80"`,
		`app:host("a.example"):tls { domains = "a.example" }`:                                                            "call it on `app`",
		`rws.app():tls { domains = "a.example" }`:                                                                        "call it on `app`",
	} {
		_, err := Load(Options{File: "app.lua", Dir: t.TempDir(), Source: "\n" + script})
		if assert.ErrorContains(t, err, want, script) {
			e := err.(*fault.Error)
			assert.Equal(t, "app.lua:2", e.At, script)
		}
	}
}

func TestAnErrorOfAppTLSStandsAtItsOption(t *testing.T) {
	_, err := Load(Options{File: "app.lua", Dir: t.TempDir(), Source: "app:tls {\n  domains = \"a.example\",\n  min = \"1.0\",\n}"})
	require.Error(t, err)
	assert.Equal(t, "app.lua:3", err.(*fault.Error).At)
}

func TestLoadingAScriptMakesNoAuthority(t *testing.T) {
	dir := t.TempDir()
	p, err := Load(Options{File: "app.lua", Dir: dir, Source: `
		app:tls { issuer = "local" }
		app:tls { domains = "a.example", client_ca = "none.pem" }
	`})
	require.NoError(t, err, "files are read when the server starts")
	defer p.Close(t.Context())
	_, err = os.Stat(filepath.Join(dir, ".rws"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.Equal(t, []string{"*.localhost by the local authority (rws trust)", "a.example by the local authority (rws trust), in production by ACME, client certificates required"}, p.TLS())
	_, err = p.App.Settings.TLS.Open()
	require.Error(t, err)
	assert.Equal(t, "app.lua:3", err.(*fault.Error).At)
	assert.ErrorContains(t, err, "none.pem")
}

func TestTheLocalAuthorityStandsInForThePublicOneInDevelopment(t *testing.T) {
	for _, tt := range []struct{ env, script, want string }{
		{"development", `app:tls { domains = "a.example" }`, "a.example by the local authority (rws trust), in production by ACME"},
		{"production", `app:tls { domains = "a.example" }`, "a.example by ACME"},
		{"development", `app:tls { domains = "a.example", issuer = "acme" }`, "a.example by ACME"},
		{"development", `app:tls { domains = "a.example", directory = "https://ca.example/dir" }`, "a.example by ACME"},
		{"development", `app:tls { domains = "a.example", cert = "a.pem", key = "a.pem" }`, "a.pem for a.example"},
		{"production", `app:tls { issuer = "local" }`, "*.localhost by the local authority (rws trust)"},
		{"production", `app:tls { on_demand = { ask = print } }`, "names on demand by ACME"},
	} {
		p, err := Load(Options{File: "app.lua", Dir: t.TempDir(), Source: tt.script, Flags: map[string]string{"env": tt.env}})
		require.NoError(t, err, tt.script)
		assert.Equal(t, []string{tt.want}, p.TLS(), "%s in %s", tt.script, tt.env)
		p.Close(t.Context())
	}
	p, err := Load(Options{File: "app.lua", Dir: t.TempDir(), Source: `app:tls { domains = { "a.example", "*.b.example" }, on_demand = { ask = print }, dns = { present = print, cleanup = print } }`})
	require.NoError(t, err)
	defer p.Close(t.Context())
	store, err := p.App.Settings.TLS.Open()
	require.NoError(t, err)
	for name, want := range map[string]bool{"a.example": true, "c.b.example": true, "localhost": true, "shop.localhost": true, "c.example": false} {
		_, err := store.Certificate(&tls.ClientHelloInfo{ServerName: name})
		assert.Equal(t, want, err == nil, "%s: %v", name, err)
	}
}

func TestAnErrorOfAFunctionOfAppTLSHasItsPlace(t *testing.T) {
	p, err := Load(Options{File: "app.lua", Dir: t.TempDir(), Source: `
		app:tls { domains = "a.example", on_demand = { ask = function() error("no list") end }, dns = {
			present = function(zone) error("no such zone: " .. zone) end, cleanup = print,
		} }
	`})
	require.NoError(t, err)
	defer p.Close(t.Context())
	err = p.tls[0].acme.DNS.Present(t.Context(), acme.Record{Zone: "a.example"})
	assert.ErrorContains(t, err, "app.lua:3: ")
	assert.ErrorContains(t, err, "no such zone: a.example")
	assert.ErrorContains(t, p.tls[0].acme.Ask(t.Context(), "b.example"), "app.lua:2: ")
}

func TestOnlyTrueAllowsACertificate(t *testing.T) {
	for result, want := range map[string]string{"true": "", "false": "does not allow", "nil": "does not allow", "": "does not allow", "1": "returned a number", `"yes"`: "returned a string"} {
		p, err := Load(Options{File: "app.lua", Dir: t.TempDir(), Source: "app:tls { on_demand = { ask = function() return " + result + " end } }"})
		require.NoError(t, err)
		err = p.tls[0].acme.Ask(t.Context(), "b.example")
		if want == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, want)
			assert.ErrorContains(t, err, "app.lua:1")
			assert.Equal(t, want == "does not allow", errors.Is(err, acme.ErrRefused), result)
		}
		p.Close(t.Context())
	}
}
