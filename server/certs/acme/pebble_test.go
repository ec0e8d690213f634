package acme_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/certs"
	"rws/server/certs/acme"
	"rws/spec_test/logtext"
	"rws/spec_test/peers"
)

var (
	_ certs.Source     = (*acme.Manager)(nil)
	_ certs.Starter    = (*acme.Manager)(nil)
	_ certs.Challenger = (*acme.Manager)(nil)
)

// site is a server that gets its certificates by ACME.
type site struct {
	store *certs.Store
	log   *logtext.Buffer
	addr  string
	visit atomic.Int64 // visits for http-01
}

// serve starts a server at the ports that the authority visits.
func serve(t *testing.T, a *peers.Authority, o acme.Options, change ...func(*acme.Manager)) *site {
	t.Helper()
	s := &site{log: &logtext.Buffer{}}
	o.Logger = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.Directories == nil {
		o.Directories = []acme.Directory{{URL: a.Directory}}
	}
	o.Roots = []string{a.RootFile}
	if o.Storage == "" {
		o.Storage = filepath.Join(t.TempDir(), "certs")
	}
	manager, err := acme.New(o)
	require.NoError(t, err)
	for _, f := range change {
		f(manager)
	}
	s.store, err = certs.Open(certs.Options{Logger: o.Logger}, certs.Site{Source: manager})
	require.NoError(t, err)
	s.addr = s.listen(t, a.TLSPort)
	plain, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", a.HTTPPort))
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.store.Challenge(w, r) {
			s.visit.Add(1)
			return
		}
		http.NotFound(w, r)
	})}
	go func() { _ = server.Serve(plain) }()
	t.Cleanup(func() { server.Close() })
	require.NoError(t, s.store.Start(t.Context(), certs.Ports{HTTP: a.HTTPPort, TLS: a.TLSPort}))
	t.Cleanup(func() {
		assert.NoError(t, s.store.Close())
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	return s
}

func (s *site) listen(t *testing.T, port int) string {
	t.Helper()
	l, err := tls.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port), s.store.Config())
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if c.(*tls.Conn).Handshake() == nil {
					_, _ = io.Copy(io.Discard, c)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// shown is the certificate that a client gets which trusts the authority alone.
func (s *site) shown(a *peers.Authority, roots *x509.CertPool, name string) (*x509.Certificate, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 20 * time.Second}, "tcp", s.addr, &tls.Config{ServerName: name, RootCAs: roots})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

// eventually waits for a certificate.
func (s *site) eventually(t *testing.T, a *peers.Authority, name string) *x509.Certificate {
	t.Helper()
	roots := rootsOf(t, a)
	var cert *x509.Certificate
	require.Eventually(t, func() (ok bool) {
		c, err := s.shown(a, roots, name)
		cert = c
		return err == nil
	}, 30*time.Second, 50*time.Millisecond, "no certificate for %s", name)
	return cert
}

func rootsOf(t *testing.T, a *peers.Authority) *x509.CertPool {
	t.Helper()
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(a.IssuerPEM(t)))
	return roots
}

func TestHTTP01(t *testing.T) {
	a := peers.Pebble(t, peers.PebbleOptions{})
	s := serve(t, a, acme.Options{Domains: []string{"Web.example.test"}, Challenges: []acme.Challenge{acme.HTTP01}, Email: "ann@example.test"})
	cert := s.eventually(t, a, "web.example.test")
	assert.Equal(t, []string{"web.example.test"}, cert.DNSNames)
	assert.Positive(t, s.visit.Load(), "the authority came by another way")

	for _, path := range []string{"/.well-known/acme-challenge/", "/.well-known/acme-challenge/made-up", "/other"} {
		r := httptest.NewRequest("GET", "http://web.example.test"+path, nil)
		assert.False(t, s.store.Challenge(httptest.NewRecorder(), r), "%s is answered", path)
	}
}

func TestTLSALPN01(t *testing.T) {
	a := peers.Pebble(t, peers.PebbleOptions{})
	s := serve(t, a, acme.Options{Domains: []string{"a.example.test", "b.example.test"}, Challenges: []acme.Challenge{acme.TLSALPN01}})
	s.eventually(t, a, "a.example.test")
	s.eventually(t, a, "b.example.test")
	assert.Zero(t, s.visit.Load())

	_, err := tls.Dial("tcp", s.addr, &tls.Config{ServerName: "a.example.test", NextProtos: []string{certs.ChallengeProtocol}, InsecureSkipVerify: true})
	assert.Error(t, err, "a challenge that nobody has begun is answered")
}

func TestDNS01(t *testing.T) {
	a := peers.Pebble(t, peers.PebbleOptions{})
	var mu sync.Mutex
	var did []string
	note := func(what string, r acme.Record) {
		mu.Lock()
		defer mu.Unlock()
		did = append(did, what+" "+r.Name+" in "+r.Zone)
	}
	s := serve(t, a, acme.Options{Domains: []string{"*.example.test"}, DNS: &acme.DNS{
		Zone: "example.test", Resolvers: []string{a.DNS},
		Present: func(_ context.Context, r acme.Record) error { note("present", r); return a.Text(r.Name, r.Value) },
		Cleanup: func(_ context.Context, r acme.Record) error { note("cleanup", r); return a.Text(r.Name, "") },
	}})
	cert := s.eventually(t, a, "any.example.test")
	assert.Equal(t, []string{"*.example.test"}, cert.DNSNames)
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, []string{"present _acme-challenge.example.test in example.test", "cleanup _acme-challenge.example.test in example.test"}, did)
}

func TestOnDemand(t *testing.T) {
	a := peers.Pebble(t, peers.PebbleOptions{})
	var asked atomic.Int64
	s := serve(t, a, acme.Options{Ask: func(_ context.Context, name string) error {
		asked.Add(1)
		if strings.HasSuffix(name, ".customers.test") {
			return nil
		}
		return fmt.Errorf("%w: no customer", acme.ErrRefused)
	}})
	roots := rootsOf(t, a)
	cert, err := s.shown(a, roots, "one.customers.test")
	require.NoError(t, err)
	assert.Equal(t, []string{"one.customers.test"}, cert.DNSNames)
	before := asked.Load()
	for range 3 {
		_, err = s.shown(a, roots, "evil.test")
		assert.Error(t, err)
	}
	assert.Equal(t, before+1, asked.Load(), "the same name is asked about again and again")
	assert.NotContains(t, s.log.String(), "level=ERROR", "a refusal is no fault")
	for _, name := range []string{"", "localhost", "ok..customers.test", "*.customers.test", strings.Repeat("a", 64) + ".customers.test", "a b.customers.test"} {
		_, err = s.shown(a, roots, name)
		assert.Error(t, err, "%q", name)
	}
	assert.Equal(t, before+1, asked.Load(), "what is no domain is asked about")
}

// TestEachEmailHasItsAccount: none is one of its own.
func TestEachEmailHasItsAccount(t *testing.T) {
	a := peers.Pebble(t, peers.PebbleOptions{})
	storage := filepath.Join(t.TempDir(), "certs")
	get := func(o acme.Options) {
		o.Storage, o.Directories, o.Roots, o.Logger = storage, []acme.Directory{{URL: a.Directory}}, []string{a.RootFile}, slog.New(slog.DiscardHandler)
		o.DNS = &acme.DNS{Zone: "example.test", Wait: -1,
			Present: func(_ context.Context, r acme.Record) error { return a.Text(r.Name, r.Value) },
			Cleanup: func(_ context.Context, r acme.Record) error { return a.Text(r.Name, "") }}
		m, err := acme.New(o)
		require.NoError(t, err)
		require.NoError(t, m.Start(t.Context(), certs.Ports{}))
		defer m.Close()
		require.Eventually(t, func() bool {
			files, _ := filepath.Glob(filepath.Join(storage, "certificates", "*", o.Domains[0], "*.crt"))
			return len(files) > 0
		}, 30*time.Second, 50*time.Millisecond)
	}
	get(acme.Options{Domains: []string{"a.example.test"}, Email: "ann@example.test"})
	get(acme.Options{Domains: []string{"b.example.test"}})
	found, err := filepath.Glob(filepath.Join(storage, "acme", "*", "users", "*"))
	require.NoError(t, err)
	for i, path := range found {
		found[i] = filepath.Base(path)
	}
	assert.ElementsMatch(t, []string{"ann@example.test", "default"}, found)
}

func TestAskURL(t *testing.T) {
	var got string
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.RawQuery
		switch r.FormValue("domain") {
		case "yes.test":
		case "moved.test":
			http.Redirect(w, r, "/?domain=yes.test", http.StatusFound)
		case "broken.test":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer asked.Close()
	ask, err := acme.AskURL(asked.URL + "/?key=1")
	require.NoError(t, err)
	assert.NoError(t, ask(t.Context(), "yes.test"))
	assert.Equal(t, "domain=yes.test&key=1", got)
	assert.ErrorIs(t, ask(t.Context(), "no.test"), acme.ErrRefused)
	assert.ErrorIs(t, ask(t.Context(), "moved.test"), acme.ErrRefused)
	err = ask(t.Context(), "broken.test")
	assert.Error(t, err)
	assert.NotErrorIs(t, err, acme.ErrRefused, "it can't tell")
	asked.Close()
	err = ask(t.Context(), "yes.test")
	assert.Error(t, err, "no answer is yes")
	assert.NotErrorIs(t, err, acme.ErrRefused)
	assert.NotContains(t, err.Error(), "key=1")
	_, err = acme.AskURL("ftp://x")
	assert.Error(t, err)
}

// Pebble fails to renew what it gave a serial number of less than eight bytes, which is one in 256;
// that both names have one is unlikely enough.
func TestRenewal(t *testing.T) {
	a := peers.Pebble(t, peers.PebbleOptions{Valid: time.Hour})
	names := []string{"a.example.test", "b.example.test"}
	hasty := func(m *acme.Manager) { m.Hasty(100*time.Millisecond, 0.999) } // after about three seconds
	s := serve(t, a, acme.Options{Domains: names}, hasty)
	roots := rootsOf(t, a)
	first := map[string]*x509.Certificate{}
	for _, name := range names {
		if cert := s.eventually(t, a, name); cert.SerialNumber.BitLen() > 56 {
			first[name] = cert
		}
	}
	require.NotEmpty(t, first)
	for name, old := range first {
		require.Eventually(t, func() bool {
			cert, err := s.shown(a, roots, name)
			return err == nil && cert.SerialNumber.Cmp(old.SerialNumber) != 0
		}, 30*time.Second, 50*time.Millisecond, "%s is never renewed", name)
	}
	assert.Contains(t, s.log.String(), "renewal=true")
}

func TestStoredCertificatesAreThereAtOnceWhileTheAuthorityIsNot(t *testing.T) {
	a := peers.Pebble(t, peers.PebbleOptions{})
	storage := filepath.Join(t.TempDir(), "certs")
	s := serve(t, a, acme.Options{Domains: []string{"a.example.test"}, Storage: storage})
	first := s.eventually(t, a, "a.example.test")
	roots := rootsOf(t, a)
	a.Stop(t)
	again, err := acme.New(acme.Options{Domains: []string{"a.example.test"}, Storage: storage, Directories: []acme.Directory{{URL: a.Directory}}, Roots: []string{a.RootFile}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	next := &site{log: &logtext.Buffer{}}
	next.store, err = certs.Open(certs.Options{}, certs.Site{Source: again})
	require.NoError(t, err)
	require.NoError(t, next.store.Start(t.Context(), certs.Ports{TLS: a.TLSPort}))
	defer next.store.Close()
	next.addr = next.listen(t, 0)
	cert, err := next.shown(a, roots, "a.example.test")
	require.NoError(t, err)
	assert.True(t, first.Equal(cert))

	require.NoError(t, filepath.WalkDir(storage, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		assert.Zero(t, info.Mode().Perm()&0o077, "others may read %s", path)
		return err
	}))
}

func TestTheNextAuthorityIsTriedWhenOneFails(t *testing.T) {
	a := peers.Pebble(t, peers.PebbleOptions{})
	s := serve(t, a, acme.Options{Domains: []string{"a.example.test"}, Directories: []acme.Directory{{URL: "https://127.0.0.1:1/dir"}, {URL: a.Directory}}})
	s.eventually(t, a, "a.example.test")
}

func TestExternalAccounts(t *testing.T) {
	key := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32))
	a := peers.Pebble(t, peers.PebbleOptions{EAB: map[string]string{"me": key}})
	s := serve(t, a, acme.Options{Domains: []string{"a.example.test"}, Directories: []acme.Directory{{URL: a.Directory, KeyID: "me", MACKey: key}}})
	s.eventually(t, a, "a.example.test")
	assert.NotContains(t, s.log.String(), key)
}
