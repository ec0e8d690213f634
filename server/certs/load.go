package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// load reads the pair. Its errors name the file at fault and what is wrong with it.
func (p Pair) load() (*tls.Certificate, error) {
	certPEM, err := read("certificate", p.CertFile)
	if err != nil {
		return nil, err
	}
	keyPEM, err := read("key", p.KeyFile)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, p.explain(certPEM, keyPEM, err)
	}
	return &cert, nil
}

// read reads a file that is called what in errors.
func read(what, file string) ([]byte, error) {
	if file == "" {
		return nil, fmt.Errorf("loading a certificate: the %s file is not named; cert and key belong together", what)
	}
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("loading %s %q: %w", what, file, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("loading %s %q: %w: this user may not read it", what, file, fs.ErrPermission)
	case err != nil:
		return nil, fmt.Errorf("loading %s %q: %w", what, file, err)
	}
	return data, nil
}

// explain finds out what crypto/tls stumbled over.
func (p Pair) explain(certPEM, keyPEM []byte, err error) error {
	certHas, keyHas := blocks(certPEM), blocks(keyPEM)
	switch {
	case !certHas.certificate && certHas.key:
		return fmt.Errorf("loading certificate %q: it holds a private key and no certificate; are cert and key swapped?", p.CertFile)
	case !certHas.certificate:
		return fmt.Errorf("loading certificate %q: it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", p.CertFile)
	case keyHas.encrypted:
		return fmt.Errorf("loading key %q: it is locked with a passphrase; write it without one: openssl pkey -in %[1]s -out open.key", p.KeyFile)
	case !keyHas.key && keyHas.certificate:
		return fmt.Errorf("loading key %q: it holds a certificate and no private key; are cert and key swapped?", p.KeyFile)
	case !keyHas.key:
		return fmt.Errorf("loading key %q: it holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)", p.KeyFile)
	case strings.Contains(err.Error(), "does not match"):
		return fmt.Errorf("loading key %q: it does not belong to the certificate %q", p.KeyFile, p.CertFile)
	}
	return fmt.Errorf("loading certificate %q with key %q: %w", p.CertFile, p.KeyFile, err)
}

// contents says which kinds of PEM blocks (RFC 7468) a file has.
type contents struct{ certificate, key, encrypted bool }

func blocks(data []byte) contents {
	var c contents
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return c
		}
		switch {
		case block.Type == "CERTIFICATE":
			c.certificate = true
		case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			c.encrypted = true
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			c.key = true
		}
		data = rest
	}
}

// Pool reads certificate authorities from PEM files. It trusts these alone, not those of the
// system.
func Pool(files ...string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, file := range files {
		data, err := read("authority", file)
		if err != nil {
			return nil, err
		}
		if !pool.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("loading authority %q: it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", file)
		}
	}
	return pool, nil
}
