package certs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rws/server/certs"
)

// writePair writes a certificate and its key as two files.
func writePair(t *testing.T, folder, name string, cert tls.Certificate) certs.Pair {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	p := certs.Pair{CertFile: filepath.Join(folder, name+".pem"), KeyFile: filepath.Join(folder, name+".key")}
	write(t, p.CertFile, encode("CERTIFICATE", cert.Certificate[0]))
	write(t, p.KeyFile, encode("PRIVATE KEY", key))
	return p
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func selfSigned(t *testing.T, hosts ...string) tls.Certificate {
	t.Helper()
	cert, err := certs.SelfSigned(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// dated makes a certificate that is valid between two times.
func dated(t *testing.T, from, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "old.example"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// handshake connects to a server with the configuration and returns what the client saw.
func handshake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	client.InsecureSkipVerify = client.RootCAs == nil
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	conn := tls.Client(c, client)
	err = conn.Handshake()
	return conn.ConnectionState(), err
}

// shown returns the first name of the certificate that a client asking for name gets.
func shown(t *testing.T, s *certs.Store, name string) string {
	t.Helper()
	state, err := handshake(t, s.Config(), &tls.Config{ServerName: name})
	if err != nil {
		t.Error(err)
		return ""
	}
	return state.PeerCertificates[0].Subject.CommonName
}

func TestCertificateByServerName(t *testing.T) {
	folder := t.TempDir()
	s, err := certs.New(
		writePair(t, folder, "default", selfSigned(t, "default.example")),
		writePair(t, folder, "wild", selfSigned(t, "*.example.com")),
		writePair(t, folder, "exact", selfSigned(t, "api.example.com", "Upper.example")),
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"":                  "default.example",
		"default.example":   "default.example",
		"unknown.example":   "default.example",
		"www.example.com":   "*.example.com",
		"WWW.Example.COM":   "*.example.com",
		"api.example.com":   "api.example.com",
		"a.b.example.com":   "default.example",
		"example.com":       "default.example",
		"upper.example":     "api.example.com",
		"*.example.com.org": "default.example",
	} {
		if got := shown(t, s, name); got != want {
			t.Errorf("%q gets %q, want %q", name, got, want)
		}
	}
}

func TestCertificateTheClientSupports(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{DNSNames: []string{"a.example"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	s := certs.Static(selfSigned(t, "a.example"), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf})
	for suite, want := range map[uint16]x509.PublicKeyAlgorithm{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: x509.ECDSA,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:   x509.RSA,
	} {
		state, err := handshake(t, s.Config(), &tls.Config{ServerName: "a.example", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
		if err != nil {
			t.Fatal(err)
		}
		if got := state.PeerCertificates[0].PublicKeyAlgorithm; got != want {
			t.Errorf("got a certificate with %v, want %v", got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	s := certs.Static(selfSigned(t))
	if _, err := handshake(t, s.Config(), &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
	for _, proto := range []string{"h2", "http/1.1"} {
		state, err := handshake(t, s.Config(), &tls.Config{NextProtos: []string{proto}})
		if err != nil || state.NegotiatedProtocol != proto {
			t.Errorf("%s: negotiated %q, %v", proto, state.NegotiatedProtocol, err)
		}
	}
}

func TestSelfSignedIsTrustedByWhoTrustsIt(t *testing.T) {
	cert := selfSigned(t)
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if _, err := handshake(t, certs.Static(cert).Config(), &tls.Config{ServerName: name, RootCAs: roots}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := handshake(t, certs.Static(cert).Config(), &tls.Config{ServerName: "other", RootCAs: roots}); err == nil {
		t.Error("it is trusted for another name")
	}
}

func TestErrorsNameFileAndCause(t *testing.T) {
	folder := t.TempDir()
	a := writePair(t, folder, "a", selfSigned(t, "a.example"))
	b := writePair(t, folder, "b", selfSigned(t, "b.example"))
	junk, locked, broken := filepath.Join(folder, "junk"), filepath.Join(folder, "locked"), filepath.Join(folder, "broken")
	write(t, junk, "not PEM")
	write(t, locked, encode("ENCRYPTED PRIVATE KEY", []byte("x")))
	write(t, broken, encode("CERTIFICATE", []byte("x")))
	missing := filepath.Join(folder, "missing.pem")
	tests := []struct {
		name, cert, key string
		want            string
	}{
		{"no certificate file", missing, a.KeyFile, `certificate "` + missing + `": file does not exist`},
		{"no key file", a.CertFile, missing, `key "` + missing + `": file does not exist`},
		{"key not named", a.CertFile, "", "the key file is not named"},
		{"another key", a.CertFile, b.KeyFile, `key "` + b.KeyFile + `": it does not belong to the certificate "` + a.CertFile + `"`},
		{"swapped", a.KeyFile, a.CertFile, "are cert and key swapped?"},
		{"key file is a certificate", a.CertFile, b.CertFile, "are cert and key swapped?"},
		{"no PEM certificate", junk, a.KeyFile, `certificate "` + junk + `": it holds no certificate in PEM form`},
		{"no PEM key", a.CertFile, junk, `key "` + junk + `": it holds no private key in PEM form`},
		{"locked key", a.CertFile, locked, "openssl pkey -in " + locked},
		{"broken certificate", broken, a.KeyFile, `certificate "` + broken + `" with key`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := certs.Load(tt.cert, tt.key)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	if _, err := certs.Load(missing, a.KeyFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	if _, err := certs.New(); err == nil {
		t.Error("a store of nothing")
	}
	_, err := certs.New(certs.Pair{CertFile: missing, KeyFile: missing}, certs.Pair{CertFile: junk, KeyFile: junk})
	if err == nil || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), junk) {
		t.Errorf("not both failures are named: %v", err)
	}
}

func TestReload(t *testing.T) {
	folder := t.TempDir()
	a := writePair(t, folder, "a", selfSigned(t, "a1.example"))
	b := writePair(t, folder, "b", selfSigned(t, "b1.example"))
	s, err := certs.New(a, b)
	if err != nil {
		t.Fatal(err)
	}
	config := s.Config()

	writePair(t, folder, "a", selfSigned(t, "a2.example"))
	write(t, b.KeyFile, "broken")
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), b.KeyFile) || !strings.Contains(err.Error(), "the certificate in use stays") {
		t.Errorf("got %v", err)
	}
	if got := shown(t, s, "a2.example"); got != "a2.example" {
		t.Errorf("the good pair was not replaced: %q", got)
	}
	if got := shown(t, s, "b1.example"); got != "b1.example" {
		t.Errorf("the broken pair did not keep its certificate: %q", got)
	}

	writePair(t, folder, "b", selfSigned(t, "b2.example"))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	state, err := handshake(t, config, &tls.Config{ServerName: "b2.example"})
	if err != nil || state.PeerCertificates[0].Subject.CommonName != "b2.example" {
		t.Errorf("a configuration made before does not see the new certificate: %v", err)
	}
	if err := certs.Static(selfSigned(t)).Reload(); err != nil {
		t.Errorf("reloading what is in memory: %v", err)
	}
}

func TestReloadWhileServing(t *testing.T) {
	folder := t.TempDir()
	p := writePair(t, folder, "a", selfSigned(t, "a.example"))
	s, err := certs.Load(p.CertFile, p.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				if err := s.Reload(); err != nil {
					t.Error(err)
				}
				shown(t, s, "a.example")
			}
		})
	}
	group.Wait()
}

func TestWarnings(t *testing.T) {
	now, day := time.Now(), 24*time.Hour
	tests := []struct {
		name        string
		from, until time.Time
		want        string
	}{
		{"expired", now.Add(-9 * day), now.Add(-2 * day), "expired on " + now.Add(-2*day).UTC().Format(time.DateOnly)},
		{"future", now.Add(day), now.Add(99 * day), "is not valid before"},
		{"ending", now.Add(-day), now.Add(3 * day), "expires on " + now.Add(3*day).UTC().Format(time.DateOnly)},
		{"good", now.Add(-day), now.Add(99 * day), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := writePair(t, t.TempDir(), "a", dated(t, tt.from, tt.until))
			s, err := certs.Load(p.CertFile, p.KeyFile)
			if err != nil {
				t.Fatalf("a date keeps it from loading: %v", err)
			}
			got := s.Warnings()
			if tt.want == "" {
				if len(got) > 0 {
					t.Errorf("got %q", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0], tt.want) || !strings.Contains(got[0], p.CertFile) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFiles(t *testing.T) {
	folder := t.TempDir()
	a := writePair(t, folder, "a", selfSigned(t))
	s, err := certs.New(a, a)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{a.KeyFile, a.CertFile}
	if got := s.Files(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPool(t *testing.T) {
	folder := t.TempDir()
	cert := selfSigned(t, "a.example")
	p := writePair(t, folder, "a", cert)
	pool, err := certs.Pool(p.CertFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: pool}); err != nil {
		t.Error(err)
	}
	if _, err := certs.Pool(p.KeyFile); err == nil || !strings.Contains(err.Error(), p.KeyFile) {
		t.Errorf("a key as authority: %v", err)
	}
	if _, err := certs.Pool(filepath.Join(folder, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	f.Add("", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n")
	f.Fuzz(func(t *testing.T, cert, key string) {
		folder := t.TempDir()
		c, k := filepath.Join(folder, "c"), filepath.Join(folder, "k")
		write(t, c, cert)
		write(t, k, key)
		if _, err := certs.Load(c, k); err != nil && !strings.HasPrefix(err.Error(), "loading ") {
			t.Error(err)
		}
	})
}

func BenchmarkCertificate(b *testing.B) {
	cert, err := certs.SelfSigned("*.example.com")
	if err != nil {
		b.Fatal(err)
	}
	s, hello := certs.Static(cert), &tls.ClientHelloInfo{ServerName: "www.example.com"}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.Certificate(hello)
	}
}
