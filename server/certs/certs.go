// Package certs provides what a TLS server shows and asks for: certificates chosen by the name
// the client asks for, versions and client certificates by that name too, reloadable without
// dropping a connection.
//
// [Open] makes a [Store] of [Site]s; [Load] and [New] read files for all names; [Static] has
// certificates in memory, as of [SelfSigned]. [Store.Config] is for every kind of listener, so
// that HTTP/1, HTTP/2 and HTTP/3 obey the same policies. [Pool] reads authorities.
package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Pair names the two PEM files of a certificate: the certificate, followed by the
// intermediates that lead to its authority, and its private key. Both may be one file.
type Pair struct {
	CertFile string `json:"cert"`
	KeyFile  string `json:"key"`
}

// Options of [Open]. The zero value works.
type Options struct {
	Logger *slog.Logger  // of what Start does; default slog.Default()
	Poll   time.Duration // between looks at the files after Start; default 10 s
}

// Store holds sites and picks the one for a connection. Safe for concurrent use; made by [Open],
// [Load], [New] or [Static].
type Store struct {
	sites   []*site
	logger  *slog.Logger
	poll    time.Duration
	reload  sync.Mutex // one Reload at a time
	current atomic.Pointer[index]
	life    life
}

// Load reads one certificate and its key.
func Load(certFile, keyFile string) (*Store, error) {
	return New(Pair{CertFile: certFile, KeyFile: keyFile})
}

// New reads the pairs, all for one site. The first one is the default, for clients that send no
// server name or one that no certificate has. An error names each file that cannot be used and
// why; an expired certificate is used, see [Store.Warnings].
func New(pairs ...Pair) (*Store, error) {
	return Open(Options{}, Site{Pairs: pairs})
}

// Static returns a store of certificates that are in memory already, such as one of
// [SelfSigned]; the first is the default. Reload does nothing to it.
func Static(first tls.Certificate, more ...tls.Certificate) *Store {
	loaded := []*tls.Certificate{&first}
	for i := range more {
		loaded = append(loaded, &more[i])
	}
	s, err := Open(Options{}, Site{static: loaded})
	if err != nil {
		panic(err) // there is nothing that could be wrong
	}
	return s
}

// Open reads the files of the sites. The first site is for clients that send no server name or
// one that no site has. An error names each file that cannot be used and why: a store never
// begins with a certificate, an authority or a list of revoked certificates missing.
func Open(o Options, sites ...Site) (*Store, error) {
	if len(sites) == 0 {
		return nil, errors.New("loading certificates: there is no site")
	}
	s := &Store{logger: o.Logger, poll: o.Poll}
	if s.logger == nil {
		s.logger = slog.Default()
	}
	if s.poll <= 0 {
		s.poll = 10 * time.Second
	}
	var failed []error
	for _, spec := range sites {
		made, err := newSite(spec, s.logger)
		s.sites = append(s.sites, made)
		failed = append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	x, err := newIndex(s.sites)
	if err != nil {
		return nil, err
	}
	s.current.Store(x)
	return s, nil
}

// Reload reads the files again; new connections get what is new, open ones stay. What does not
// load, or would make the sites contradict each other, stays as it was, the rest is replaced, and
// the error names the files.
func (s *Store) Reload() error {
	s.reload.Lock()
	defer s.reload.Unlock()
	var failed []error
	for _, one := range s.sites {
		failed = append(failed, one.reload())
	}
	x, err := newIndex(s.sites)
	if err != nil {
		return errors.Join(append(failed, fmt.Errorf("%w; names are looked up as before", err))...)
	}
	s.current.Store(x)
	return errors.Join(failed...)
}

// Files returns the files the store reads, for watching them.
func (s *Store) Files() []string {
	var files []string
	for _, one := range s.sites {
		files = append(files, one.spec.files()...)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// Config returns a server configuration that looks up the site of each connection, now and after
// each Reload: certificate, versions, client certificates and keys of session tickets are the
// site's. TLS 1.2 or newer, HTTP/2 and HTTP/1.1 by ALPN. The caller owns it; of its fields only
// GetConfigForClient counts once a client has said its first word, see [Store.ConfigFor].
func (s *Store) Config() *tls.Config {
	c := base()
	c.GetCertificate = s.Certificate
	c.GetConfigForClient = s.ConfigFor
	return c
}

// ConfigFor is the configuration for a connection, by the server name in its first message. It is
// shared: a caller that changes it, for other protocols in NextProtos say, clones it. A client
// that comes to check a domain for an authority of ACME (RFC 8737) gets one that knows no other
// protocol, so that such a connection, which nobody asks for a client certificate, carries no
// request.
func (s *Store) ConfigFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if isChallenge(hello) {
		if c := s.challenge(); c != nil {
			return c, nil
		}
	}
	return s.current.Load().asked(hello).config(time.Now()), nil
}

// Certificate picks the certificate for a connection: that of the site for the very name, else
// of the site with a wildcard for its parent domain, else of the first site. A client that names no host, as none
// names an address (RFC 6066 §3), gets that of the site for the address it came to, if there is one. Of several for one
// name it takes the first that the client supports (ECDSA beside RSA).
func (s *Store) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.current.Load().asked(hello).certificate(hello)
}
