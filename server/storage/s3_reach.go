package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// How often a request is made that fails for a moment: a server that does not take connections is asked
// once more, one that answers that it is busy twice.
const (
	mostTries    = 3
	connectTries = 2
	connectPause = 300 * time.Millisecond
	mostPause    = 2 * time.Second
)

// newRetryer decides what is tried again.
func newRetryer() aws.RetryerV2 {
	return retryer{retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = mostTries, mostPause
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(neverRight)}, o.Retryables...)
	})}
}

type retryer struct{ *retry.Standard }

// RetryDelay implements [aws.Retryer]. An error is that of the request, and the end.
func (r retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	if !isUnreached(err) {
		return r.Standard.RetryDelay(attempt, err)
	}
	if attempt >= connectTries {
		return 0, err
	}
	return connectPause, nil
}

// neverRight knows a server that speaks http where https is asked for: it will not change its mind.
func neverRight(err error) aws.Ternary {
	if err != nil && strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// unreached is the error of a request that got no connection.
type unreached struct{ error }

func (u *unreached) Unwrap() error { return u.error }

func isUnreached(err error) bool {
	_, ok := errors.AsType[*unreached](err)
	return ok
}

// A reacher makes requests, and tells those that got no connection from others.
type reacher struct{ client *http.Client }

// Do implements the client of the library.
func (r reacher) Do(req *http.Request) (*http.Response, error) {
	var got atomic.Bool
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { got.Store(true) }})
	res, err := r.client.Do(req.WithContext(ctx))
	var last error
	if err != nil && !got.Load() {
		err = &unreached{err}
		last = err
	}
	if t, ok := ctx.Value(triesKey{}).(*tries); ok {
		t.note(last)
	}
	return res, err
}

// tries is what has become of the requests of a call. The library forgets it where the context ends.
type tries struct{ last atomic.Pointer[unreached] }

type triesKey struct{}

func withTries(ctx context.Context) context.Context {
	return context.WithValue(ctx, triesKey{}, new(tries))
}

// note keeps why there was no connection, before the deadline of the call if that is known.
func (t *tries) note(err error) {
	u, _ := err.(*unreached)
	if u != nil && t.last.Load() != nil && isTimeout(u.error) {
		return // the deadline says less than what was before
	}
	t.last.Store(u)
}

// notReached is the error of a call whose deadline has passed while it was connecting; nil for others.
func notReached(ctx context.Context) *Error {
	t, ok := ctx.Value(triesKey{}).(*tries)
	if !ok {
		return nil
	}
	last := t.last.Load()
	if last == nil {
		return nil
	}
	return &Error{Code: CodeUnavailable, cause: last, Message: fmt.Sprintf("there was no connection to the server before the deadline: %s", rootOf(last))}
}
