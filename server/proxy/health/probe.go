package health

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// A prober asks one backend. ask returns nil if it works; close frees connections that are kept.
type prober struct {
	ask   func(ctx context.Context) error
	close func()
}

// An endpoint is where and how a backend is asked.
type endpoint struct {
	scheme           string
	network, address string // to dial
	host             string // for Host and the certificate, with the port unless it is the default
	path             string // with the query
}

// newProber checks a target and connects to nothing.
func newProber(c *Check, t Target) (*prober, error) {
	none := func() {}
	c = c.toward(t.Host)
	if c.Probe != nil {
		return &prober{func(ctx context.Context) error { return c.Probe(ctx, t) }, none}, nil
	}
	e, err := c.endpoint(t.URL)
	if err != nil {
		return nil, fmt.Errorf("health check of %s: %w", t.ID, err)
	}
	switch e.scheme {
	case "tcp", "fastcgi":
		return &prober{func(ctx context.Context) error { return c.askTCP(ctx, e) }, none}, nil
	case "tls":
		return &prober{func(ctx context.Context) error { return c.askTLS(ctx, e) }, none}, nil
	case "ws", "wss":
		return &prober{func(ctx context.Context) error { return c.askWebSocket(ctx, e) }, none}, nil
	}
	return c.httpProber(e)
}

// toward is c for a target whose name is not that of its URL.
func (c *Check) toward(host string) *Check {
	if host == "" {
		return c
	}
	own := *c
	own.Host = cmp.Or(c.Host, host)
	own.TLS = c.TLS.Clone()
	if own.TLS == nil {
		own.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if own.TLS.ServerName == "" {
		own.TLS.ServerName = (&url.URL{Host: host}).Hostname()
	}
	return &own
}

// endpoint reads the URL of a target.
func (c *Check) endpoint(text string) (endpoint, error) {
	u, err := url.Parse(text)
	if err != nil {
		return endpoint{}, fmt.Errorf("%w: write it like http://127.0.0.1:9000", errors.Unwrap(err))
	}
	e := endpoint{scheme: u.Scheme, path: c.Path}
	if c.Scheme != "" {
		e.scheme = c.Scheme
	}
	if _, ok := schemes[e.scheme]; !ok {
		return endpoint{}, unknownScheme(e.scheme)
	}
	if u.Host == "" && (u.Scheme == "unix" || u.Scheme == "fastcgi") {
		return e.onSocket(u)
	}
	if u.Hostname() == "" {
		return e, fmt.Errorf("%q names no host", u.Redacted())
	}
	if e.path == "" {
		e.path = u.RequestURI()
	}
	return e.onNetwork(c, u)
}

// onSocket is for unix:/run/app.sock, and fastcgi:/run/php.sock.
func (e endpoint) onSocket(u *url.URL) (endpoint, error) {
	path := u.Path
	if path == "" {
		path = u.Opaque // unix:app.sock
	}
	if path == "" {
		return e, fmt.Errorf("%q names no socket: write it like unix:/run/app.sock", u.Redacted())
	}
	e.network, e.address, e.host = "unix", path, "localhost"
	if e.path == "" {
		e.path = "/"
	}
	return e, nil
}

func (e endpoint) onNetwork(c *Check, u *url.URL) (endpoint, error) {
	number := u.Port()
	if c.Port != 0 {
		number = strconv.Itoa(c.Port)
	}
	if number == "" {
		number = port(u.Scheme)
	}
	if number == "" {
		number = port(e.scheme)
	}
	if number == "" {
		return e, fmt.Errorf("%q names no port", u.Redacted())
	}
	e.network, e.address = "tcp", net.JoinHostPort(u.Hostname(), number)
	e.host = e.address
	if number == port(e.scheme) {
		e.host = strings.TrimSuffix(e.address, ":"+number)
	}
	return e, nil
}

func (c *Check) dial(ctx context.Context, e endpoint) (net.Conn, error) {
	conn, err := c.Dial(ctx, e.network, e.address)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return conn, nil
}

func (c *Check) askTCP(ctx context.Context, e endpoint) error {
	conn, err := c.dial(ctx, e)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (c *Check) askTLS(ctx context.Context, e endpoint) error {
	conn, err := c.dialTLS(ctx, e)
	if err != nil {
		return err
	}
	conn.Close() // the goodbye need not arrive
	return nil
}

func (c *Check) dialTLS(ctx context.Context, e endpoint) (*tls.Conn, error) {
	raw, err := c.dial(ctx, e)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, c.tlsConfig(e))
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return conn, nil
}

// tlsConfig is for connections that net/http does not make.
func (c *Check) tlsConfig(e endpoint) *tls.Config {
	config := c.TLS.Clone()
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(e.address)
	}
	if e.scheme == "wss" {
		config.NextProtos = []string{"http/1.1"}
	}
	return config
}

// localFault reports whether a check failed for want of something on this machine, which says nothing
// about the backend.
func localFault(err error) bool {
	for _, want := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

// timedOut reports whether an error is about time, whoever noticed it.
func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}
