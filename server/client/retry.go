package client

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Retry says how failures are tried again: a connection that cannot be made or that breaks
// before the answer, and the statuses 429, 502, 503 and 504. The zero value tries once.
type Retry struct {
	// Tries is how often the request is sent at most, the first time included; 0 means 1.
	Tries int
	// Backoff is the wait before the second try; it doubles for each further one, up to 10 s,
	// and is shortened by up to half at random. Default 100 ms. A Retry-After of the server
	// up to 30 s takes its place; a longer one ends the tries.
	Backoff time.Duration
	// AnyMethod also repeats POST, PATCH and other methods that are not idempotent
	// (RFC 9110 §9.2.2). Only when the server knows a repetition.
	AnyMethod bool
}

const (
	defaultBackoff = 100 * time.Millisecond
	maxBackoff     = 10 * time.Second
	maxRetryAfter  = 30 * time.Second
)

func (r *Retry) setDefaults() {
	if r.Backoff <= 0 {
		r.Backoff = defaultBackoff
	}
}

// tryHop sends the request to the present URL until there is an answer worth returning. The
// tries are counted over all hops.
func (c *call) tryHop(ctx context.Context) (*http.Response, error) {
	for {
		res, err := c.send(ctx)
		wait, again := c.retryIn(res, err)
		if !again || ctx.Err() != nil || !c.fits(wait) {
			return res, err
		}
		if res != nil {
			discard(res)
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
		c.attempts++
	}
}

// retryIn reports whether to try again, and after what time.
func (c *call) retryIn(res *http.Response, err error) (time.Duration, bool) {
	if c.attempts >= c.Retry.Tries || !c.repeatable() {
		return 0, false
	}
	if err != nil {
		return c.backoff(), isConnectFailure(err)
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return 0, false
	}
	if wait, ok := retryAfter(res); ok {
		return wait, wait <= maxRetryAfter
	}
	return c.backoff(), true
}

func (c *call) repeatable() bool {
	if c.hasBody && c.BodyReader != nil {
		return false
	}
	switch c.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return c.Retry.AnyMethod
}

func (c *call) backoff() time.Duration {
	wait := c.Retry.Backoff
	for range c.attempts - 1 {
		wait = min(2*wait, maxBackoff)
	}
	return wait - rand.N(wait/2+1)
}

// retryAfter reads the header in both its forms (RFC 9110 §10.2.3).
func retryAfter(res *http.Response) (time.Duration, bool) {
	value := res.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at)), true
	}
	return 0, false
}

// fits reports whether the time limit leaves room for the wait; if not, the failure at hand
// says more than a timeout would.
func (c *call) fits(wait time.Duration) bool {
	return c.deadline.IsZero() || time.Now().Add(wait).Before(c.deadline)
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isConnectFailure reports whether no answer can have been begun: the connection was not made,
// or it broke before.
func isConnectFailure(err error) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return !dns.IsNotFound
	}
	if _, denied := errors.AsType[*deniedError](err); denied {
		return false
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	return errors.Is(err, io.EOF) || isReset(err)
}
