package upstream

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rws/server/proxy/balance"
	"rws/server/proxy/breaker"
	"rws/server/proxy/health"
	"rws/server/proxy/transport"
)

// A Backend is one server of a pool.
type Backend struct {
	place
	pool  *Pool
	rt    http.RoundTripper
	limit int64  // of requests under way, 0 for none
	tag   string // in sticky cookies

	load    *balance.State
	host    *health.Host          // nil without passive checks
	breaker *breaker.Breaker      // nil without breakers
	down    atomic.Bool           // by active checks
	checked atomic.Pointer[error] // why it is down
	drained atomic.Bool           // by hand
	gone    atomic.Bool           // no longer in the pool
	close   sync.Once

	requests atomic.Uint64
	failures atomic.Uint64
	fault    atomic.Pointer[fault] // the last
}

// A fault is a request that failed by fault of the backend.
type fault struct {
	at   time.Time
	text string
}

func (p *Pool) newBackend(at place) (*Backend, error) {
	b := &Backend{place: at, pool: p, load: balance.NewState(at.name), tag: p.o.Sticky.tag(p.o.Name, at.name)}
	if !at.scheme.mux {
		b.limit = int64(p.o.Limits.PerBackend)
	}
	var err error
	if b.rt, err = p.transport(at); err != nil {
		return nil, fmt.Errorf("backend %s: %w", at.name, err)
	}
	return b, nil
}

// transport makes the connections to a backend.
func (p *Pool) transport(at place) (http.RoundTripper, error) {
	if p.o.Transport != nil {
		return replaced{p.o.Transport, at}, nil
	}
	o := transport.Options{
		Scheme: at.scheme.name, Address: at.address, Dial: p.o.Dial,
		Connect: p.o.Timeout.Connect, Response: p.o.Timeout.Response, ReadIdle: p.o.Timeout.ReadIdle,
		Idle: p.o.Timeout.Idle, MaxAge: p.o.Timeout.MaxAge, Queue: p.o.Limits.Wait,
		MaxIdle: p.o.Limits.Idle, MaxConns: p.o.Limits.PerBackend, MaxHeaderBytes: p.o.Limits.Header,
		ProxyProtocol: p.o.ProxyProtocol,
	}
	if at.scheme.tls {
		o.TLS = p.tls.Clone()
		if o.TLS.ServerName == "" {
			o.TLS.ServerName = at.url.Hostname()
		}
	}
	if maker := p.o.Makers[at.scheme.name]; maker != nil {
		o.TLS = p.tls.Clone()
		return maker(o)
	}
	return transport.New(o)
}

// replaced is the way to a backend where [Options.Transport] stands for the network. Where that fails
// nothing was reached.
type replaced struct {
	rt http.RoundTripper
	to place
}

func (t replaced) RoundTrip(r *http.Request) (*http.Response, error) {
	out := *r
	out.URL = t.url(r.URL)
	res, err := t.rt.RoundTrip(&out)
	if err != nil {
		return nil, &transport.Error{Phase: transport.PhaseDial, Err: err}
	}
	return res, nil
}

// url is where a request would go: "unix:/run/app.sock/path" where the address is the path of a socket.
func (t replaced) url(asked *url.URL) *url.URL {
	at := *asked
	at.Scheme, at.Host = t.to.url.Scheme, t.to.url.Host
	if strings.HasPrefix(t.to.address, "/") {
		socket := url.URL{Path: t.to.address}
		at.Host, at.OmitHost = "", true
		at.RawPath = socket.EscapedPath() + asked.EscapedPath()
		at.Path = t.to.address + asked.Path
	}
	return &at
}

// Name is the scheme and address of the backend, as "http://10.0.0.7:80": it is unique in its pool.
func (b *Backend) Name() string { return b.name }

// URL is the scheme and host as the backend likes to be called: what a Host header and a
// certificate name. Nobody changes it.
func (b *Backend) URL() *url.URL { return b.url }

// RoundTrip sends a request to the backend. The host of r.URL is not used; see
// [transport.Transport.RoundTrip].
func (b *Backend) RoundTrip(r *http.Request) (*http.Response, error) { return b.rt.RoundTrip(r) }

// begin counts a request that begins. False means that the backend is full, or has left the pool.
func (b *Backend) begin() bool {
	if b.limit == 0 {
		b.load.Begin()
	} else if !b.load.BeginBelow(b.limit) {
		return false
	}
	if b.gone.Load() {
		b.end()
		return false
	}
	return true
}

// end counts a request that ended, or hands its place to one that waits. The last of a backend that
// has left ends its connections.
func (b *Backend) end() {
	if b.limit > 0 && b.pool.line.n.Load() > 0 && !b.gone.Load() && b.willing() && b.pool.line.hand(b) {
		return
	}
	if b.load.End() == 0 && b.gone.Load() {
		b.close.Do(b.closeTransport)
	}
}

// retire lets the requests of a backend end, and then its connections.
func (b *Backend) retire() {
	b.gone.Store(true)
	if b.load.Active() == 0 {
		b.close.Do(b.closeTransport)
	}
}

func (b *Backend) closeTransport() {
	switch t := b.rt.(type) {
	case interface{ Close() error }:
		t.Close()
	case interface{ Close() }:
		t.Close()
	}
}

// full says whether the backend has all the requests it may have.
func (b *Backend) full() bool { return b.limit > 0 && b.load.Active() >= b.limit }

// willing says whether the backend may get requests at all.
func (b *Backend) willing() bool {
	return !b.drained.Load() && !b.down.Load() && !b.host.Ejected() && (b.breaker == nil || b.breaker.Ready())
}

// able says whether the backend may get a request now: hindrance, without the reason.
func (b *Backend) able() bool { return b.willing() && !b.full() }

// hindrance says why the backend may get no request now, "" when it may.
func (b *Backend) hindrance() Why {
	switch {
	case b.drained.Load():
		return Drained
	case b.down.Load():
		return Down
	case b.host.Ejected():
		return Ejected
	case b.breaker != nil && !b.breaker.Ready():
		return Open
	case b.full():
		return Full
	}
	return ""
}
