package server_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
	"rws/server/certs"
	"rws/server/certs/local"
)

// inMemory is a source of certificates that sign themselves, and of the answers to challenges.
type inMemory struct {
	starts, closes atomic.Int64
	ports          atomic.Pointer[certs.Ports]
	challenge      tls.Certificate
}

func (*inMemory) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	pair, err := certs.SelfSigned(hello.ServerName)
	return &pair, err
}

func (m *inMemory) ChallengeHTTP(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/.well-known/acme-challenge/known" {
		return false
	}
	_, _ = io.WriteString(w, "known.key")
	return true
}

func (m *inMemory) ChallengeTLS(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if m.challenge.Certificate == nil {
		return nil, errors.New("nobody is expected")
	}
	return &m.challenge, nil
}

func (m *inMemory) Start(_ context.Context, at certs.Ports) error {
	m.starts.Add(1)
	m.ports.Store(&at)
	return nil
}

func (m *inMemory) Close() error { m.closes.Add(1); return nil }

// clientAuthority makes the authority of clients, in a file, and a certificate of it.
func clientAuthority(t *testing.T) (file string, cert tls.Certificate) {
	t.Helper()
	make := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		if signer == nil {
			signer = key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
		require.NoError(t, err)
		return der, key
	}
	root := &x509.Certificate{Subject: pkix.Name{CommonName: "clients"}, SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, key := make(root, root, nil)
	file = filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "ann"}, SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, key = make(leaf, root, key)
	return file, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// opens is TLS of sites.
func opens(sites ...certs.Site) server.TLS {
	return server.TLS{Open: func() (*certs.Store, error) {
		return certs.Open(certs.Options{Logger: slog.New(slog.DiscardHandler)}, sites...)
	}}
}

// askOver sends a request for host over a connection for name.
func askOver(t *testing.T, addr, name, host string, h2 bool, cert ...tls.Certificate) (int, error) {
	t.Helper()
	c := client(t, func(tr *http.Transport) {
		tr.TLSClientConfig = &tls.Config{ServerName: name, InsecureSkipVerify: true, Certificates: cert}
		tr.ForceAttemptHTTP2 = h2
	})
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+addr+"/", nil)
	require.NoError(t, err)
	r.Host = host
	res, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	res.Body.Close()
	if h2 {
		assert.Equal(t, 2, res.ProtoMajor)
	}
	return res.StatusCode, nil
}

func TestAHostWithClientCertificatesHasConnectionsOfItsOwn(t *testing.T) {
	ca, ann := clientAuthority(t)
	source := &inMemory{}
	a := app(map[string]http.Handler{"/": proto})
	a.Settings.TLS = opens(
		certs.Site{Hosts: []string{"open.example"}, Source: source},
		certs.Site{Hosts: []string{"closed.example"}, Source: source, Client: certs.ClientAuth{CA: []string{ca}}},
	)
	s := run(t, a, server.Options{})
	for _, h2 := range []bool{false, true} {
		for _, tt := range []struct {
			name, host string
			cert       []tls.Certificate
			want       int // 0 for a connection that is refused
		}{
			{"open.example", "open.example", nil, 200},
			{"open.example", "closed.example", nil, 421},
			{"open.example", "closed.example", []tls.Certificate{ann}, 421},
			{"open.example", "CLOSED.example.:443", nil, 421},
			{"unknown.example", "closed.example", nil, 421},
			{"closed.example", "closed.example", nil, 0},
			{"closed.example", "closed.example", []tls.Certificate{ann}, 200},
			{"closed.example", "open.example", []tls.Certificate{ann}, 421},
		} {
			status, err := askOver(t, address(s), tt.name, tt.host, h2, tt.cert...)
			assert.Equal(t, tt.want, status, "over %s for %s (h2 %v): %v", tt.name, tt.host, h2, err)
		}
	}
}

func TestARedirectLeadsToTheSameHostOverTLS(t *testing.T) {
	source := &inMemory{}
	a := app(map[string]http.Handler{"/": proto})
	a.Settings.TLS = opens(certs.Site{Source: source})
	a.Settings.TLS.Redirect = []string{"127.0.0.1:0"}
	s := run(t, a, server.Options{})
	plain := s.RedirectAddrs()[0].String()
	_, port, err := net.SplitHostPort(address(s))
	require.NoError(t, err)
	for _, tt := range []struct {
		method, host, target string
		status               int
		location             string
	}{
		{"GET", "a.example", "/x?y=1", 308, "https://a.example:" + port + "/x?y=1"},
		{"POST", "a.example:80", "/", 308, "https://a.example:" + port + "/"},
		{"GET", "localhost", "/", 308, "https://localhost:" + port + "/"},
		{"GET", "a.example", "//evil.example/", 308, "https://a.example:" + port + "//evil.example/"},
		{"GET", "a.example@evil.example", "/", 400, ""},
		{"GET", "a.example/x", "/", 400, ""},
		{"GET", "", "/", 400, ""},
		{"GET", "a.example", "/.well-known/acme-challenge/known", 200, ""},
		{"GET", "a.example", "/.well-known/acme-challenge/made-up", 404, ""},
	} {
		conn, err := net.Dial("tcp", plain)
		require.NoError(t, err)
		_, err = io.WriteString(conn, tt.method+" "+tt.target+" HTTP/1.1\r\nHost: "+tt.host+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, "%+v", tt)
		conn.Close()
		if tt.target == "//evil.example/" && res.StatusCode == 400 {
			continue // refusing the path is as good
		}
		assert.Equal(t, tt.status, res.StatusCode, "%+v", tt)
		assert.Equal(t, tt.location, res.Header.Get("Location"), "%+v", tt)
	}
	assert.Equal(t, s.RedirectAddrs()[0].(*net.TCPAddr).Port, source.ports.Load().HTTP)
	assert.Equal(t, port, s.Addrs()[0].String()[strings.LastIndexByte(s.Addrs()[0].String(), ':')+1:])
}

func TestARedirectLeadsToNoForeignHost(t *testing.T) {
	for _, tt := range []struct {
		site certs.Site
		want map[string]int
	}{
		{certs.Site{Source: &inMemory{}, Hosts: []string{"a.example", "*.b.example"}}, map[string]int{
			"a.example": 308, "A.EXAMPLE.:80": 308, "x.b.example": 308, "localhost": 308,
			"evil.example": 421, "b.example": 421, "x.y.b.example": 421, "192.0.2.1": 421, "127.0.0.1:80": 421, "[::1]:80": 421,
		}},
		{certs.Site{Source: &inMemory{}, Hosts: []string{"a.example"}, Rest: true}, map[string]int{"a.example": 308, "other.example": 308, "[::1]": 421, "192.0.2.1": 421}},
		{certs.Site{Pairs: []certs.Pair{pairFor(t, "a.example", "192.0.2.1")}}, map[string]int{"a.example": 308, "192.0.2.1:80": 308, "192.0.2.2": 421, "evil.example": 421}},
		{certs.Site{Pairs: []certs.Pair{pairFor(t, "127.0.0.1")}}, map[string]int{"127.0.0.1": 308, "[::ffff:127.0.0.1]": 308, "[::1]:80": 421, "127.0.0.2": 421}},
		{certs.Site{Source: localAuthority(t), Hosts: []string{"a.example"}}, map[string]int{"127.0.0.1": 308, "[::1]:80": 308, "x.localhost": 308, "192.0.2.1": 421, "evil.example": 421}},
	} {
		a := app(map[string]http.Handler{"/": proto})
		a.Settings.TLS = opens(tt.site)
		a.Settings.TLS.Redirect = []string{"127.0.0.1:0"}
		s := run(t, a, server.Options{})
		for host, want := range tt.want {
			r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.RedirectAddrs()[0].String()+"/", nil)
			require.NoError(t, err)
			r.Host = host
			res, err := client(t, func(*http.Transport) {}).Do(r)
			require.NoError(t, err)
			res.Body.Close()
			assert.Equal(t, want, res.StatusCode, host)
			assert.Equal(t, want == 308, res.Header.Get("Location") != "", host)
		}
	}
}

func localAuthority(t *testing.T) *local.Authority {
	a, err := local.Open(filepath.Join(t.TempDir(), "ca"))
	require.NoError(t, err)
	return a
}

// pairFor writes a certificate that signs itself.
func pairFor(t *testing.T, hosts ...string) certs.Pair {
	t.Helper()
	made, err := certs.SelfSigned(hosts...)
	require.NoError(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "both.pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return certs.Pair{CertFile: file, KeyFile: file}
}

func TestAVisitOfAnAuthorityCarriesNoRequest(t *testing.T) {
	pair, err := certs.SelfSigned("a.example")
	require.NoError(t, err)
	a := app(map[string]http.Handler{"/": proto})
	a.Settings.TLS = opens(certs.Site{Source: &inMemory{challenge: pair}})
	s := run(t, a, server.Options{})
	conn, err := tls.Dial("tcp", address(s), &tls.Config{ServerName: "a.example", NextProtos: []string{certs.ChallengeProtocol}, InsecureSkipVerify: true})
	require.NoError(t, err)
	defer conn.Close()
	assert.Equal(t, pair.Certificate[0], conn.ConnectionState().PeerCertificates[0].Raw)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
	got, _ := io.ReadAll(conn)
	assert.Empty(t, string(got))
}

func TestASwapTakesOtherCertificates(t *testing.T) {
	ca, ann := clientAuthority(t)
	old, next := &inMemory{}, &inMemory{}
	a := app(map[string]http.Handler{"/": proto})
	a.Settings.TLS = opens(certs.Site{Source: old})
	s := run(t, a, server.Options{})
	kept := client(t, func(tr *http.Transport) {
		tr.TLSClientConfig = &tls.Config{ServerName: "a.example", InsecureSkipVerify: true}
	})
	status, _ := get(t, kept, "https://"+address(s)+"/")
	require.Equal(t, 200, status)

	b := app(map[string]http.Handler{"/": proto})
	b.Settings = a.Settings
	b.Settings.TLS = opens(certs.Site{Hosts: []string{"127.0.0.1", "a.example"}, Source: next, Client: certs.ClientAuth{CA: []string{ca}}})
	require.NoError(t, s.Swap(b))
	status, _ = get(t, kept, "https://"+address(s)+"/")
	assert.Equal(t, 421, status, "a connection of before gets past what is asked now")
	status, err := askOver(t, address(s), "a.example", "a.example", false)
	assert.Error(t, err, "%d", status)
	status, err = askOver(t, address(s), "a.example", "a.example", false, ann)
	require.NoError(t, err)
	assert.Equal(t, 200, status)
	assert.Equal(t, int64(1), next.starts.Load())
	require.Eventually(t, func() bool { return old.closes.Load() == 1 }, 10*time.Second, time.Millisecond)

	c := app(map[string]http.Handler{"/": proto})
	c.Settings = a.Settings
	c.Settings.TLS = server.TLS{Open: func() (*certs.Store, error) { return nil, errors.New("no such file") }}
	assert.ErrorContains(t, s.Swap(c), "no such file")
	assert.Zero(t, next.closes.Load(), "the certificates of the app that stays end")

	d := app(map[string]http.Handler{"/": proto})
	d.Settings = a.Settings
	d.Settings.TLS = server.TLS{}
	var restart *server.RestartError
	assert.ErrorAs(t, s.Swap(d), &restart)
	require.NoError(t, s.Shutdown(t.Context()))
	assert.Equal(t, int64(1), next.closes.Load())
}

func TestARedirectWithoutTLSIsAMistake(t *testing.T) {
	_, err := server.Compile(&server.App{Settings: server.Settings{TLS: server.TLS{Redirect: []string{":80"}}}})
	assert.ErrorContains(t, err, "there is no certificate")
}
