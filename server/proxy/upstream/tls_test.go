package upstream_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/certs"
	"rws/server/proxy/discover"
	"rws/server/proxy/health"
	"rws/server/proxy/upstream"
)

// secured is a server whose certificate names api.internal, that tells who the client is and what
// name it asked for, and the file of its authority.
func secured(t *testing.T) (url, ca string) {
	cert, err := certs.SelfSigned("api.internal")
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			who = r.TLS.PeerCertificates[0].DNSNames[0]
		}
		io.WriteString(w, who+" at "+r.TLS.ServerName)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, "CERTIFICATE", cert.Certificate[0])
	return s.URL, ca
}

func write(t *testing.T, file, kind string, der []byte) {
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// identity writes a certificate of this name and its key.
func identity(t *testing.T, dir, name string) (cert, key string) {
	pair, err := certs.SelfSigned(name)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	cert, key = filepath.Join(dir, "me.pem"), filepath.Join(dir, "me.key")
	write(t, cert, "CERTIFICATE", pair.Certificate[0])
	write(t, key, "PRIVATE KEY", der)
	return cert, key
}

func TestATLSBackendIsVerified(t *testing.T) {
	url, ca := secured(t)
	for name, c := range map[string]struct {
		tls  upstream.TLS
		want string // in the answer, or in the error
	}{
		"by the system":       {upstream.TLS{}, "certificate"},
		"by another name":     {upstream.TLS{CA: ca}, "127.0.0.1"},
		"as it should be":     {upstream.TLS{CA: ca, ServerName: "api.internal"}, "nobody at api.internal"},
		"not at all":          {upstream.TLS{Insecure: true, ServerName: "x.test"}, "nobody at x.test"},
		"by a config in code": {upstream.TLS{ServerName: "api.internal", Config: &tls.Config{InsecureSkipVerify: true}}, "nobody at api.internal"},
	} {
		t.Run(name, func(t *testing.T) {
			p := pool(t, upstream.Options{Targets: targets(url), TLS: c.tls})
			text, err := ask(p, get())
			if err != nil {
				text = err.Error()
			}
			assert.Contains(t, text, c.want)
			assert.Equal(t, name == "as it should be" || name[0] == 'n' || name == "by a config in code", err == nil)
		})
	}
}

func TestInsecureIsLoud(t *testing.T) {
	var log bytes.Buffer
	pool(t, upstream.Options{TLS: upstream.TLS{Insecure: true}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	assert.Contains(t, log.String(), "level=WARN")
	assert.Contains(t, log.String(), "NOT verified")
}

func TestABackendFromDNSIsVerifiedByItsName(t *testing.T) {
	url, ca := secured(t)
	p := pool(t, upstream.Options{TLS: upstream.TLS{CA: ca}, Targets: []discover.Target{{URL: url, Host: "api.internal"}},
		Health: &health.Check{Every: 10 * time.Millisecond, Timeout: 2 * time.Second}})
	p.Start(t.Context())
	text, err := ask(p, get())
	require.NoError(t, err)
	assert.Equal(t, "nobody at api.internal", text)
	soon(t, "the check ends well", func() bool { return p.Status()[0].Health.State == health.Up })
}

func TestTheClientCertificateFollowsItsFiles(t *testing.T) {
	url, ca := secured(t)
	dir := t.TempDir()
	cert, key := identity(t, dir, "first.test")
	p := pool(t, upstream.Options{Targets: targets(url), Timeout: upstream.Timeout{MaxAge: time.Nanosecond},
		TLS: upstream.TLS{CA: ca, ServerName: "api.internal", Cert: cert, Key: key}})
	text, err := ask(p, get())
	require.NoError(t, err)
	assert.Equal(t, "first.test at api.internal", text)

	identity(t, dir, "second.test")
	later := time.Now().Add(time.Minute)
	require.NoError(t, os.Chtimes(cert, later, later))
	soon(t, "the new one is shown", func() bool {
		text, err := ask(p, get())
		require.NoError(t, err)
		return text == "second.test at api.internal"
	})

	require.NoError(t, os.WriteFile(key, []byte("half"), 0o600))
	text, err = ask(p, get())
	require.NoError(t, err)
	assert.Equal(t, "second.test at api.internal", text, "one that cannot be read leaves the last in use")
}
