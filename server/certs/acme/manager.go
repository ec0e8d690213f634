package acme

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	acmez "github.com/mholt/acmez/v3/acme"

	"rws/server/certs"
)

type account = acmez.EAB

// Manager gets and renews certificates. Made by [New]; safe for concurrent use.
type Manager struct {
	options Options
	roots   *x509.CertPool
	asker   *asker // nil without certificates on demand

	mu   sync.Mutex // of Start and Close
	work atomic.Pointer[work]
}

// work is what a manager has while it is started.
type work struct {
	manager *Manager
	cache   *certmagic.Cache
	fixed   *certmagic.Config // of Domains
	demand  *demand           // of other names; nil for none
	issuers []*certmagic.ACMEIssuer
	cancel  context.CancelFunc
	looking sync.WaitGroup // for what has to be renewed
}

// loading is how long certificates that are stored may take to be read when a manager starts: OCSP
// is asked over the network.
const loading = 5 * time.Second

// Start reads the certificates that are stored, and begins to get those that are not, and to renew
// those that end. It tries again for as long as that takes; the log says how it goes.
func (m *Manager) Start(ctx context.Context, at certs.Ports) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.work.Load() != nil {
		return errors.New("certificates by ACME: they are managed already")
	}
	if err := m.checkPorts(at); err != nil {
		return err
	}
	if err := m.options.folder(); err != nil {
		return err
	}
	w := &work{manager: m}
	background, cancel := context.WithCancel(context.Background())
	w.open(background, at)
	w.cancel = cancel
	if err := w.manage(ctx, background); err != nil {
		w.close()
		return err
	}
	m.work.Store(w)
	return nil
}

// checkPorts refuses challenges that nobody would answer.
func (m *Manager) checkPorts(at certs.Ports) error {
	o := m.options
	switch {
	case o.DNS != nil:
		return nil
	case slices.Contains(o.Challenges, HTTP01) && at.HTTP == 0:
		return errors.New("certificates by ACME: http-01 needs a port that speaks HTTP: set redirect")
	case slices.Contains(o.Challenges, TLSALPN01) && at.TLS == 0:
		return errors.New("certificates by ACME: tls-alpn-01 needs a TCP port")
	case at.HTTP == 0 && at.TLS == 0:
		return errors.New("certificates by ACME: there is no TCP port that an authority could visit; use dns-01")
	}
	return nil
}

// open makes the parts of certmagic.
func (w *work) open(background context.Context, at certs.Ports) {
	o := w.manager.options
	logger := bridge(o.Logger)
	w.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(c certmagic.Certificate) (*certmagic.Config, error) { return w.configOf(c.Names...), nil },
		RenewCheckInterval: o.renewCheck, Logger: logger, Capacity: 10_000,
	})
	template := certmagic.Config{
		Storage: &certmagic.FileStorage{Path: o.Storage}, Logger: logger, RenewalWindowRatio: o.renewRatio,
		OCSP:              certmagic.OCSPConfig{DisableStapling: o.NoStapling},
		DefaultServerName: firstName(o.Domains),
		OnEvent:           w.tell,
		ShouldEmitFunc:    func(event string) bool { return event == "cert_obtained" || event == "cert_ocsp_revoked" },
		Issuers:           []certmagic.Issuer{}, // set below, when there is the config that they need
	}
	w.fixed = w.config(template, at)
	if w.manager.asker != nil {
		template.OnDemand = &certmagic.OnDemandConfig{DecisionFunc: w.manager.asker.ask}
		c := w.config(template, at)
		for i, issuer := range c.Issuers {
			c.Issuers[i] = newOnce(issuer.(*certmagic.ACMEIssuer))
		}
		w.demand = &demand{config: c, context: background, wait: cmp.Or(o.demandWait, demandWait)}
	}
}

func (w *work) config(template certmagic.Config, at certs.Ports) *certmagic.Config {
	c := certmagic.New(w.cache, template)
	for _, d := range w.manager.options.Directories {
		issuer := certmagic.NewACMEIssuer(c, w.manager.options.issuer(d, at, w.manager.roots))
		c.Issuers = append(c.Issuers, issuer)
		w.issuers = append(w.issuers, issuer)
	}
	return c
}

// firstName is for clients that send none.
func firstName(domains []string) string {
	for _, name := range domains {
		if !strings.HasPrefix(name, "*.") {
			return name
		}
	}
	return ""
}

// manage reads what is stored, so that a server that starts has it from its first connection on,
// and gets the rest in the background.
func (w *work) manage(ctx, background context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loading)
	defer cancel()
	for _, name := range w.manager.options.Domains {
		_, err := w.fixed.CacheManagedCertificate(ctx, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.manager.options.Logger.Warn("reading the certificate that is stored", "domain", name, "err", err)
		}
	}
	if err := w.fixed.ManageAsync(background, w.manager.options.Domains); err != nil {
		return fmt.Errorf("certificates by ACME: %w", err)
	}
	w.looking.Go(func() { _ = w.cache.RenewManagedCertificates(background) }) // what has ended meanwhile; it logs its errors
	return nil
}

// Close ends the work; certificates are found no more.
func (m *Manager) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.work.Swap(nil); w != nil {
		w.close()
	}
	return nil
}

// closing is how long the end of the work is waited for. What certmagic is asking an authority can't
// be broken off, and changes nothing any more.
const closing = 3 * time.Second

func (w *work) close() {
	w.cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.cache.Stop()
		w.looking.Wait()
	}()
	select {
	case <-done:
	case <-time.After(closing):
	}
}

// configOf is how the certificate for some names is managed.
func (w *work) configOf(names ...string) *certmagic.Config {
	if w.demand == nil || slices.ContainsFunc(names, w.managed) {
		return w.fixed
	}
	return w.demand.config
}

// managed reports whether a name is one of the domains, or has the wildcard of one.
func (w *work) managed(name string) bool {
	name = certs.CleanName(name)
	return name == "" || slices.ContainsFunc(w.manager.options.Domains, func(domain string) bool {
		return name == domain || certmagic.MatchWildcard(name, domain)
	})
}

var errNotStarted = errors.New("certificates by ACME: they are not managed yet, or no more")

// Certificate implements [certs.Source]. On demand it may take some seconds, as the authority does; the
// work for it goes on when that is not enough.
func (m *Manager) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	w := m.work.Load()
	if w == nil {
		return nil, errNotStarted
	}
	c := w.configOf(hello.ServerName)
	if c == w.fixed && !w.managed(hello.ServerName) {
		return nil, fmt.Errorf("%w: %q is none of the domains", certs.ErrUnknownName, hello.ServerName)
	}
	if c == w.fixed || w.demand.cached(w.cache, hello.ServerName, time.Now()) {
		return c.GetCertificate(hello)
	}
	return w.demand.certificate(hello)
}

// ChallengeTLS implements [certs.Challenger].
func (m *Manager) ChallengeTLS(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	w := m.work.Load()
	if w == nil {
		return nil, errNotStarted
	}
	return w.fixed.GetCertificate(hello)
}

// ChallengeHTTP implements [certs.Challenger]: it answers for challenges that it has begun, or
// another process has that shares the storage, by their host and token.
func (m *Manager) ChallengeHTTP(rw http.ResponseWriter, r *http.Request) bool {
	w := m.work.Load()
	if w == nil {
		return false
	}
	return slices.ContainsFunc(w.issuers, func(issuer *certmagic.ACMEIssuer) bool { return issuer.HandleHTTPChallenge(rw, r) })
}

// tell logs what an operator wants to know.
func (w *work) tell(_ context.Context, event string, data map[string]any) error {
	switch event {
	case "cert_obtained":
		w.manager.options.Logger.Info("got a certificate", "domain", data["identifier"], "issuer", data["issuer"], "renewal", data["renewal"])
	case "cert_ocsp_revoked":
		w.manager.options.Logger.Warn("a certificate was revoked; getting another", "domains", data["subjects"])
	}
	return nil
}
