// Package health finds out which backends of a proxy work.
//
// A [Monitor] asks each of them again and again (active checks), with a [Check]. An [Outlier] judges by
// the answers to the requests of clients (passive checks), and keeps those backends for a while from
// getting more that failed.
package health

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"golang.org/x/net/http/httpguts"

	"rws/server/suggest"
)

// Defaults of Check.
const (
	DefaultEvery   = 10 * time.Second
	DefaultTimeout = 2 * time.Second
	DefaultUp      = 2
	DefaultDown    = 3
	DefaultJitter  = 0.1
	DefaultStatus  = "2xx"

	// maxFast is the default of Check.Fast, unless Every is shorter.
	maxFast = 2 * time.Second
	// maxBody is how much of an answer is read.
	maxBody = 64 << 10
	// maxHeader limits the header of an answer.
	maxHeader = 64 << 10
)

// Check says how a backend is asked whether it works, and how often. The zero value is a good default:
// GET / answered by 2xx, every 10 s.
type Check struct {
	// Scheme is how to ask, in place of the scheme of the backend's URL: "tcp" is content when the backend
	// of an https URL accepts connections, "grpc" asks one of an h2c URL by grpc.health.v1.
	//
	//	http https h2 h2c unix   a request, answered by a status of Status and a body that matches Match
	//	grpc grpcs               grpc.health.v1.Health/Check of Service, answered by SERVING
	//	ws wss                   the handshake of a WebSocket (RFC 6455 §4), answered by 101; then a Close frame
	//	tcp tls                  a connection; with tls its handshake and a certificate that holds
	//	fastcgi                  a connection
	Scheme string
	// Port replaces the port of the backend's URL.
	Port int

	// Path is asked for, with its query; default that of the backend's URL or "/".
	Path string
	// Method defaults to GET.
	Method string
	// Host is sent in place of the URL's.
	Host string
	// Header is sent too.
	Header http.Header
	// Status are the good ones; default 2xx. Redirects are not followed.
	Status Statuses
	// Match must match the first 64 KiB of the body.
	Match *regexp.Regexp
	// Service is of grpc: the one to ask about; default "", the server as a whole.
	Service string

	// Every is the time between two checks; default 10 s. Fast is that time while the backend is down or
	// about to change; default 2 s, or Every if that is shorter. The first check is made at once.
	Every, Fast time.Duration
	// Jitter moves each check by up to this share of the time, so that not all come at once; default 0.1,
	// negative for none, less than 1.
	Jitter float64
	// Timeout is for a check as a whole; default 2 s, or Every if that is shorter.
	Timeout time.Duration
	// Up and Down are how many checks in a row must succeed, or fail, to change what is thought of a
	// backend; default 2 and 3. The first check of all decides at once, unless a [Memory] knows of others.
	Up, Down int

	// TLS is for https h2 grpcs wss tls; nil verifies against the authorities of the system.
	TLS *tls.Config
	// Dial connects; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Reuse keeps connections of http https h2 h2c grpc grpcs unix from one check to the next. Without it
	// each check makes a new one, and so finds out whether the backend still accepts them.
	Reuse bool
	// Probe asks in place of all this: nil means that the backend works. It must end with ctx.
	Probe func(ctx context.Context, t Target) error
}

// Target is a backend to check.
type Target struct {
	ID  string // unique
	URL string // as in "https://10.0.0.1:8443", "unix:/run/app.sock", "tcp://10.0.0.1:5432"
	// Host is what the address was looked up from, for the Host field and the certificate; default
	// that of URL.
	Host string
}

// schemes and the ports they have if the URL has none; 0 for none.
var schemes = map[string]int{
	"http": 80, "https": 443, "h2": 443, "h2c": 80, "ws": 80, "wss": 443,
	"grpc": 0, "grpcs": 443, "tcp": 0, "tls": 0, "unix": 0, "fastcgi": 9000,
}

// withDefaults checks c and fills it in.
func (c Check) withDefaults() (Check, error) {
	if err := c.validate(); err != nil {
		return c, fmt.Errorf("health check: %w", err)
	}
	c.Method = cmp.Or(c.Method, http.MethodGet)
	if c.Status.empty() {
		c.Status = mustStatuses(DefaultStatus)
	}
	c.Every = cmp.Or(c.Every, DefaultEvery)
	c.Fast = cmp.Or(c.Fast, min(c.Every, maxFast))
	c.Jitter = max(cmp.Or(c.Jitter, DefaultJitter), 0)
	c.Timeout = cmp.Or(c.Timeout, min(c.Every, DefaultTimeout))
	c.Up, c.Down = cmp.Or(c.Up, DefaultUp), cmp.Or(c.Down, DefaultDown)
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	return c, nil
}

func (c Check) validate() error {
	if _, ok := schemes[c.Scheme]; !ok && c.Scheme != "" {
		return unknownScheme(c.Scheme)
	}
	switch {
	case c.Port < 0 || c.Port > 65535:
		return fmt.Errorf("the port %d is out of range: 1 to 65535", c.Port)
	case c.Path != "" && c.Path[0] != '/':
		return fmt.Errorf(`the path %q does not begin with "/"`, c.Path)
	case c.Method != "" && !httpguts.ValidHeaderFieldName(c.Method):
		return fmt.Errorf("%q is no method", c.Method)
	case c.Host != "" && !httpguts.ValidHostHeader(c.Host):
		return fmt.Errorf("%q is no host", c.Host)
	case c.Method == http.MethodHead && c.Match != nil:
		return fmt.Errorf("the body is to match %q, but an answer to HEAD has none: use GET", c.Match)
	case c.Up < 0 || c.Down < 0:
		return fmt.Errorf("up (%d) and down (%d) must not be negative", c.Up, c.Down)
	case c.Every < 0 || c.Fast < 0 || c.Timeout < 0:
		return fmt.Errorf("every (%v), fast (%v) and timeout (%v) must not be negative", c.Every, c.Fast, c.Timeout)
	case c.Jitter >= 1:
		return fmt.Errorf("the jitter is %v: a share of the time between checks, less than 1", c.Jitter)
	}
	for name, values := range c.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("%q is no name of a header", name)
		}
		if !slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) }) {
			continue
		}
		return fmt.Errorf("the header %s has a line break or another control character", name)
	}
	return nil
}

func unknownScheme(scheme string) error {
	names := slices.Sorted(maps.Keys(schemes))
	return fmt.Errorf("%q is no way to check a backend%s: it is one of %v", scheme, suggest.DidYouMean(scheme, names), names)
}

// port returns the port of a scheme as text, "" if it has none.
func port(scheme string) string {
	if n := schemes[scheme]; n != 0 {
		return strconv.Itoa(n)
	}
	return ""
}
