package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// httpProber asks by HTTP, with connections of its own.
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
	t := c.transport(e)
	ask := c.askHTTP
	if e.scheme == "grpc" || e.scheme == "grpcs" {
		ask = c.askGRPC
		u.Path, u.RawPath, u.RawQuery = grpcPath, "", ""
	}
	return &prober{
		ask: func(ctx context.Context) error {
			err := ask(ctx, t, e, u)
			if err != nil || !c.Reuse { // HTTP/2 would go on with a connection that is dead
				t.CloseIdleConnections()
			}
			return err
		},
		close: t.CloseIdleConnections,
	}, nil
}

func (c *Check) transport(e endpoint) *http.Transport {
	t := &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx, e) },
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

// hasToken reports whether a header that is a list has an entry, in any case.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for entry := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(entry), token) {
				return true
			}
		}
	}
	return false
}
