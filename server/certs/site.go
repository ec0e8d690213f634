package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"
)

// ErrUnknownName is what a [Source] wraps for a name that it never has a certificate for.
var ErrUnknownName = errors.New("there is no certificate for the name")

// Source finds certificates that are not in files: one that obtains or makes them. An error
// refuses the connection, by the alert unrecognized_name (RFC 6066 §3) when it is [ErrUnknownName].
type Source interface {
	Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
}

// Site is what some hosts have in common: where their certificates come from, and what they ask of
// clients.
type Site struct {
	// Hosts are names in ASCII, "example.com" or "*.example.com" for one label more; default those in
	// the certificates of Pairs. The first site takes whatever no site has. Min, Max and Client hold for all
	// names below a wildcard that no site has.
	Hosts []string
	Pairs []Pair // files; the first is for names that none of them has
	// Source has the certificates in place of Pairs.
	Source Source
	// Rest takes names that no site has, in place of the first one; that of a source that may get
	// certificates for any name.
	Rest bool

	Min, Max uint16     // as tls.VersionTLS13; 0 is TLS 1.2, and the newest there is
	Client   ClientAuth // the zero value asks for no client certificate

	static []*tls.Certificate
}

// files are those that a site reads.
func (s Site) files() []string {
	var files []string
	for _, p := range s.Pairs {
		files = append(files, p.CertFile, p.KeyFile)
	}
	return slices.Concat(files, s.Client.CA, s.Client.CRL)
}

// check reports what makes no sense.
func (s Site) check() error {
	switch {
	case s.Source != nil && len(s.Pairs) > 0:
		return errors.New("loading certificates: a site has files or a source of certificates, not both")
	case s.Source == nil && len(s.Pairs) == 0 && len(s.static) == 0:
		return errors.New("loading certificates: no certificate and key files are named")
	case s.Max != 0 && max(s.Min, tls.VersionTLS12) > s.Max:
		return fmt.Errorf("the oldest version of TLS is %s and the newest %s", tls.VersionName(max(s.Min, tls.VersionTLS12)), tls.VersionName(s.Max))
	}
	return s.Client.check()
}

// site is a Site at work.
type site struct {
	spec    Site
	table   atomic.Pointer[table] // nil with a Source
	policy  atomic.Pointer[policy]
	authKey string // of ClientAuth, see [Store.Misdirected]
	logger  *slog.Logger
}

func newSite(spec Site, logger *slog.Logger) (*site, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	spec.Client = spec.Client.complete()
	s := &site{spec: spec, authKey: spec.Client.key(), logger: logger}
	if len(spec.static) > 0 {
		s.table.Store(newTable(spec.static))
	}
	return s, errors.Join(s.loadPairs(), s.loadPolicy())
}

// reload keeps what does not load.
func (s *site) reload() error { return errors.Join(s.loadPairs(), s.loadPolicy()) }

// loadPairs reads the certificates.
func (s *site) loadPairs() error {
	if len(s.spec.Pairs) == 0 {
		return nil
	}
	loaded := make([]*tls.Certificate, len(s.spec.Pairs))
	old := s.table.Load()
	var failed []error
	for i, p := range s.spec.Pairs {
		cert, err := p.load()
		if err != nil && old != nil {
			cert, err = old.certs[i], fmt.Errorf("%w; the certificate in use stays", err)
		}
		loaded[i] = cert
		failed = append(failed, err)
	}
	err := errors.Join(failed...)
	if err == nil || old != nil {
		s.table.Store(newTable(loaded))
	}
	return err
}

// loadPolicy reads authorities. Session tickets of before stay good while what is asked of clients
// is the same; they must not carry a client past authorities that have changed (CVE-2025-68121).
func (s *site) loadPolicy() error {
	roots, err := s.spec.Client.load()
	old := s.policy.Load()
	if err != nil && old != nil {
		return fmt.Errorf("%w; what is asked of clients stays", err)
	}
	if err != nil {
		return err
	}
	if old == nil || !roots.equal(old.roots) {
		s.policy.Store(newPolicy(s, roots))
	}
	return nil
}

func (s *site) config(now time.Time) *tls.Config { return s.policy.Load().config(now) }

func (s *site) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s.spec.Source != nil {
		return s.spec.Source.Certificate(hello)
	}
	return s.table.Load().pick(hello), nil
}

// show is certificate for crypto/tls, which answers unrecognized_name when it is given neither a certificate
// nor an error, and internal_error for any error.
func (s *site) show(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert, err := s.certificate(hello)
	if !errors.Is(err, ErrUnknownName) {
		return cert, err
	}
	s.logger.Debug("refusing a connection", "server name", hello.ServerName, "err", err)
	return nil, nil
}

// hosts are the names that lead here.
func (s *site) hosts() (names []string, given bool) {
	if len(s.spec.Hosts) > 0 {
		return s.spec.Hosts, true
	}
	if t := s.table.Load(); t != nil {
		for _, c := range t.certs {
			names = append(names, certNames(c)...)
		}
	}
	return names, false
}
