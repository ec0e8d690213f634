package upstream

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// A Backend is one server of a pool.
type Backend struct {
	name string
	url  *url.URL
	rt   http.RoundTripper

	active   atomic.Int64
	requests atomic.Uint64
	failures atomic.Uint64
	drained  atomic.Bool
	gone     atomic.Bool // no longer in the pool
	close    sync.Once
}

func newBackend(p *Pool, at place) *Backend {
	return &Backend{name: at.name, url: at.url, rt: plainTransport(at)}
}

// Name is the scheme and address of the backend; it is unique in its pool.
func (b *Backend) Name() string { return b.name }

// URL is the scheme and host as the backend likes to be called: what a Host header and a
// certificate name. Nobody changes it.
func (b *Backend) URL() *url.URL { return b.url }

// RoundTrip sends a request to the backend. The host of r.URL is not used.
func (b *Backend) RoundTrip(r *http.Request) (*http.Response, error) { return b.rt.RoundTrip(r) }

// acquire counts a request that begins. False means that the backend has left the pool.
func (b *Backend) acquire() bool {
	b.active.Add(1)
	if b.gone.Load() {
		b.release()
		return false
	}
	return true
}

func (b *Backend) release() {
	if b.active.Add(-1) == 0 && b.gone.Load() {
		b.close.Do(b.closeTransport)
	}
}

// retire lets the requests of a backend that has left the pool end, then its connections.
func (b *Backend) retire() {
	b.gone.Store(true)
	if b.active.Load() == 0 {
		b.close.Do(b.closeTransport)
	}
}

func (b *Backend) closeTransport() {
	switch t := b.rt.(type) {
	case interface{ Close() error }:
		t.Close()
	case interface{ Close() }:
		t.Close()
	case interface{ CloseIdleConnections() }:
		t.CloseIdleConnections()
	}
}

// BackendStatus is how one backend is.
type BackendStatus struct {
	Name     string
	State    string // up, draining
	Active   int    // requests under way
	Requests uint64 // that ended
	Failures uint64 // of those, by fault of the backend
}

func (b *Backend) status() BackendStatus {
	s := BackendStatus{Name: b.name, State: "up", Active: int(b.active.Load()), Requests: b.requests.Load(), Failures: b.failures.Load()}
	if b.drained.Load() {
		s.State = "draining"
	}
	return s
}

// addressed is a transport of net/http that dials one address.
type addressed struct {
	*http.Transport
	scheme, host string
}

func plainTransport(at place) http.RoundTripper {
	t := &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 256, IdleConnTimeout: 55 * time.Second, DisableCompression: true, ResponseHeaderTimeout: 30 * time.Second}
	d := net.Dialer{Timeout: 3 * time.Second}
	network := "tcp"
	if at.scheme.name == "unix" {
		network = "unix"
	}
	t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, network, at.address)
	}
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(!at.scheme.mux)
	t.Protocols.SetHTTP2(at.scheme.mux && at.scheme.tls)
	t.Protocols.SetUnencryptedHTTP2(at.scheme.mux && !at.scheme.tls)
	scheme := "http"
	if at.scheme.tls {
		scheme = "https"
	}
	return addressed{t, scheme, at.url.Host}
}

func (a addressed) RoundTrip(r *http.Request) (*http.Response, error) {
	out := *r
	u := *r.URL
	u.Scheme, u.Host = a.scheme, a.host
	out.URL = &u
	return a.Transport.RoundTrip(&out)
}
