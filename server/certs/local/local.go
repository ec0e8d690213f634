// Package local is a certificate authority for development: it makes the certificates of
// localhost, of names below it and of this machine's own addresses when they are asked for, so
// that https://shop.localhost works in a browser that trusts its root.
//
// The root is made once and kept in a folder; its key never leaves it. The certificates it signs
// last a week, are kept in memory only, and are made anew before they end.
package local

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"rws/server/certs"
)

// Lifetimes. A leaf is short-lived because nothing can revoke it.
const (
	rootLife = 10 * 365 * 24 * time.Hour
	leafLife = 7 * 24 * time.Hour
	// early is how long before its end a leaf is made anew.
	early = leafLife / 3
	// late is for clocks that run behind.
	late = time.Hour
)

// maxKept bounds the certificates in memory: whoever connects chooses names below localhost.
const maxKept = 1000

// Authority makes certificates. It is a source for package certs, safe for concurrent use; made by
// [Open].
type Authority struct {
	root  *x509.Certificate
	key   *ecdsa.PrivateKey
	names []string // of Open, clean
	now   func() time.Time

	mu   sync.Mutex
	kept map[string]*tls.Certificate
}

// Open takes the root in a folder, which it makes when there is none, and the folder with it. Beside
// localhost, all names below it and loopback addresses it signs for the given names, as "app.test",
// "*.app.test" for one label more, and addresses.
func Open(folder string, names ...string) (*Authority, error) {
	a := &Authority{now: time.Now, kept: map[string]*tls.Certificate{}}
	for _, name := range names {
		if err := Check(name); err != nil {
			return nil, err
		}
		a.names = append(a.names, certs.CleanName(name))
	}
	var err error
	a.root, a.key, err = openRoot(folder, a.now())
	return a, err
}

// Check reports what is wrong with a name to sign for.
func Check(name string) error {
	host := strings.TrimPrefix(certs.CleanName(name), "*.")
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		return nil
	}
	if !isName(host) {
		return fmt.Errorf(`%q is no name of a host; write it as in "app.test" or "*.app.test"`, name)
	}
	return nil
}

// isName reports whether all labels are of letters, digits, "-" and "_".
func isName(host string) bool {
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// Certificate makes the certificate for the name a client asks for, or for the address it has
// connected to if it names none, or finds it made already.
func (a *Authority) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := certs.CleanName(hello.ServerName)
	if name == "" {
		name = addressOf(hello.Conn)
	}
	if !a.Signs(name) {
		return nil, fmt.Errorf("%w: the local authority signs for localhost, names below it and loopback addresses%s, not for %q", certs.ErrUnknownName, a.others(), name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if cert := a.kept[name]; cert != nil && now.Before(cert.Leaf.NotAfter.Add(-early)) {
		return cert, nil
	}
	cert, err := a.issue(name, now)
	if err != nil {
		return nil, err
	}
	if len(a.kept) >= maxKept {
		clear(a.kept) // they are made in a blink
	}
	a.kept[name] = cert
	return cert, nil
}

func (a *Authority) others() string {
	if len(a.names) == 0 {
		return ""
	}
	return ", and for " + strings.Join(a.names, ", ")
}

// addressOf is the address of ours that a client has connected to.
func addressOf(conn net.Conn) string {
	if conn == nil {
		return ""
	}
	at, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return ""
	}
	return at.Addr().Unmap().WithZone("").String()
}

// Signs implements [certs.Signer].
func (a *Authority) Signs(name string) bool {
	if slices.Contains(a.names, name) && !strings.HasPrefix(name, "*.") {
		return true
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.IsLoopback()
	}
	if !isName(name) {
		return false
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	_, parent, ok := strings.Cut(name, ".")
	return ok && slices.Contains(a.names, "*."+parent)
}

// issue makes a certificate for one name.
func (a *Authority) issue(name string, now time.Time) (*tls.Certificate, error) {
	until := now.Add(leafLife)
	if until.After(a.root.NotAfter) {
		until = a.root.NotAfter
	}
	if !now.Before(until) {
		return nil, errors.New("the root of the local authority ran out; remove its folder and trust the new one")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-late), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for %q: %w", name, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for %q: %w", name, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// Root is the certificate that clients have to trust.
func (a *Authority) Root() *x509.Certificate { return a.root }

// serial is a random number of 127 bits (RFC 5280 §4.1.2.2).
func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return n
}
