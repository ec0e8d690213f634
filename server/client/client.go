// Package client calls other HTTP servers on behalf of scripts.
//
// It is net/http's transport (pooling, HTTP/2, verified TLS, gzip, proxies from the
// environment) with what a script should not have to think of: a time limit for the whole
// call, a size limit for the answer, redirects that do not carry credentials to strangers,
// retries that do not repeat what must not be repeated, and, where the URL comes from outside,
// a guard against reaching into the own network.
package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Defaults and limits.
const (
	DefaultTimeout      = 30 * time.Second
	DefaultMaxRedirects = 10
	DefaultMaxBody      = 10 << 20 // bytes

	// NoRedirects as Request.MaxRedirects makes a redirect the answer.
	NoRedirects = -1
	// NoLimit as Request.MaxBody reads a body of any size.
	NoLimit = -1
)

// Options of a client. The zero value is a good default.
type Options struct {
	// RootCAs are the authorities that servers are verified against; nil means those of the
	// system. Verification cannot be switched off.
	RootCAs *x509.CertPool
	// Certificates identify this client to servers that ask (mutual TLS).
	Certificates []tls.Certificate
	// UserAgent is sent when a request names none; default "rws".
	UserAgent string
	// AllowPrivate are addresses that Request.DenyPrivate lets through nonetheless.
	AllowPrivate []netip.Prefix
	// RoundTrip answers the requests in place of the network, for tests of scripts. It sees
	// each hop and each try. DenyPrivate has nothing to check then.
	RoundTrip http.RoundTripper
}

// Client makes calls. Safe for concurrent use; made by [New].
type Client struct {
	userAgent     string
	open, guarded http.RoundTripper
}

// New returns a client with connection pools of its own.
func New(o Options) *Client {
	c := &Client{userAgent: o.UserAgent, open: o.RoundTrip, guarded: o.RoundTrip}
	if c.userAgent == "" {
		c.userAgent = "rws"
	}
	if o.RoundTrip != nil {
		return c
	}
	c.open = transport(o, http.ProxyFromEnvironment, nil)
	// Guarded calls have a pool of their own: a connection that an open call made to a private
	// address must not serve them. They use no proxy, which would connect in their place.
	c.guarded = transport(o, nil, guard{allow: o.AllowPrivate}.control)
	return c
}

// Close closes the idle connections. Calls under way are not disturbed.
func (c *Client) Close() {
	for _, rt := range []http.RoundTripper{c.open, c.guarded} {
		if t, ok := rt.(*http.Transport); ok {
			t.CloseIdleConnections()
		}
	}
}

func transport(o Options, proxy proxyFunc, control controlFunc) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second, Control: control}
	return &http.Transport{
		Proxy:       proxy,
		DialContext: dialer.DialContext,
		TLSClientConfig: &tls.Config{
			MinVersion:   tls.VersionTLS12,
			RootCAs:      o.RootCAs,
			Certificates: o.Certificates,
		},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true, // which a DialContext of one's own would switch off
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// Request is one call.
type Request struct {
	// Method defaults to GET.
	Method string
	// URL is absolute, http or https. A user name and password in it are sent as basic
	// authentication unless Header has an Authorization.
	URL string
	// Header is sent, its names in any case; "Host" replaces the host of the URL. The map is
	// not changed. Authorization, Cookie and Proxy-Authorization do not follow a redirect to
	// another host or port, or from https to http.
	Header http.Header
	// Body is sent when BodyReader is nil. It can be sent again, for a retry or a redirect.
	Body []byte
	// BodyReader is sent once: with it there are no retries, and a redirect that asks for the
	// body again (307, 308) is an error. The transport closes it if it is an io.Closer.
	BodyReader io.Reader
	// BodySize is the length of BodyReader in bytes when it is known; 0 sends it chunked.
	BodySize int64

	// Timeout limits the whole call: connecting, retries, redirects, reading the body.
	// Default 30 s, negative for none. Of a stream it limits the time until the answer
	// begins, and then each wait for more of it.
	Timeout time.Duration
	// Retry says whether and how failures are tried again; by default they are not.
	Retry Retry
	// MaxRedirects is how many redirects are followed; default 10. [NoRedirects] returns the
	// redirect itself. One too many is an error.
	MaxRedirects int
	// MaxBody limits the bytes of a buffered body after decompression; default 10 MiB.
	// [NoLimit] has none. Streams are not limited.
	MaxBody int64
	// Stream returns the body as a reader, which the caller must close.
	Stream bool
	// DenyPrivate refuses every address that is not on the public internet: loopback,
	// private, link-local, shared (CGNAT), metadata services of clouds. The address that is
	// dialled is checked, so no host name and no redirect gets around it. Use it whenever
	// the URL comes from outside.
	DenyPrivate bool
}

// Response is the answer to a call, whatever its status.
type Response struct {
	Status   int
	Header   http.Header
	Body     []byte        // all of it, unless streaming; nil when there is none
	Stream   io.ReadCloser // only of a streaming request; must be closed
	URL      string        // of the last hop, after redirects; without user name and password
	Proto    string        // as in "HTTP/2.0"
	Time     time.Duration // of the whole call; of a stream until it began
	Attempts int           // 1 and one for each retry; redirects do not count
}

// Do makes the call. An answer with any status is a Response; the error is always an [*Error].
// Cancelling ctx ends the call and also a stream that it returned.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	start := time.Now()
	ctx, call, err := c.prepare(ctx, r)
	if err != nil {
		return nil, err
	}
	res, err := call.run(ctx)
	if err != nil {
		defer call.end()
		return nil, call.explain(ctx, err)
	}
	out := &Response{
		Status: res.StatusCode, Header: res.Header, URL: withoutUser(call.url), Proto: res.Proto, Attempts: call.attempts,
	}
	if r.Stream {
		out.Stream = newStream(ctx, call, res.Body)
		out.Time = time.Since(start)
		return out, nil
	}
	defer call.end()
	if out.Body, err = call.readAll(res); err != nil {
		return nil, call.explain(ctx, err)
	}
	out.Time = time.Since(start)
	return out, nil
}
