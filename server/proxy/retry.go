package proxy

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rws/server/proxy/window"
	"rws/server/suggest"
)

// Retry says which failures are tried again, always with a backend that has not been asked, never when
// some of the answer has gone to the client, and never for what the client did wrong.
type Retry struct {
	// Tries is how often a request is sent at most; 0 means 2, 1 never repeats.
	Tries int
	// On are the failures: "connect" (no connection, so that nothing was sent), "timeout" (no answer in
	// time), "reset" (the connection broke before the answer, or what came was none), and statuses,
	// "502", or "5xx" for all from 500 on. Default connect and reset. An answer that is nothing but a status of
	// gRPC ("trailers-only") counts as what that stands for: UNAVAILABLE as 503, DEADLINE_EXCEEDED as 504, INTERNAL,
	// UNKNOWN and DATA_LOSS as 500. Such calls are repeated whatever Methods says.
	On []string
	// Methods may be repeated when the backend may have seen them; default those that are idempotent: GET,
	// HEAD, OPTIONS, PUT, DELETE. After "connect" any method is.
	Methods []string
	// Backoff is the longest wait before the second try, at random; it doubles for each further one up to
	// ten times itself. Default 25 ms. There is none after "connect".
	Backoff time.Duration
	// MaxReplay is how much of a request body is kept to be sent again, in bytes; default 64 KiB, negative
	// for none. A request of which more has been read is not repeated.
	MaxReplay int
	// Budget bounds repetitions, so that they do not finish off backends that are overloaded; handlers may
	// share one. After "connect" none is needed: the request has been no work for anybody. Default
	// [NewBudget](DefaultBudget, DefaultBudgetLeast).
	Budget *Budget
}

// retry is a Retry at work.
type retry struct {
	tries            int
	connect, timeout bool
	reset, all5xx    bool
	statuses         []int
	methods          []string
	backoff          time.Duration
	maxReplay        int
	budget           *Budget
}

const (
	defaultTries     = 2
	defaultBackoff   = 25 * time.Millisecond
	defaultMaxReplay = 64 << 10
)

var idempotent = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete}

func (o Retry) compile() (r retry, err error) {
	if o.Tries < 0 || o.Backoff < 0 {
		return r, fmt.Errorf("tries %d, backoff %s: must not be negative", o.Tries, o.Backoff)
	}
	r = retry{tries: o.Tries, methods: o.Methods, backoff: o.Backoff, maxReplay: o.MaxReplay, budget: o.Budget}
	if r.tries == 0 {
		r.tries = defaultTries
	}
	if r.methods == nil {
		r.methods = idempotent
	}
	if r.backoff == 0 {
		r.backoff = defaultBackoff
	}
	if r.maxReplay == 0 {
		r.maxReplay = defaultMaxReplay
	}
	if r.budget == nil {
		r.budget = NewBudget(DefaultBudget, DefaultBudgetLeast)
	}
	if o.On == nil {
		r.connect, r.reset = true, true
	}
	for _, on := range o.On {
		if err := r.add(on); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *retry) add(on string) error {
	switch on {
	case "connect":
		r.connect = true
	case "timeout":
		r.timeout = true
	case "reset":
		r.reset = true
	case "5xx":
		r.all5xx = true
	default:
		code, err := strconv.Atoi(on)
		if err != nil || code < 400 || code > 599 {
			return fmt.Errorf(`on %q%s: want "connect", "timeout", "reset", "5xx" or a status from 400 to 599`, on,
				suggest.DidYouMean(on, []string{"connect", "timeout", "reset", "5xx"}))
		}
		r.statuses = append(r.statuses, code)
	}
	return nil
}

func (r *retry) repeats(method string) bool {
	return slices.Contains(r.methods, strings.ToUpper(method))
}

// keeps reports whether a body is worth keeping for another try. A small one is read before there is a
// connection, so that without keeping it no method could be repeated after "connect".
func (r *retry) keeps(method string, grpc bool) bool {
	return r.tries > 1 && r.maxReplay > 0 && (r.connect || r.repeats(method) || grpc && (r.all5xx || len(r.statuses) > 0))
}

func (r *retry) onStatus(code int) bool {
	return r.all5xx && code >= 500 || slices.Contains(r.statuses, code)
}

// reason is why the outcome of a try is worth another; "" when it is not.
func (c *call) reason(t *try, fault *Error) string {
	r := &c.h.retry
	switch {
	case fault == nil:
		code := c.outcome(t, t.res.Header).Status
		meant := code != t.res.StatusCode // by gRPC, whose clients repeat by status and know no methods
		if r.onStatus(code) && (meant || r.repeats(c.in.Method)) {
			return "status " + strconv.Itoa(code)
		}
		return ""
	case fault.kind == onConnect && r.connect:
		return "connect"
	case fault.kind == onTimeout && r.timeout, fault.kind == onReset && r.reset:
		if r.repeats(c.in.Method) || !fault.sent {
			return fault.Phase
		}
	}
	return ""
}

// next is another try in place of t, which is then over; nil when what t has come to is to stay. The
// backend is found first, so that an answer is not given up for none.
func (c *call) next(t *try, fault *Error) *try {
	if c.tries >= c.h.retry.tries || c.upgrade != "" && fault == nil {
		return nil
	}
	why := c.reason(t, fault)
	if why == "" || c.interim.sent() || c.over() != nil || !c.renewable(t) {
		return nil
	}
	if (fault == nil || fault.kind != onConnect) && (!c.h.retry.budget.take() || !c.pause()) {
		return nil
	}
	c.tried = append(c.tried, t.lease.Backend)
	next, nobody := c.lease(c.tried)
	if nobody != nil {
		next = c.leaseLast(fault)
	}
	if next == nil {
		return nil
	}
	c.h.stats.retries.Add(1)
	c.h.log.WarnContext(c.ex, "backend failed, trying another", "id", c.ex.ID(), "pool", c.h.o.Pool.Name(),
		"backend", t.lease.Backend.Name(), "next", next.lease.Backend.Name(), "reason", why, "err", text(fault))
	if fault == nil {
		c.settle(t, c.outcome(t, t.res.Header))
	}
	return next
}

// leaseLast takes a backend that is held for down, where no other is left and there was no answer.
func (c *call) leaseLast(fault *Error) *try {
	if fault == nil || c.over() != nil {
		return nil
	}
	l := c.h.o.Pool.PickLast(c.in, c.tried)
	if l == nil {
		return nil
	}
	c.tries++
	return &try{lease: l, start: time.Now()}
}

func text(e *Error) string {
	if e == nil {
		return ""
	}
	return e.Err.Error()
}

// renewable reports whether the body can be sent again. The reading of t is over.
func (c *call) renewable(t *try) bool {
	if t.body == nil {
		return true
	}
	_ = t.body.Close()
	return c.source.renewable()
}

// pause waits before a further try; it reports false if the request is over by then.
func (c *call) pause() bool {
	most := c.h.retry.backoff << min(c.tries-1, 3)
	timer := time.NewTimer(rand.N(min(most, 10*c.h.retry.backoff) + 1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.in.Context().Done():
		return false
	}
}

// A Budget bounds how many of the requests of late are repetitions: a share of all, but always a few. Safe
// for concurrent use.
//
// It goes by the requests of a time, not by those under way, since a backend that dies takes all it has down
// at once: of the 32 that three backends have, eleven are to be repeated in the same moment, and then none
// for a long time.
type Budget struct {
	share  float64
	least  int
	mu     sync.Mutex // held while a repetition is taken
	counts *window.Counts
}

// budgetSpan is how far back a budget looks.
const budgetSpan = 10 * time.Second

// Defaults of a budget.
const (
	DefaultBudget      = 0.2
	DefaultBudgetLeast = 10
)

// NewBudget lets a share of the requests of the last 10 s be repetitions, as 0.2, and so many at any rate.
func NewBudget(share float64, least int) *Budget {
	return &Budget{share: share, least: least, counts: window.New(budgetSpan)}
}

func (b *Budget) begin() { b.counts.Add(false) }

// take reports whether there may be one more, and counts it.
func (b *Budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, lent := b.counts.Sum()
	if lent >= max(b.least, int(b.share*float64(all-lent))) {
		return false
	}
	b.counts.Add(true)
	return true
}
