package upstream

import (
	"net/http"
	"sync/atomic"
	"time"

	"rws/server/proxy/breaker"
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
