package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// call is a request under way.
type call struct {
	Request
	transport http.RoundTripper
	cancel    context.CancelCauseFunc // ends the context that prepare returned
	timer     *time.Timer             // calls cancel at the time limit; nil without one
	deadline  time.Time               // of the call or of its caller; zero for none

	// What the next hop sends; a redirect changes them.
	method  string
	url     *url.URL
	header  http.Header
	hasBody bool

	attempts int  // 1 and one for each retry
	used     bool // BodyReader was sent
}

// errTimeout is the cause of a context whose time limit has passed.
var errTimeout = errors.New("time limit exceeded")

// prepare checks the request. The context ends with the time limit, or with end.
func (c *Client) prepare(ctx context.Context, r Request) (context.Context, *call, error) {
	r.setDefaults()
	u, err := parseURL(r.URL)
	if err != nil {
		return nil, nil, &Error{Code: CodeURL, Method: r.Method, URL: redactURL(r.URL), Err: err}
	}
	call := &call{Request: r, transport: c.open, method: r.Method, url: u, header: canonical(r.Header), attempts: 1}
	call.hasBody = r.BodyReader != nil || len(r.Body) > 0
	if r.DenyPrivate {
		call.transport = c.guarded
	}
	if call.header["User-Agent"] == nil {
		call.header.Set("User-Agent", c.userAgent)
	}
	call.deadline, _ = ctx.Deadline()
	ctx, call.cancel = context.WithCancelCause(ctx)
	if r.Timeout > 0 {
		call.timer = time.AfterFunc(r.Timeout, func() { call.cancel(errTimeout) })
		if limit := time.Now().Add(r.Timeout); call.deadline.IsZero() || limit.Before(call.deadline) {
			call.deadline = limit
		}
	}
	return ctx, call, nil
}

func (r *Request) setDefaults() {
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.Timeout == 0 {
		r.Timeout = DefaultTimeout
	}
	if r.MaxRedirects == 0 {
		r.MaxRedirects = DefaultMaxRedirects
	}
	if r.MaxBody == 0 {
		r.MaxBody = DefaultMaxBody
	}
	r.Retry.setDefaults()
}

// canonical returns a copy with names in the form by which they are found and dropped.
func canonical(h http.Header) http.Header {
	out := make(http.Header, len(h)+1)
	for name, values := range h {
		name = http.CanonicalHeaderKey(name)
		out[name] = append(out[name], values...)
	}
	return out
}

// end lets go of what the call holds.
func (c *call) end() {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.cancel(nil)
}

// run sends the request, retrying and following redirects, until there is an answer.
func (c *call) run(ctx context.Context) (*http.Response, error) {
	for hop := 0; ; hop++ {
		res, err := c.tryHop(ctx)
		if err != nil {
			return nil, err
		}
		if res.StatusCode == http.StatusSwitchingProtocols {
			_ = res.Body.Close() // it is the connection, which would be read until the server hangs up
			return nil, &Error{Code: CodeProtocol, Err: errors.New("the server switches to another protocol (101); calls have one request and one answer")}
		}
		location := c.redirect(res)
		if location == "" {
			return res, nil
		}
		discard(res)
		if hop == c.MaxRedirects {
			return nil, &Error{Code: CodeRedirects, Err: fmt.Errorf("redirected more than %d times, last to %s", c.MaxRedirects, redactURL(location))}
		}
		if err := c.follow(res.StatusCode, location); err != nil {
			return nil, err
		}
	}
}

// send makes one request to the present URL.
func (c *call) send(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, c.url.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header = c.header.Clone()
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	if user := c.url.User; user != nil && req.Header.Get("Authorization") == "" {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	if err := c.attach(req); err != nil {
		return nil, err
	}
	return c.transport.RoundTrip(req)
}

// attach gives the request its body.
func (c *call) attach(req *http.Request) error {
	switch {
	case !c.hasBody:
		return nil
	case c.BodyReader == nil:
		req.ContentLength = int64(len(c.Body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c.Body)), nil }
		req.Body, _ = req.GetBody()
		return nil
	case c.used:
		return &Error{Code: CodeRedirects, Err: errors.New("the server redirects and asks for the body again, which was a stream; send it as a string or to the new address")}
	}
	c.used = true
	req.ContentLength = -1
	if c.BodySize > 0 {
		req.ContentLength = c.BodySize
	}
	var ok bool
	if req.Body, ok = c.BodyReader.(io.ReadCloser); !ok {
		req.Body = io.NopCloser(c.BodyReader)
	}
	return nil
}

// discard gives a connection back whose answer nobody reads.
func discard(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
	_ = res.Body.Close()
}
