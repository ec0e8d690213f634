// Package transport sends requests to one backend over connections that it keeps.
//
// HTTP/1.1 is our own: the goroutine that calls RoundTrip writes the request and reads the answer,
// so that nothing is handed from goroutine to goroutine. A second goroutine there is only for a
// body that is too large, or of unknown length, to go out with the head. HTTP/2 is that of
// golang.org/x/net/http2.
//
// Answers are read as strictly as requests are (see [rws/server/http1/wire]): what is framed
// improperly is an [Error], and its connection is closed.
package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Options of a transport. The zero value of each but Address is a good default; a negative duration
// means no limit.
type Options struct {
	// Scheme says how the backend is spoken to; http by default.
	//
	//	http, ws     HTTP/1.1; ws is the same, as an upgrade to WebSocket is part of it
	//	https, wss   HTTP/1.1 over TLS
	//	unix         HTTP/1.1 over a socket file
	//	h2, grpcs    HTTP/2 over TLS
	//	h2c, grpc    HTTP/2 without TLS, from the first byte on
	//
	// https does not offer HTTP/2: an answer of 1 KiB costs the proxy about half the time over
	// HTTP/1.1, and requests that share one connection also share its losses.
	Scheme string
	// Address is "host:port", or for unix the path of the socket. A host name is looked up for
	// each connection.
	Address string
	// TLS are the authorities, the client certificate, the server name and the like for https, wss,
	// h2 and grpcs. Nil means the authorities of the system and the host of Address as name. It is
	// cloned; sessions are resumed.
	TLS *tls.Config
	// Dial opens connections in place of [net.Dialer], which tries IPv6 and IPv4 side by side.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Connect bounds the opening of a connection, its TLS handshake included; 3 s.
	Connect time.Duration
	// Response bounds the wait for the head of the answer, once the request has been sent; 30 s. A request may
	// have its own, see [WithResponse].
	Response time.Duration
	// ReadIdle bounds each wait for more of the body of an answer, and for the backend to take more
	// of a request; 60 s. For grpc and grpcs there is none by default: streams may be silent for
	// long, and pings tell whether the backend is there.
	ReadIdle time.Duration
	// Idle is how long an unused connection is kept; 55 s, just less than what most servers grant.
	// A backend that announces less (Keep-Alive: timeout=5) is believed.
	Idle time.Duration
	// MaxAge is how long a connection is used at all; 1 h, less up to a tenth so that not all end at
	// once.
	MaxAge time.Duration
	// Queue is how long a request waits for a connection when MaxConns are in use; 1 s.
	Queue time.Duration

	// MaxIdle and MaxConns bound the connections: those unused, 64, and all, 256.
	MaxIdle, MaxConns int
	// MaxHeaderBytes bounds the head of an answer; 64 KiB.
	MaxHeaderBytes int

	// ProxyProtocol 1 or 2 sends a header of the PROXY protocol first on each connection, with the
	// addresses of [WithClientAddr]. A connection then serves that client alone.
	ProxyProtocol int
}

// Stats count connections.
type Stats struct {
	Open   int // those being opened included
	Idle   int // unused
	InUse  int
	Dials  uint64 // connections that were opened, ever
	Reused uint64 // requests that found one open
}

// Transport is an [http.RoundTripper] to one backend. Safe for concurrent use; made by [New].
type Transport struct{ protocol }

// protocol is how a backend is spoken to.
type protocol interface {
	http.RoundTripper
	Close()
	CloseIdle()
	Stats() Stats
}

// New checks the options. It opens no connection.
func New(o Options) (*Transport, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	d, err := newDialer(&o)
	if err != nil {
		return nil, err
	}
	if o.isH2() {
		return &Transport{newH2(&o, d)}, nil
	}
	return &Transport{newH1(&o, d)}, nil
}

// RoundTrip implements [http.RoundTripper]. The host of r.URL is not used: the request goes to the
// backend, with r.Host and the path and query of r.URL. Fields are sent as they are in r.Header;
// Content-Length, Transfer-Encoding and Trailer are made anew. The body is closed. A small one that is
// here already, as its method Buffered() int tells, goes out with the head.
//
// Errors are of type *[Error]. A request that is refused because a kept connection turned out to be
// closed is sent once more on a new one if that can do no harm.
//
// Informational answers go to Got1xxResponse of [net/http/httptrace]. Trailers are in
// Response.Trailer once the body has been read, announced or not. The body of a 101 is an
// io.ReadWriteCloser with CloseWrite, and the connection is the caller's until it is closed. The end
// of the request's context closes the connection at any time. A request that could not be sent to its end,
// or that is over, has no answer whatever the backend still says: the connection is closed without the
// goodbye of TLS, and reset if the request was not complete.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.protocol.RoundTrip(r)
}

// Close closes unused connections, and those in use when their answers end. Further requests fail.
func (t *Transport) Close() { t.protocol.Close() }

// CloseIdle closes unused connections.
func (t *Transport) CloseIdle() { t.protocol.CloseIdle() }

// Stats counts the connections.
func (t *Transport) Stats() Stats { return t.protocol.Stats() }

func (o *Options) complete() error {
	o.Scheme = cmp.Or(o.Scheme, "http")
	if !known(o.Scheme) {
		return fmt.Errorf("the scheme %q is none of http, https, h2, h2c, grpc, grpcs, ws, wss, unix", o.Scheme)
	}
	if err := o.checkAddress(); err != nil {
		return err
	}
	if o.ProxyProtocol < 0 || o.ProxyProtocol > 2 {
		return fmt.Errorf("the PROXY protocol has the versions 1 and 2, not %d; 0 switches it off", o.ProxyProtocol)
	}
	o.Connect = cmp.Or(o.Connect, 3*time.Second)
	o.Response = cmp.Or(o.Response, 30*time.Second)
	o.Idle = cmp.Or(o.Idle, 55*time.Second)
	o.MaxAge = cmp.Or(o.MaxAge, time.Hour)
	o.Queue = cmp.Or(o.Queue, time.Second)
	if !o.isGRPC() {
		o.ReadIdle = cmp.Or(o.ReadIdle, time.Minute)
	}
	return o.completeSizes()
}

func (o *Options) completeSizes() error {
	if o.MaxIdle < 0 || o.MaxConns < 0 || o.MaxHeaderBytes < 0 {
		return fmt.Errorf("max idle %d, max conns %d, max header bytes %d: none may be negative; 0 means the default", o.MaxIdle, o.MaxConns, o.MaxHeaderBytes)
	}
	o.MaxConns = cmp.Or(o.MaxConns, 256)
	o.MaxIdle = min(cmp.Or(o.MaxIdle, 64), o.MaxConns)
	o.MaxHeaderBytes = cmp.Or(o.MaxHeaderBytes, 64<<10)
	return nil
}

func (o *Options) checkAddress() error {
	if o.Scheme == "unix" {
		if o.Address == "" {
			return fmt.Errorf("a unix backend needs the path of its socket as address")
		}
		return nil
	}
	if host, port, err := net.SplitHostPort(o.Address); err != nil || host == "" || port == "" {
		return fmt.Errorf("the address %q of the backend is not host:port", o.Address)
	}
	return nil
}

func known(scheme string) bool {
	switch scheme {
	case "http", "https", "h2", "h2c", "grpc", "grpcs", "ws", "wss", "unix":
		return true
	}
	return false
}

func (o *Options) isTLS() bool {
	switch o.Scheme {
	case "https", "wss", "h2", "grpcs":
		return true
	}
	return false
}

func (o *Options) isH2() bool { return o.Scheme == "h2" || o.Scheme == "h2c" || o.isGRPC() }

func (o *Options) isGRPC() bool { return o.Scheme == "grpc" || o.Scheme == "grpcs" }
