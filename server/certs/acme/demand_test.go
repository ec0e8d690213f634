package acme_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/certs"
	"rws/server/certs/acme"
	"rws/spec_test/logtext"
)

// onDemand serves certificates for any name by an authority that is not a good one.
func onDemand(t *testing.T, directory string, roots *x509.CertPool, change ...func(*acme.Manager)) *site {
	t.Helper()
	s := &site{log: &logtext.Buffer{}}
	m, err := acme.New(acme.Options{
		Ask: func(context.Context, string) error { return nil }, Storage: t.TempDir(), Directories: []acme.Directory{{URL: directory}},
		Logger: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	require.NoError(t, err)
	m.Trust(roots)
	for _, f := range change {
		f(m)
	}
	s.store, err = certs.Open(certs.Options{Logger: slog.New(slog.DiscardHandler)}, certs.Site{Source: m})
	require.NoError(t, err)
	require.NoError(t, s.store.Start(t.Context(), certs.Ports{TLS: 1}))
	t.Cleanup(func() { assert.NoError(t, s.store.Close()) })
	s.addr = s.listen(t, 0)
	return s
}

func trusted(s *httptest.Server) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots
}

// fails is how long a handshake takes that comes to nothing.
func (s *site) fails(t *testing.T, name string) time.Duration {
	t.Helper()
	began := time.Now()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", s.addr, &tls.Config{ServerName: name})
	if err == nil {
		conn.Close()
	}
	require.Error(t, err)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	return time.Since(began)
}

func TestAnAuthorityThatRefusesIsNotAskedAgainAndAgain(t *testing.T) {
	var asked atomic.Int64
	authority := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "no"}`))
	}))
	defer authority.Close()
	s := onDemand(t, authority.URL+"/dir", trusted(authority))
	assert.Less(t, s.fails(t, "a.customers.test"), 20*time.Second, "the handshake waits for another try")
	before := asked.Load()
	assert.Positive(t, before)
	for range 3 {
		s.fails(t, "a.customers.test")
	}
	assert.Equal(t, before, asked.Load(), "the same name is tried with each handshake")
	assert.NotContains(t, s.log.String(), "will retry")
	s.fails(t, "b.customers.test")
	assert.Greater(t, asked.Load(), before, "another name is not tried")
}

func TestAHandshakeDoesNotWaitForASlowAuthority(t *testing.T) {
	end := make(chan struct{})
	authority := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-end:
		case <-r.Context().Done():
		}
	}))
	defer authority.Close()
	defer close(end)
	s := onDemand(t, authority.URL+"/dir", trusted(authority), func(m *acme.Manager) { m.Impatient(50 * time.Millisecond) })
	for range 2 {
		assert.Less(t, s.fails(t, "a.customers.test"), 10*time.Second)
	}
}

// TestWhoCanNotTellSaysWhy: the visitor sees no more than that there is no certificate.
func TestWhoCanNotTellSaysWhy(t *testing.T) {
	authority := httptest.NewTLSServer(http.NotFoundHandler())
	defer authority.Close()
	s := onDemand(t, authority.URL+"/dir", trusted(authority), func(m *acme.Manager) {
		m.Asks(func(_ context.Context, name string) error { return errors.New("app.lua:7: no table of " + name) })
	})
	for _, name := range []string{"a.customers.test", "a.customers.test", "b.customers.test"} {
		s.fails(t, name)
	}
	assert.Contains(t, s.log.String(), `level=ERROR`)
	assert.Contains(t, s.log.String(), `app.lua:7: no table of a.customers.test`)
	assert.Equal(t, 1, strings.Count(s.log.String(), "level=ERROR"), "clients fill the log")
}

func TestAnUnknownNameIsNoFaultOfTheServer(t *testing.T) {
	authority := httptest.NewTLSServer(http.NotFoundHandler())
	defer authority.Close()
	s := onDemand(t, authority.URL+"/dir", trusted(authority), func(m *acme.Manager) {
		m.Asks(func(context.Context, string) error { return acme.ErrRefused })
	})
	for _, name := range []string{"a.customers.test", "a.customers.test", "ok..customers.test"} {
		_, err := tls.Dial("tcp", s.addr, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		assert.ErrorContains(t, err, "unrecognized name", name)
	}
}
