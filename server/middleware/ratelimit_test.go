package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/middleware"
	"rws/server/ratelimit"
)

func limited(t *testing.T, o middleware.RateLimitOptions) http.Handler {
	t.Helper()
	if o.Store == nil {
		o.Store = ratelimit.NewMemory(0)
	}
	if o.Rate.Count == 0 {
		o.Rate = ratelimit.Rate{Count: 2, Per: time.Minute}
	}
	return must(middleware.RateLimit(o))(t)(say("ok"))
}

func TestARateIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := limited(t, middleware.RateLimitOptions{Name: "api"})
		w := ask(h, "/")
		assert.Equal(t, 200, w.Code)
		assert.Equal(t, `"api";q=2;w=60`, w.Header().Get("RateLimit-Policy"))
		assert.Equal(t, `"api";r=1;t=30`, w.Header().Get("RateLimit"))
		assert.Equal(t, "2", w.Header().Get("RateLimit-Limit"))
		assert.Equal(t, "1", w.Header().Get("RateLimit-Remaining"))
		assert.Equal(t, "30", w.Header().Get("RateLimit-Reset"))
		ask(h, "/")
		w = ask(h, "/")
		assert.Equal(t, 429, w.Code)
		assert.Equal(t, "30", w.Header().Get("Retry-After"))
		assert.Equal(t, `"api";r=0;t=60`, w.Header().Get("RateLimit"))
		assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		time.Sleep(30 * time.Second)
		assert.Equal(t, 200, ask(h, "/").Code, "what Retry-After says is true")
		w = ask(limited(t, middleware.RateLimitOptions{NoHeaders: true}), "/")
		assert.Empty(t, w.Header().Values("RateLimit"))
	})
}

// Two limits, of 3 in a minute and 5 in an hour.
func TestOfSeveralLimitsTheNextToRefuseIsTold(t *testing.T) {
	for name, outerIsShort := range map[string]bool{"the short one is outside": true, "the short one is inside": false} {
		synctest.Test(t, func(t *testing.T) {
			limit := func(name string, count int, per time.Duration) middleware.Func {
				return must(middleware.RateLimit(middleware.RateLimitOptions{Name: name, Store: ratelimit.NewMemory(0), Rate: ratelimit.Rate{Count: count, Per: per}}))(t)
			}
			outer, inner := limit("short", 3, time.Minute), limit("long", 5, time.Hour)
			policies := `"short";q=3;w=60, "long";q=5;w=3600`
			if !outerIsShort {
				outer, inner = inner, outer
				policies = `"long";q=5;w=3600, "short";q=3;w=60`
			}
			h := outer(inner(say("ok")))
			for _, want := range []struct {
				status                 int
				limit, told, remaining string
			}{
				{200, "3", `"short";r=2;t=20`, "2"}, {200, "3", `"short";r=1;t=40`, "1"}, {200, "3", `"short";r=0;t=60`, "0"},
			} {
				w := ask(h, "/")
				assert.Equal(t, want.status, w.Code, name)
				assert.Equal(t, []string{policies}, w.Header().Values("RateLimit-Policy"), name)
				assert.Equal(t, want.told, w.Header().Get("RateLimit"), name)
				assert.Equal(t, want.limit, w.Header().Get("RateLimit-Limit"), name)
				assert.Equal(t, want.remaining, w.Header().Get("RateLimit-Remaining"), name)
			}
			time.Sleep(time.Minute)
			ask(h, "/")
			w := ask(h, "/")
			assert.Equal(t, "5", w.Header().Get("RateLimit-Limit"), name)
			assert.Equal(t, "0", w.Header().Get("RateLimit-Remaining"), name)
			w = ask(h, "/")
			assert.Equal(t, 429, w.Code, name)
			assert.Equal(t, "5", w.Header().Get("RateLimit-Limit"), name)
		})
	}
}

func TestHeadersOfALimitAreNotShared(t *testing.T) {
	h := limited(t, middleware.RateLimitOptions{})
	w := ask(h, "/")
	w.Header().Add("RateLimit-Policy", "x")
	w.Header().Add("RateLimit", "y")
	w.Header().Add("RateLimit-Limit", "z")
	assert.Equal(t, []string{"1"}, w.Header()["Ratelimit-Remaining"])
	assert.Len(t, ask(h, "/", from("9.9.9.9:1")).Header()["Ratelimit-Policy"], 1)
}

func TestWhoIsCountedTogether(t *testing.T) {
	user := func(r *http.Request) string { return r.Header.Get("User") }
	long := strings.Repeat("x", 5000)
	for _, c := range []struct {
		by       string
		a, b     string // RemoteAddr|header
		together bool
	}{
		{"ip", "192.0.2.1:1", "192.0.2.1:2", true},
		{"ip", "192.0.2.1:1", "192.0.2.2:1", false},
		{"ip", "192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		{"ip", "[2001:db8::1]:1", "[2001:db8::ffff:1]:1", true},
		{"ip", "[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"ip", "[fe80::1%a]:1", "[fe80::1%b]:1", true},
		{"ip", "@", "@", true},
		{"ip", "192.0.2.1:1|X-Forwarded-For: 1.1.1.1", "192.0.2.1:1|X-Forwarded-For: 2.2.2.2", true},
		{"user", "1.1.1.1:1|User: ann", "2.2.2.2:1|User: ann", true},
		{"user", "1.1.1.1:1|User: ann", "1.1.1.1:1|User: bob", false},
		{"user", "1.1.1.1:1|User: 1.1.1.1", "1.1.1.1:1", false},
		{"user", "1.1.1.1:1", "2.2.2.2:1", false},
		{"header:x-key", "1.1.1.1:1|X-Key: a", "2.2.2.2:1|x-KEY: a", true},
		{"header:x-key", "1.1.1.1:1|X-Key: " + long + "a", "1.1.1.1:1|X-Key: " + long + "b", false},
		{"header:x-key", "1.1.1.1:1|X-Key: a|X-Key: b", "1.1.1.1:1|X-Key: a", false},
		{"header:x-key", "1.1.1.1:1|X_Key: a", "1.1.1.1:1|X_Key: b", true}, // no such header: by address
	} {
		h := limited(t, middleware.RateLimitOptions{
			Rate:       ratelimit.Rate{Count: 1, Per: time.Hour},
			KeyOptions: middleware.KeyOptions{By: c.by, User: user},
		})
		send := func(who string) int {
			peer, lines, _ := strings.Cut(who, "|")
			edits := []func(*http.Request){from(peer)}
			if lines != "" {
				edits = append(edits, with(strings.Split(lines, "|")...))
			}
			return ask(h, "/", edits...).Code
		}
		require.Equal(t, 200, send(c.a), c)
		assert.Equal(t, c.together, send(c.b) == 429, "%s: %.60s and %.60s", c.by, c.a, c.b)
	}
}

// broken is a store that does not answer.
type broken struct{ err error }

func (b broken) Take(ctx context.Context, _ string, _, _ time.Duration) (time.Duration, bool, error) {
	if b.err == nil {
		<-ctx.Done()
		return 0, false, ctx.Err()
	}
	return 0, false, b.err
}

func (broken) Close() error { return nil }

func TestAStoreThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, store := range []broken{{errors.New("connection refused")}, {}} {
			log := &record{}
			h := limited(t, middleware.RateLimitOptions{Store: store, Logger: log.logger()})
			for range 3 {
				w := ask(h, "/")
				assert.Equal(t, 503, w.Code, "closed unless told otherwise")
				assert.NotEmpty(t, w.Header().Get("Retry-After"))
				assert.NotContains(t, w.Body.String(), "refused")
			}
			assert.Contains(t, log.String(), "does not answer")
			assert.LessOrEqual(t, strings.Count(log.String(), "\n"), 3)
			h = limited(t, middleware.RateLimitOptions{Store: store, FailOpen: true, Logger: log.logger()})
			assert.Equal(t, 200, ask(h, "/").Code)
		}
	})
}

// counting is a store that is down until it is up, and counts who asks.
type counting struct {
	broken
	up    bool
	asked int
}

func (c *counting) Take(ctx context.Context, key string, step, limit time.Duration) (time.Duration, bool, error) {
	c.asked++
	if c.up {
		return limit, false, nil
	}
	return c.broken.Take(ctx, key, step, limit)
}

// Where requests pass while the store is down, only one in a second waits for it.
func TestAStoreThatIsDownIsNotAskedEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, log := &counting{}, &record{}
		h := limited(t, middleware.RateLimitOptions{Store: store, FailOpen: true, Logger: log.logger()})
		start := time.Now()
		for range 10 {
			assert.Equal(t, 200, ask(h, "/").Code)
		}
		assert.Equal(t, 1, store.asked)
		assert.Equal(t, 500*time.Millisecond, time.Since(start))
		assert.Contains(t, log.String(), `"requests":"let through"`)
		time.Sleep(time.Second)
		ask(h, "/")
		ask(h, "/")
		assert.Equal(t, 2, store.asked)
		store.up = true
		time.Sleep(2 * time.Second)
		assert.Equal(t, 429, ask(h, "/").Code, "it counts again")
		assert.Equal(t, 429, ask(h, "/").Code)
		assert.Equal(t, 4, store.asked)
	})
}

func TestAClientThatLeavesIsNoFaultOfTheStore(t *testing.T) {
	log := &record{}
	h := limited(t, middleware.RateLimitOptions{Store: broken{}, FailOpen: true, Logger: log.logger()})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	assert.Empty(t, w.Body.String(), "and it does not pass")
	assert.Empty(t, log.String())
}

func TestRateLimitOptionsAreChecked(t *testing.T) {
	store, rate := ratelimit.NewMemory(0), ratelimit.Rate{Count: 1, Per: time.Second}
	refused(t, middleware.RateLimit, map[string]middleware.RateLimitOptions{
		"no store":              {Rate: rate},
		"must be 1 or more":     {Store: store},
		`did you mean "user"`:   {Store: store, Rate: rate, KeyOptions: middleware.KeyOptions{By: "usr"}},
		"put an authentication": {Store: store, Rate: rate, KeyOptions: middleware.KeyOptions{By: "user"}},
		"no name of a header":   {Store: store, Rate: rate, KeyOptions: middleware.KeyOptions{By: "header:"}},
		"both by and a key":     {Store: store, Rate: rate, KeyOptions: middleware.KeyOptions{By: "ip", Key: func(*http.Request) string { return "" }}},
		"letters, digits":       {Store: store, Rate: rate, Name: "a\"b"},
		"timeout":               {Store: store, Rate: rate, Timeout: -1},
	})
}

func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, codes := make(chan struct{}), make(chan int, 10)
		h := must(middleware.Concurrency(middleware.ConcurrencyOptions{Max: 3, PerKey: 2}))(t)(
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		for _, peer := range []string{"1.1.1.1:1", "1.1.1.1:2", "2.2.2.2:1"} {
			go func() { codes <- ask(h, "/", from(peer)).Code }()
		}
		synctest.Wait()
		w := ask(h, "/", from("1.1.1.1:3"))
		assert.Equal(t, 429, w.Code)
		assert.Equal(t, "1", w.Header().Get("Retry-After"))
		assert.Equal(t, 503, ask(h, "/", from("3.3.3.3:1")).Code)
		close(release)
		for range 3 {
			assert.Equal(t, 200, <-codes)
		}
		assert.Equal(t, 200, ask(h, "/", from("1.1.1.1:1")).Code)
	})
}

func TestAPlaceIsGivenBackByAPanic(t *testing.T) {
	h := must(middleware.Concurrency(middleware.ConcurrencyOptions{Max: 1, PerKey: 1}))(t)(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/panic" {
				panic("x")
			}
		}))
	assert.Panics(t, func() { ask(h, "/panic") })
	assert.Equal(t, 200, ask(h, "/").Code)
}

func TestRequestsWaitForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := must(middleware.Concurrency(middleware.ConcurrencyOptions{Max: 1, Queue: 2, Wait: time.Second}))(t)(
			http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { time.Sleep(700 * time.Millisecond) }))
		codes := make(chan int, 4)
		for range 4 {
			go func() { codes <- ask(h, "/").Code }()
		}
		got := map[int]int{}
		for range 4 {
			got[<-codes]++
		}
		assert.Equal(t, map[int]int{200: 2, 503: 2}, got, "one beyond the queue, one that waited too long")
	})
}

func TestConcurrencyOptionsAreChecked(t *testing.T) {
	refused(t, middleware.Concurrency, map[string]middleware.ConcurrencyOptions{
		"neither":            {},
		"must not be":        {Max: -1},
		"both are needed":    {Max: 1, Queue: 1},
		"which is not set":   {PerKey: 1, Queue: 1, Wait: 1},
		`did you mean "ip"?`: {Max: 1, KeyOptions: middleware.KeyOptions{By: "ipp"}},
	})
}
