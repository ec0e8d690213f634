package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/sync/singleflight"

	"rws/server/certs"
)

// Bounds of what handshakes for unknown names can cause, beside those of an asker.
const (
	demandWait   = 10 * time.Second // of a handshake for a certificate that is being made
	demandAtOnce = 100              // certificates that authorities are asked for at a time; more are refused
	failedFor    = 10 * time.Minute // an authority that gave none is not asked for the same name again
)

// demand is what goes on for names on demand.
type demand struct {
	config  *certmagic.Config
	context context.Context // of the work, which goes on when a client has left
	wait    time.Duration
	flights singleflight.Group
}

// certificate finds a certificate, or has one made. A client waits for it no longer than a handshake
// may take; the work goes on, so that it finds the certificate when it comes again.
func (d *demand) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := certs.CleanName(hello.ServerName)
	found := d.flights.DoChan(name, func() (any, error) { return d.config.GetCertificateWithContext(d.context, hello) })
	var gone <-chan struct{}
	if ctx := hello.Context(); ctx != nil {
		gone = ctx.Done()
	}
	timer := time.NewTimer(d.wait)
	defer timer.Stop()
	select {
	case got := <-found:
		cert, _ := got.Val.(*tls.Certificate)
		return cert, got.Err
	case <-gone:
		return nil, hello.Context().Err()
	case <-timer.C:
		return nil, fmt.Errorf("the certificate for %q is not there after %s; the authority is still at it", name, d.wait)
	}
}

// cached reports whether a certificate is in memory that is still good: finding it takes no time.
func (d *demand) cached(cache *certmagic.Cache, name string, now time.Time) bool {
	for _, cert := range cache.AllMatchingCertificates(certs.CleanName(name)) {
		if cert.Leaf != nil && now.Before(cert.Leaf.NotAfter) {
			return true
		}
	}
	return false
}

// once is an authority for names on demand. What it has refused is not tried again in the background,
// as certmagic does for a month, but by a client who comes after a while.
type once struct {
	*certmagic.ACMEIssuer
	turns  chan struct{}
	failed *recent
}

func newOnce(issuer *certmagic.ACMEIssuer) *once {
	return &once{ACMEIssuer: issuer, turns: make(chan struct{}, demandAtOnce), failed: newRecent(failedFor)}
}

var (
	errFailed = errors.New("the authority did not give a certificate for it a while ago")
	errMany   = errors.New("too many certificates are being made")
)

// PreCheck implements [certmagic.PreChecker].
func (o *once) PreCheck(ctx context.Context, names []string, interactive bool) error {
	return noRetry(o.ACMEIssuer.PreCheck(ctx, names, interactive))
}

// Issue implements [certmagic.Issuer].
func (o *once) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	names := strings.Join(csr.DNSNames, " ")
	if o.failed.has(names) {
		return nil, noRetry(errFailed)
	}
	select {
	case o.turns <- struct{}{}:
		defer func() { <-o.turns }()
	default:
		return nil, noRetry(errMany)
	}
	cert, err := o.ACMEIssuer.Issue(ctx, csr)
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) { // which is the end of the server
		o.failed.add(names)
	}
	return cert, noRetry(err)
}

func noRetry(err error) error {
	if err == nil {
		return nil
	}
	return certmagic.ErrNoRetry{Err: err}
}
