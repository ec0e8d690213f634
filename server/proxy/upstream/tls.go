package upstream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"rws/server/certs"
)

// TLS is how backends of https, h2, grpcs and wss are verified and how the proxy shows who it is.
// The zero value verifies by the authorities of the system.
type TLS struct {
	// CA is a PEM file of authorities that are trusted in place of those of the system.
	CA string
	// Cert and Key are PEM files of a client certificate. They are read again when they change.
	Cert, Key string
	// ServerName is verified in place of the host in the URL, and sent as SNI.
	ServerName string
	// Insecure verifies nothing: whoever stands between can read and change all of it.
	Insecure bool
	// Config is the ground for what is above; nil for the defaults of Go with TLS 1.2 or later.
	Config *tls.Config
}

// config reads the files.
func (t TLS) config(pool string, log *slog.Logger) (*tls.Config, error) {
	c := t.Config.Clone()
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if t.ServerName != "" {
		c.ServerName = t.ServerName
	}
	if t.CA != "" {
		if t.Insecure {
			return nil, errors.New("tls: an authority and insecure contradict each other: one verifies, the other does not")
		}
		roots, err := certs.Pool(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		c.RootCAs = roots
	}
	if t.Insecure {
		c.InsecureSkipVerify = true
		log.Warn("upstream: TLS backends are NOT verified (insecure): whoever stands between can read and change everything. Name their authority (ca) instead", "pool", pool)
	}
	if t.Cert == "" && t.Key == "" {
		return c, nil
	}
	own, err := newIdentity(t.Cert, t.Key, log.With("pool", pool))
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	c.GetClientCertificate = own.get
	c.SessionTicketsDisabled = true // a session that is resumed has the certificate of its first time
	return c, nil
}

// identity is a client certificate that follows its files.
type identity struct {
	store *certs.Store
	log   *slog.Logger

	mu     sync.Mutex
	stamps [2]time.Time // of the files that were read
}

func newIdentity(cert, key string, log *slog.Logger) (*identity, error) {
	i := &identity{log: log}
	i.stamps = stamps(cert, key)
	var err error
	i.store, err = certs.Load(cert, key)
	return i, err
}

// get returns the certificate, read again if a file has changed. One that cannot be read leaves the
// last in use.
func (i *identity) get(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if now := stamps(i.store.Files()...); now != i.stamps {
		i.stamps = now
		if err := i.store.Reload(); err != nil {
			i.log.Error("upstream: reading the client certificate again failed", "err", err)
		}
	}
	return i.store.Certificate(&tls.ClientHelloInfo{})
}

// stamps says when the files were changed.
func stamps(files ...string) (times [2]time.Time) {
	for n, file := range files[:min(len(files), len(times))] {
		if info, err := os.Stat(file); err == nil {
			times[n] = info.ModTime()
		}
	}
	return times
}
