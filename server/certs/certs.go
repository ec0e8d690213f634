// Package certs provides the certificates a TLS server shows: pairs of PEM files, chosen by
// the name the client asks for, reloadable without dropping a connection.
//
// [Load] and [New] read files; [SelfSigned] makes a certificate in memory for development and
// tests; [Pool] reads authorities, for checking the certificates of clients and of servers.
package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// Pair names the two PEM files of a certificate: the certificate, followed by the
// intermediates that lead to its authority, and its private key. Both may be one file.
type Pair struct {
	CertFile string `json:"cert"`
	KeyFile  string `json:"key"`
}

// Store holds certificates and picks the one for a connection. Safe for concurrent use; made
// by [Load], [New] or [Static].
type Store struct {
	pairs   []Pair
	reload  sync.Mutex // one Reload at a time
	current atomic.Pointer[table]
}

// Load reads one certificate and its key.
func Load(certFile, keyFile string) (*Store, error) {
	return New(Pair{CertFile: certFile, KeyFile: keyFile})
}

// New reads the pairs. The first one is the default, for clients that send no server name
// or one that no certificate has. An error names each file that cannot be used and why; an
// expired certificate is used, see [Store.Warnings].
func New(pairs ...Pair) (*Store, error) {
	if len(pairs) == 0 {
		return nil, errors.New("loading certificates: no certificate and key files are named")
	}
	s := &Store{pairs: slices.Clone(pairs)}
	loaded := make([]*tls.Certificate, len(pairs))
	var failed []error
	for i, p := range pairs {
		cert, err := p.load()
		loaded[i] = cert
		failed = append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	s.current.Store(newTable(loaded))
	return s, nil
}

// Static returns a store of certificates that are in memory already, such as one of
// [SelfSigned]; the first is the default. Reload does nothing to it.
func Static(first tls.Certificate, more ...tls.Certificate) *Store {
	loaded := []*tls.Certificate{&first}
	for i := range more {
		loaded = append(loaded, &more[i])
	}
	s := &Store{}
	s.current.Store(newTable(loaded))
	return s
}

// Reload reads the files again; new connections get the new certificates, open ones stay.
// A pair that does not load keeps the certificate it had, the others are replaced, and the
// error names the files.
func (s *Store) Reload() error {
	if len(s.pairs) == 0 {
		return nil
	}
	s.reload.Lock()
	defer s.reload.Unlock()
	loaded := slices.Clone(s.current.Load().certs)
	var failed []error
	for i, p := range s.pairs {
		cert, err := p.load()
		if err != nil {
			failed = append(failed, fmt.Errorf("%w; the certificate in use stays", err))
			continue
		}
		loaded[i] = cert
	}
	s.current.Store(newTable(loaded))
	return errors.Join(failed...)
}

// Files returns the files the store reads, for watching them.
func (s *Store) Files() []string {
	var files []string
	for _, p := range s.pairs {
		files = append(files, p.CertFile, p.KeyFile)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// Config returns a server configuration with the certificates of the store, now and after
// each Reload: TLS 1.2 or newer, HTTP/2 and HTTP/1.1 by ALPN, session tickets with the key
// rotation of crypto/tls. The caller owns it and may change it, for client certificates say.
func (s *Store) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: s.Certificate,
	}
}

// Certificate picks the certificate for a connection: the one for the very name, else the
// wildcard one for its parent domain, else the default. Of several for one name it takes the
// first that the client supports (ECDSA beside RSA). It never fails.
func (s *Store) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.current.Load().pick(hello), nil
}
