package peers

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// pebbleVersion is that of both programs; .ci/run installs the same.
const pebbleVersion = "@v2.10.1"

// PebbleOptions change the authority of a test. The zero value works.
type PebbleOptions struct {
	Valid time.Duration     // lifetime of its certificates; default 90 days
	EAB   map[string]string // keys by their ids, base64 for URLs, of accounts; no account without one
}

// Authority is a Pebble (github.com/letsencrypt/pebble), which issues certificates by ACME as Let's
// Encrypt does, with the DNS it looks domains up in: all of them are on 127.0.0.1, and it visits
// them at two ports that are free until the test listens there.
type Authority struct {
	*Server
	Directory         string // URL
	RootFile          string // PEM: who signed the certificate of the directory itself
	HTTPPort, TLSPort int    // where it looks for http-01 and tls-alpn-01
	DNS               string // address of its DNS

	dns        *Server
	management string // of Pebble
}

// Pebble starts an authority that ends with the test.
func Pebble(t testing.TB, o PebbleOptions) *Authority {
	t.Helper()
	a := &Authority{}
	var ports [4]int
	for i := range ports {
		var err error
		if ports[i], err = freePort(); err != nil {
			t.Fatal(err)
		}
	}
	a.HTTPPort, a.TLSPort = ports[0], ports[1]
	a.DNS = fmt.Sprintf("127.0.0.1:%d", ports[2])
	a.management = fmt.Sprintf("127.0.0.1:%d", ports[3])
	a.dns = (&kind{
		name: "the DNS of Pebble", program: "pebble-challtestsrv", goget: "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv" + pebbleVersion,
		users: []string{"root"}, signal: "KILL", create: noDatabase, ready: dials,
		arguments: func(s *Server) []string {
			return []string{"-dnsserver", a.DNS, "-management", s.Addr(), "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-defaultIPv6", ""}
		},
	}).own(t, nil)
	a.Server = (&kind{
		name: "Pebble", program: "pebble", goget: "github.com/letsencrypt/pebble/v2/cmd/pebble" + pebbleVersion,
		users: []string{"root"}, signal: "KILL", create: noDatabase, ready: dials,
		environment: []string{"PEBBLE_VA_NOSLEEP=1"},
		configure:   func(s *Server) error { return a.configure(s, o) },
		arguments: func(s *Server) []string {
			return []string{"-config", filepath.Join(s.dir, "config"), "-dnsserver", a.DNS}
		},
	}).own(t, nil)
	a.Directory = "https://" + a.Addr() + "/dir"
	a.RootFile = filepath.Join(a.dir, "cert")
	return a
}

func noDatabase(*Server, string) (string, func(), error) { return "", func() {}, nil }

// dials is ready when it accepts connections.
func dials(s *Server) error {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err == nil {
		conn.Close()
	}
	return err
}

// configure writes the configuration and the certificate of the directory.
func (a *Authority) configure(s *Server, o PebbleOptions) error {
	if o.Valid == 0 {
		o.Valid = 90 * 24 * time.Hour
	}
	type object = map[string]any
	config, err := json.Marshal(object{"pebble": object{
		"listenAddress": s.Addr(), "managementListenAddress": a.management,
		"certificate": filepath.Join(s.dir, "cert"), "privateKey": filepath.Join(s.dir, "key"),
		"httpPort": a.HTTPPort, "tlsPort": a.TLSPort, "keyAlgorithm": "ecdsa",
		"externalAccountBindingRequired": o.EAB != nil, "externalAccountMACKeys": o.EAB,
		"retryAfter": object{"authz": 1, "order": 1},
		"profiles":   object{"default": object{"description": "of tests", "validityPeriod": int(o.Valid.Seconds())}},
	}})
	if err != nil {
		return err
	}
	cert, key, err := directoryCertificate()
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"config": string(config), "cert": cert, "key": key} {
		if _, err := s.file(name, text); err != nil {
			return err
		}
	}
	return nil
}

// directoryCertificate is a certificate that signs itself, for 127.0.0.1.
func directoryCertificate() (cert, key string, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return "", "", err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", err
	}
	form := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return form("CERTIFICATE", der), form("PRIVATE KEY", secret), nil
}

// IssuerPEM is the root that signs what it issues, which is a new one each time it starts.
func (a *Authority) IssuerPEM(t testing.TB) []byte {
	t.Helper()
	pool := x509.NewCertPool()
	text, err := os.ReadFile(a.RootFile)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatalf("the root of the directory: %v", err)
	}
	client := &http.Client{Timeout: readyWithin, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	res, err := client.Get("https://" + a.management + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// API is the URL where records of its DNS are changed: POST /set-txt and /clear-txt with
// {"host":"_acme-challenge.a.example.","value":"…"}.
func (a *Authority) API() string { return "http://" + a.dns.Addr() }

// Text adds a TXT record to its DNS, or removes those of the name where there is no value.
func (a *Authority) Text(name, value string) error {
	path, body := "/set-txt", map[string]string{"host": name + ".", "value": value}
	if value == "" {
		path, body = "/clear-txt", map[string]string{"host": name + "."}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	res, err := http.Post(a.API()+path, "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(path + ": " + strconv.Itoa(res.StatusCode))
	}
	return nil
}
