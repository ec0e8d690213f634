package upstream

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"rws/server/proxy/breaker"
	"rws/server/proxy/transport"
)

// A Lease is a backend that was given to a request. [Lease.Done] ends it.
type Lease struct {
	Backend *Backend
	permit  breaker.Permit
	stuck   bool // by its cookie
	seen    atomic.Bool
	done    atomic.Bool
}

// A Kind is whose merit or fault an outcome was.
type Kind uint8

// The kinds.
const (
	Neutral Kind = iota // says nothing about the backend: the client left, or sent nonsense
	Success             // the backend answered as it should, be it with 404
	Failure             // the backend did not answer, broke off, or had an error
)

// String is "neutral", "success" or "failure".
func (k Kind) String() string { return [...]string{"neutral", "success", "failure"}[k%3] }

// Outcome is what became of a leased request.
type Outcome struct {
	Kind   Kind
	Status int           // of the answer, 0 for none
	Err    error         // why there was none, or why it broke off
	Took   time.Duration // from Pick to the head of the answer
}

// Judge says what a request to a backend shows: res or err are what RoundTrip returned, or err is
// from the body of res. ctx is that of the request of the client.
//
// A client that left or whose body could not be read is neutral, and so is a request that found
// no free connection. Answers 5xx are failures, except those that say what the client asked for:
// 501 and 505.
func Judge(ctx context.Context, res *http.Response, err error) Outcome {
	o := Outcome{Err: err}
	if res != nil {
		o.Status = res.StatusCode
	}
	switch {
	case err != nil:
		o.Kind = blame(ctx, err)
	case o.Status == http.StatusNotImplemented || o.Status == http.StatusHTTPVersionNotSupported:
		o.Kind = Neutral
	case o.Status >= 500:
		o.Kind = Failure
	default:
		o.Kind = Success
	}
	return o
}

func blame(ctx context.Context, err error) Kind {
	failed, ok := errors.AsType[*transport.Error](err)
	switch {
	case ok && (failed.Client || failed.Phase == transport.PhaseQueue):
		return Neutral
	case errors.Is(err, context.Canceled), errors.Is(ctx.Err(), context.Canceled):
		return Neutral
	case errors.Is(err, ErrNoBackend):
		return Neutral
	}
	return Failure
}

// Answered tells early what became of the request, as when the head of a stream has come that may
// go on for hours. Done then only adds a failure, if there was one after all.
func (l *Lease) Answered(o Outcome) {
	if l.seen.Swap(true) {
		return
	}
	l.permit.Done(result(o.Kind))
	l.Backend.judge(o)
}

// Done ends the lease with what became of the request. Only the first call counts.
func (l *Lease) Done(o Outcome) {
	if l.done.Swap(true) {
		return
	}
	b := l.Backend
	switch {
	case !l.seen.Swap(true):
		l.permit.Done(result(o.Kind))
		b.judge(o)
	case o.Kind == Failure:
		b.judge(o)
	}
	b.requests.Add(1)
	b.end()
}

func result(k Kind) breaker.Result {
	switch k {
	case Success:
		return breaker.Success
	case Failure:
		return breaker.Failure
	}
	return breaker.Neutral
}

// judge takes an outcome in.
func (b *Backend) judge(o Outcome) {
	if o.Kind == Neutral {
		return
	}
	b.host.Report(o.Kind == Failure)
	if o.Kind != Failure {
		return
	}
	b.failures.Add(1)
	text := http.StatusText(o.Status)
	if o.Err != nil {
		text = o.Err.Error()
	}
	b.fault.Store(&fault{time.Now(), text})
}
