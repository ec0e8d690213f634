package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// A caller asks by HTTP, with a connection of its own.
type caller struct {
	c    *Check
	e    endpoint
	u    *url.URL
	ask  func(context.Context, *http.Transport, endpoint, *url.URL) error
	t    *http.Transport
	line *line // of t
}

func (c *Check) httpProber(e endpoint) (*prober, error) {
	u, err := url.ParseRequestURI(e.path)
	if err != nil {
		return nil, fmt.Errorf("health check: the path %q is not valid: %w", e.path, errors.Unwrap(err))
	}
	u.Scheme, u.Host = "http", e.address
	if e.network == "unix" {
		u.Host = e.host
	}
	switch e.scheme {
	case "https", "h2", "grpcs":
		u.Scheme = "https"
	}
	r := &caller{c: c, e: e, u: u, ask: c.askHTTP}
	if e.scheme == "grpc" || e.scheme == "grpcs" {
		r.ask = c.askGRPC
		u.Path, u.RawPath, u.RawQuery = grpcPath, "", ""
	}
	return &prober{ask: r.once, close: r.hangUp}, nil
}

// once asks. A connection on which that failed is not used again: HTTP/2 would go on with one that is
// dead, for as long as TCP takes to notice.
func (r *caller) once(ctx context.Context) error {
	if r.t == nil {
		r.line = &line{dial: func(ctx context.Context) (net.Conn, error) { return r.c.dial(ctx, r.e) }}
		r.t = r.c.transport(r.e, r.line)
	}
	err := r.ask(ctx, r.t, r.e, r.u)
	if err != nil || !r.c.Reuse {
		r.hangUp()
	}
	return err
}

func (r *caller) hangUp() {
	if r.t != nil {
		r.t.CloseIdleConnections() // says goodbye, where there is one
		r.line.cut()
		r.t, r.line = nil, nil
	}
}

// A line is the connection of a transport. There is one at a time.
type line struct {
	dial func(context.Context) (net.Conn, error)

	mu   sync.Mutex
	conn net.Conn
}

// connect is for a transport, which may still be at it when the request has been given up; it closes
// itself what comes after CloseIdleConnections.
func (l *line) connect(ctx context.Context) (net.Conn, error) {
	conn, err := l.dial(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
	return conn, nil
}

// cut closes the connection, in use or not.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.Close()
	}
}

func (c *Check) transport(e endpoint, l *line) *http.Transport {
	t := &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return l.connect(ctx) },
		TLSClientConfig:        c.TLS.Clone(),
		DisableCompression:     true,
		DisableKeepAlives:      !c.Reuse,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        2*c.Every + time.Second,
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              new(http.Protocols),
	}
	switch e.scheme {
	case "h2", "grpcs":
		t.Protocols.SetHTTP2(true)
	case "h2c", "grpc":
		t.Protocols.SetUnencryptedHTTP2(true)
	case "https":
		t.Protocols.SetHTTP1(true)
		t.Protocols.SetHTTP2(true)
	default:
		t.Protocols.SetHTTP1(true)
	}
	return t
}

// request is what every check by HTTP sends.
func (c *Check) request(ctx context.Context, e endpoint, method string, u *url.URL, body io.Reader) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	r.Host = e.host
	if c.Host != "" {
		r.Host = c.Host
	}
	r.Header.Set("User-Agent", userAgent)
	for name, values := range c.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	return r, nil
}

const userAgent = "rws-health-check"

func (c *Check) askHTTP(ctx context.Context, t *http.Transport, e endpoint, u *url.URL) error {
	r, err := c.request(ctx, e, c.Method, u, nil)
	if err != nil {
		return err
	}
	answer, err := t.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if !c.Status.Has(answer.StatusCode) {
		return fmt.Errorf("status %d, expected %s", answer.StatusCode, c.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	if c.Match != nil && !c.Match.Match(body) {
		return fmt.Errorf("the body does not match %s", c.Match)
	}
	return nil
}

// explain adds to the error of a check that ran out of time how much it had.
func (c *Check) explain(err error) error {
	if err != nil && timedOut(err) {
		return fmt.Errorf("no answer within %v: %w", c.Timeout, err)
	}
	return err
}
