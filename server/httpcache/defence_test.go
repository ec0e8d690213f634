package httpcache_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"rws/server/exchange"
	"rws/server/httpcache"
	"rws/server/middleware"
)

// The first answer tells what answers depend on; from then on each kind is made once.
func TestOneFlightForEachVariant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			time.Sleep(time.Second)
			w.Header().Set("Vary", "Accept-Language")
			fmt.Fprint(w, r.Header.Get("Accept-Language"))
		}))
		var all sync.WaitGroup
		for i := range 21 {
			all.Go(func() {
				language := "de"
				if i == 0 {
					language = "en"
				} else {
					time.Sleep(time.Millisecond)
				}
				assert.Equal(t, language, get(h, "/", "Accept-Language", language))
			})
		}
		all.Wait()
		assert.EqualValues(t, 2, calls.Load())
	})
}

func TestRangesThatAreNoneGetTheWhole(t *testing.T) {
	next, _ := counted("Etag", `"1"`)
	h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(next)
	get(h, "/")
	for _, c := range []struct {
		method, ranges string
		status         int
	}{
		{"GET", "bytes=0-2", 206}, {"GET", "BYTES=0-2", 206}, {"GET", "bites=0-2", 200}, {"GET", "bytes=x", 200},
		{"GET", "bytes=-0", 416}, {"GET", "bytes=-0, -00", 416}, {"GET", "bytes=-0,0-2", 206}, {"GET", "bytes=100-", 416}, {"HEAD", "bytes=0-2", 200},
	} {
		w := ask(h, c.method, "/", "Range", c.ranges)
		assert.Equal(t, c.status, w.Code, c)
		if c.status == 206 {
			assert.Equal(t, "ans", w.Body.String(), c)
		}
	}
}

func TestClientsThatAreIgnoredHaveNoOtherWay(t *testing.T) {
	next, calls := counted("Etag", `"1"`)
	c := open(t, httpcache.Options{TTL: time.Minute, IgnoreClient: true})
	h := c.Wrap(next)
	assert.Equal(t, "answer 1", get(h, "/", "If-Match", `"other"`))
	for _, header := range []string{"If-Match", "If-Unmodified-Since", "Cache-Control", "Pragma"} {
		assert.Equal(t, "answer 1", get(h, "/", header, "no-cache"), header)
	}
	assert.EqualValues(t, 1, calls.Load())
	for _, header := range []string{"X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Method-Override"} {
		for n := range 10 {
			get(h, "/", header, fmt.Sprint("/", n))
		}
	}
	assert.EqualValues(t, 1, c.Stats().Entries, "invented values fill nothing")
	assert.Equal(t, "answer 1", get(h, "/"), "and plant nothing")
	get(h, "/", "X-Forwarded-Proto", "https")
	get(h, "/", "X-Forwarded-Proto", "https")
	assert.EqualValues(t, 2, c.Stats().Entries, "what proxies write chooses as ever")
}

// A nonce is good for one answer: who has seen it could have a page run what it likes.
func TestAnswersWithANonceAreNotKept(t *testing.T) {
	secure, err := middleware.SecureHeaders(middleware.SecureHeadersOptions{CSP: middleware.CSP{"script-src": {"'nonce'"}}})
	assert.NoError(t, err)
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, middleware.Nonce(r.Context())) })
	for name, wrap := range map[string]func(*httpcache.Cache) http.Handler{
		"behind": func(c *httpcache.Cache) http.Handler { return c.Wrap(secure(page)) },
		"before": func(c *httpcache.Cache) http.Handler { return secure(c.Wrap(page)) },
	} {
		h := wrap(open(t, httpcache.Options{TTL: time.Minute}))
		first := ask(h, "GET", "/")
		assert.NotContains(t, first.Header().Get("Cache-Status"), "stored", name)
		again := ask(h, "GET", "/")
		assert.NotEqual(t, first.Body.String(), again.Body.String(), name)
		assert.Contains(t, again.Header().Get("Content-Security-Policy"), again.Body.String(), name)
	}
}

func TestAHitBeforeTheRoutingKnowsItsRoute(t *testing.T) {
	h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r.Context()).Route = "/notes/:id"
		fmt.Fprint(w, "note")
	}))
	for range 2 {
		r := httptest.NewRequest("GET", "/notes/1", nil)
		e := exchange.New(r)
		h.ServeHTTP(httptest.NewRecorder(), r.WithContext(e))
		assert.Equal(t, "/notes/:id", e.Route)
	}
}

func TestStoredIsSaidOfWhatFits(t *testing.T) {
	for size, stored := range map[int]bool{3000: true, 4000: false, 8000: false} {
		h := open(t, httpcache.Options{TTL: time.Minute, MaxEntry: 4800}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			fmt.Fprint(w, strings.Repeat("x", size))
		}))
		assert.Equal(t, stored, strings.Contains(ask(h, "GET", "/").Header().Get("Cache-Status"), "stored"), size)
		assert.Equal(t, stored, strings.Contains(ask(h, "GET", "/").Header().Get("Cache-Status"), "hit"), size)
	}
}
