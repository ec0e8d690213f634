package local

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// RootFile is the certificate of the root in its folder, in PEM form, for clients to trust.
const RootFile = "root.pem"

// bothFile has key and certificate: one file, so that there is never one without the other.
const bothFile = "root.key"

// openRoot reads the root, and makes it when there is none.
func openRoot(folder string, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	file := filepath.Join(folder, bothFile)
	cert, key, err := readRoot(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeRoot(folder, now); err == nil {
			cert, key, err = readRoot(file)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("opening the local authority in %q: %w", folder, err)
	}
	if now.After(cert.NotAfter) {
		return nil, nil, fmt.Errorf("opening the local authority in %q: it ran out on %s; remove the folder, and trust the root that is made then", folder, cert.NotAfter.Format(time.DateOnly))
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	shown := filepath.Join(folder, RootFile)
	if old, err := os.ReadFile(shown); err != nil || string(old) != string(text) {
		if err := replace(shown, text, 0o644); err != nil {
			return nil, nil, fmt.Errorf("writing the root of the local authority: %w", err)
		}
	}
	return cert, key, nil
}

// readRoot refuses a key that others on this machine may read: whoever has it can pass for any
// site where the root is trusted.
func readRoot(file string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, nil, err
	}
	if exposed(info) {
		return nil, nil, fmt.Errorf("others may read %q (mode %#o): remove the folder, so that a new root is made", file, info.Mode().Perm())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	var cert *x509.Certificate
	var key *ecdsa.PrivateKey
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			cert, err = x509.ParseCertificate(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", file, err)
		}
	}
	if cert == nil || key == nil || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, nil, fmt.Errorf("%q does not hold a root and its key; remove the folder, so that a new one is made", file)
	}
	return cert, key, nil
}

// makeRoot makes one. Of several processes that do so at the same time the first one's stays.
func makeRoot(folder string, now time.Time) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if err := place(filepath.Join(folder, ".gitignore"), []byte("*\n")); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	host, _ := os.Hostname() // only for telling roots apart
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{Organization: []string{"rws development"}, CommonName: "rws local authority " + host + " " + now.UTC().Format(time.DateOnly)},
		NotBefore: now.Add(-late), NotAfter: now.Add(rootLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true,
		IsCA: true, MaxPathLenZero: true, // it signs sites, no other authorities
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	return place(filepath.Join(folder, bothFile), text)
}

// place puts a whole file where none is, in one step.
func place(file string, text []byte) error {
	part, err := os.CreateTemp(filepath.Dir(file), ".part-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	_, err = part.Write(text)
	if err := errors.Join(err, part.Close()); err != nil {
		return err
	}
	if err := os.Link(part.Name(), file); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(part.Name(), file) // where there are no links
}

// replace changes a file in one step.
func replace(file string, text []byte, mode fs.FileMode) error {
	part, err := os.CreateTemp(filepath.Dir(file), ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	_, err = part.Write(text)
	if err := errors.Join(err, part.Chmod(mode), part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), file)
}
