package middleware

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"rws/server/exchange"
	"rws/server/ratelimit"
)

// RateLimitOptions say how often who may ask.
type RateLimitOptions struct {
	Store ratelimit.Store // needed; stays the caller's to close
	Rate  ratelimit.Rate  // needed
	// Name keeps limits apart that share a store, and is told to clients: letters, digits, "-", "_",
	// "." and "/". Default "default".
	Name string
	KeyOptions
	// FailOpen lets requests pass when the store does not answer, and then does not ask it for a
	// second. Without it they are answered 503.
	FailOpen bool
	// Timeout is how long the store may take; default 500 ms. It does not apply to memory.
	Timeout time.Duration
	// NoHeaders tells clients nothing but Retry-After.
	NoHeaders bool
	Logger    *slog.Logger // hears of a store that does not answer, once a second; default slog.Default()
}

// RateLimit answers 429 with Retry-After to who asks too often. Every answer has the headers
//
//	RateLimit-Policy: "default";q=100;w=60    and
//	RateLimit: "default";r=99;t=1             of draft-ietf-httpapi-ratelimit-headers-11,
//	RateLimit-Limit, -Remaining and -Reset    of its drafts up to 6, which most clients know
//
// where q is the burst, w and t are seconds until all of it can be used again, after all and now.
// With several limits on a request, RateLimit-Policy has all of them, from the outermost, and the others
// are about the one that refuses next: the one that has the least left, and of those that have as little
// the one that takes the longest to have it all again.
func RateLimit(o RateLimitOptions) (Func, error) {
	g, err := newRateGuard(o)
	if err != nil {
		return nil, fmt.Errorf("rate limit: %w", err)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if g.allow(w, r) {
				next.ServeHTTP(w, r)
			}
		})
	}, nil
}

type rateGuard struct {
	RateLimitOptions
	limiter       *ratelimit.Limiter
	key           keyFunc
	bounded       bool // the store may take its time
	policy, limit []string
	item          string       // the name as an item of a structured field
	complained    atomic.Int64 // when a failure was last logged, in seconds
	down          atomic.Int64 // until when the store is not asked, in nanoseconds
}

func newRateGuard(o RateLimitOptions) (*rateGuard, error) {
	if o.Store == nil {
		return nil, errors.New("no store is given")
	}
	o.Name = cmp.Or(o.Name, "default")
	if len(o.Name) > maxKey || strings.Trim(o.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") != "" {
		return nil, fmt.Errorf(`name %q: want up to %d letters, digits, "-", "_", "." and "/"`, o.Name, maxKey)
	}
	if o.Timeout < 0 {
		return nil, fmt.Errorf("timeout %s: must be positive", o.Timeout)
	}
	o.Timeout = cmp.Or(o.Timeout, 500*time.Millisecond)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	limiter, err := ratelimit.New(o.Store, o.Name, o.Rate)
	if err != nil {
		return nil, err
	}
	key, err := o.KeyOptions.key()
	if err != nil {
		return nil, err
	}
	burst := cmp.Or(o.Rate.Burst, o.Rate.Count)
	window := o.Rate.Per * time.Duration(burst) / time.Duration(o.Rate.Count)
	_, memory := o.Store.(*ratelimit.Memory)
	return &rateGuard{
		RateLimitOptions: o, limiter: limiter, key: key, bounded: !memory, item: `"` + o.Name + `"`,
		policy: []string{fmt.Sprintf(`"%s";q=%d;w=%d`, o.Name, burst, seconds(window))},
		limit:  []string{strconv.Itoa(burst)},
	}, nil
}

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// pause is how long a store that has not answered is not asked, where requests pass meanwhile: else
// each of them would wait for the timeout.
const pause = time.Second

// paused reports whether the store is not asked now. When the pause is over one request asks.
func (g *rateGuard) paused() bool {
	until := g.down.Load()
	if until == 0 {
		return false
	}
	now := time.Now().UnixNano()
	return now < until || !g.down.CompareAndSwap(until, now+int64(pause))
}

func (g *rateGuard) allow(w http.ResponseWriter, r *http.Request) bool {
	if g.FailOpen && g.paused() {
		return true
	}
	res, err := g.take(r)
	if err != nil {
		return g.failed(w, r, err)
	}
	if g.FailOpen && g.down.Load() != 0 {
		g.down.Store(0)
	}
	if !g.NoHeaders {
		g.tellPolicy(w.Header())
		if !res.Allowed || bitesFirst(w.Header(), res) {
			g.tell(w.Header(), res)
		}
	}
	if res.Allowed {
		return true
	}
	refuse(w, r, http.StatusTooManyRequests, "Too many requests.",
		http.Header{"Retry-After": {strconv.FormatInt(max(seconds(res.RetryAfter), 1), 10)}})
	return false
}

func (g *rateGuard) take(r *http.Request) (ratelimit.Result, error) {
	ctx := r.Context()
	if g.bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.Timeout)
		defer cancel()
	}
	return g.limiter.Take(ctx, g.key(r))
}

// tellPolicy adds that of the limit to those further out.
func (g *rateGuard) tellPolicy(h http.Header) {
	if outer := h["Ratelimit-Policy"]; len(outer) > 0 {
		h["Ratelimit-Policy"] = []string{strings.Join(outer, ", ") + ", " + g.policy[0]}
		return
	}
	h["Ratelimit-Policy"] = g.policy[:1:1]
}

// bitesFirst reports whether a limit refuses before the one that has been told, if there is one.
func bitesFirst(h http.Header, res ratelimit.Result) bool {
	told := h["Ratelimit-Remaining"]
	if len(told) == 0 {
		return true
	}
	remaining, err := strconv.Atoi(told[0])
	if err != nil || res.Remaining != remaining {
		return err != nil || res.Remaining < remaining
	}
	reset, err := strconv.ParseInt(h.Get("Ratelimit-Reset"), 10, 64)
	return err != nil || seconds(res.Reset) >= reset
}

// tell sets the headers: two allocations for all of them.
func (g *rateGuard) tell(h http.Header, res ratelimit.Result) {
	var space [128]byte
	b := append(space[:0], g.item...)
	b = append(b, ";r="...)
	remaining := len(b)
	b = strconv.AppendInt(b, int64(res.Remaining), 10)
	afterRemaining := len(b)
	b = append(b, ";t="...)
	reset := len(b)
	b = strconv.AppendInt(b, seconds(res.Reset), 10)
	text := string(b)
	values := [...]string{text, text[remaining:afterRemaining], text[reset:]}
	list := values[:]
	h["Ratelimit"] = list[0:1:1]
	h["Ratelimit-Limit"] = g.limit[:1:1]
	h["Ratelimit-Remaining"] = list[1:2:2]
	h["Ratelimit-Reset"] = list[2:3:3]
}

// failed decides when the store has not.
func (g *rateGuard) failed(w http.ResponseWriter, r *http.Request, err error) (pass bool) {
	if r.Context().Err() != nil { // the client is gone, or its time is up: that says nothing of the store
		e, _ := exchanged(r)
		e.Fault = context.Cause(r.Context())
		return false
	}
	now := time.Now().Unix()
	if last := g.complained.Load(); last != now && g.complained.CompareAndSwap(last, now) {
		attrs := []any{"limit", g.Name, "err", err, "requests", g.fate()}
		if e := exchange.From(r.Context()); e != nil {
			attrs = append(attrs, "id", e.ID())
		}
		g.Logger.Error("the store of a rate limit does not answer", attrs...)
	}
	if g.FailOpen {
		g.down.Store(time.Now().Add(pause).UnixNano())
		return true
	}
	refuse(w, r, http.StatusServiceUnavailable, "The limit of requests cannot be checked now.", http.Header{"Retry-After": {"1"}})
	return false
}

// fate is what becomes of requests while the store does not answer.
func (g *rateGuard) fate() string {
	if g.FailOpen {
		return "let through"
	}
	return "refused"
}
