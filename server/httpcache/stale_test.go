package httpcache_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"rws/server/exchange"
	"rws/server/httpcache"
)

func TestAskingAgainWithValidators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		h := open(t, httpcache.Options{}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = append(seen, r.Header.Get("If-None-Match"))
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Cache-Control", "max-age=10")
			if r.Header.Get("If-None-Match") == `"1"` {
				w.Header().Set("X-New", "yes")
				w.Header().Set("Set-Cookie", "own=1")
				w.WriteHeader(304)
				return
			}
			w.Header().Set("X-Old", "yes")
			_, _ = io.WriteString(w, "text")
		}))
		assert.Equal(t, "text", get(h, "/", "If-None-Match", `"other"`))
		time.Sleep(11 * time.Second)
		w := ask(h, "GET", "/")
		assert.Equal(t, 200, w.Code)
		assert.Equal(t, "text", w.Body.String())
		assert.Equal(t, "yes", w.Header().Get("X-New"))
		assert.Equal(t, "own=1", w.Header().Get("Set-Cookie"))
		assert.Contains(t, w.Header().Get("Cache-Status"), "fwd=stale; fwd-status=304")
		w = ask(h, "GET", "/", "If-None-Match", `W/"1"`)
		assert.Equal(t, 304, w.Code, "the client has it")
		assert.Empty(t, w.Body.String())
		assert.Equal(t, "yes", w.Header().Get("X-Old"))
		assert.Empty(t, w.Header().Get("Set-Cookie"), "the cookie was for somebody else")
		assert.Equal(t, []string{"", `"1"`}, seen)
	})
}

func TestAConditionOfTheClientFillsTheCache(t *testing.T) {
	next, calls := counted("ETag", `"1"`)
	h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(next)
	w := ask(h, "GET", "/", "If-None-Match", `"0", "1"`)
	assert.Equal(t, 304, w.Code)
	assert.Empty(t, w.Body.String())
	assert.Equal(t, "answer 1", get(h, "/"))
	assert.EqualValues(t, 1, calls.Load())
}

func TestRangesComeFromTheWhole(t *testing.T) {
	next, calls := counted("ETag", `"1"`)
	h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(next)
	assert.Equal(t, 200, ask(h, "GET", "/", "Range", "bytes=0-2").Code, "the handler knows no ranges, so this is the whole")
	w := ask(h, "GET", "/", "Range", "bytes=0-2")
	assert.Equal(t, 206, w.Code)
	assert.Equal(t, "ans", w.Body.String())
	assert.Equal(t, "bytes 0-2/8", w.Header().Get("Content-Range"))
	assert.Equal(t, "answer 1", get(h, "/", "Range", "bytes=0-2", "If-Range", `"0"`), "it is another one now")
	assert.Equal(t, "ans", get(h, "/", "Range", "bytes=0-2", "If-Range", `"1"`))
	assert.Equal(t, 416, ask(h, "GET", "/", "Range", "bytes=100-").Code)
	assert.EqualValues(t, 1, calls.Load())
}

func TestStaleWhileItIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next, calls := counted()
		var cookies atomic.Value
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			cookies.Store(r.Header.Get("Cookie") + r.Header.Get("Authorization"))
			next.ServeHTTP(w, r)
		})
		c := open(t, httpcache.Options{TTL: 10 * time.Second, StaleWhileRevalidate: 20 * time.Second, IgnoreCookies: []string{"x"}})
		h := c.Wrap(slow)
		get(h, "/")
		time.Sleep(15 * time.Second)
		start := time.Now()
		for range 5 {
			w := ask(h, "GET", "/", "Cookie", "x=1")
			assert.Equal(t, "answer 1", w.Body.String())
			assert.Contains(t, w.Header().Get("Cache-Status"), "hit; ttl=-")
		}
		assert.Zero(t, time.Since(start), "nobody waits")
		time.Sleep(2 * time.Second)
		assert.EqualValues(t, 2, calls.Load(), "one has asked")
		assert.Equal(t, "", cookies.Load(), "with nothing of who came")
		assert.Equal(t, "answer 2", get(h, "/"))
		time.Sleep(31 * time.Second)
		assert.Equal(t, "answer 3", get(h, "/"), "the window is over")
		assert.EqualValues(t, 5, c.Stats().Stale)
	})
}

func TestStaleInPlaceOfAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Int64
		next, _ := counted()
		h := open(t, httpcache.Options{TTL: time.Second, StaleIfError: time.Minute}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch broken.Load() {
			case 1:
				w.WriteHeader(502)
				_, _ = io.WriteString(w, "broken")
			case 2:
				panic("broken")
			case 3:
				exchange.From(r.Context()).Fault = io.ErrUnexpectedEOF
			default:
				next.ServeHTTP(w, r)
			}
		}))
		get(h, "/")
		time.Sleep(2 * time.Second)
		for n := range int64(3) {
			broken.Store(n + 1)
			w := ask(h, "GET", "/")
			assert.Equal(t, 200, w.Code)
			assert.Equal(t, "answer 1", w.Body.String())
			assert.Contains(t, w.Header().Get("Cache-Status"), "stale-if-error")
		}
		time.Sleep(2 * time.Minute)
		broken.Store(1)
		assert.Equal(t, 502, ask(h, "GET", "/").Code, "too old by now")
		assert.Equal(t, "broken", get(h, "/"))
		broken.Store(0)
		assert.Equal(t, "answer 2", get(h, "/"))
	})
}

func TestMustRevalidateIsNeverStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next, _ := counted("Cache-Control", "max-age=1, must-revalidate, stale-while-revalidate=100, stale-if-error=100")
		h := open(t, httpcache.Options{StaleIfError: time.Hour, StaleWhileRevalidate: time.Hour}).Wrap(next)
		get(h, "/")
		time.Sleep(2 * time.Second)
		assert.Equal(t, "answer 2", get(h, "/", "Cache-Control", "max-stale"))
	})
}

func TestWishesOfTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next, _ := counted()
		h := open(t, httpcache.Options{TTL: 10 * time.Second}).Wrap(next)
		w := ask(h, "GET", "/", "Cache-Control", "only-if-cached")
		assert.Equal(t, 504, w.Code)
		get(h, "/")
		time.Sleep(5 * time.Second)
		assert.Equal(t, "answer 1", get(h, "/", "Cache-Control", "only-if-cached"))
		assert.Equal(t, "answer 1", get(h, "/", "Cache-Control", "max-age=5, min-fresh=5"))
		assert.Equal(t, "answer 2", get(h, "/", "Cache-Control", "max-age=4"))
		time.Sleep(5 * time.Second)
		assert.Equal(t, "answer 3", get(h, "/", "Cache-Control", "min-fresh=6"))
		assert.Equal(t, "answer 4", get(h, "/", "Cache-Control", "no-cache"))
		assert.Equal(t, "answer 5", get(h, "/", "Pragma", "no-cache"))
		time.Sleep(12 * time.Second)
		assert.Equal(t, "answer 5", get(h, "/", "Cache-Control", "max-stale=3"))
		assert.Equal(t, "answer 6", get(h, "/", "Cache-Control", "max-stale=1"))
		assert.Equal(t, "answer 7", get(h, "/fresh", "Cache-Control", "no-store"))
		assert.Equal(t, "answer 8", get(h, "/fresh"), "nothing of that request was kept")

		h = open(t, httpcache.Options{TTL: 10 * time.Second, IgnoreClient: true}).Wrap(next)
		assert.Equal(t, "answer 9", get(h, "/"))
		assert.Equal(t, "answer 9", get(h, "/", "Cache-Control", "no-cache", "Pragma", "no-cache"))
	})
}

func TestUnsafeRequestsMakeWhatIsThereUntrue(t *testing.T) {
	var status atomic.Int64
	next, _ := counted()
	h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Location", "/named")
		w.Header().Set("Content-Location", "http://other.example/far")
		w.WriteHeader(int(status.Load()))
	}))
	changed := func() string { return get(h, "/a?q=1") + get(h, "/%61?q=1") + get(h, "/named") }
	others := func() string {
		return get(h, "/b") + get(h, "/far", "Host", "other.example") + get(h, "/a", "Host", "other.example")
	}
	first, rest := changed(), others()
	for _, code := range []int64{400, 404, 500} {
		status.Store(code)
		ask(h, "POST", "/a")
		assert.Equal(t, first, changed(), "an error has changed nothing")
	}
	status.Store(201)
	ask(h, "OPTIONS", "/a")
	assert.Equal(t, first, changed())
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "MYSTERY"} {
		ask(h, method, "/a")
		for _, target := range []string{"/a?q=1", "/%61?q=1", "/named"} {
			assert.NotContains(t, ask(h, "GET", target).Header().Get("Cache-Status"), "hit", "%s %s", method, target)
		}
		assert.Equal(t, rest, others(), "%s: neither other paths nor other hosts", method)
	}
}

func TestPurging(t *testing.T) {
	next, calls := counted("Cache-Tag", "a, b", "Surrogate-Key", "c d")
	c := open(t, httpcache.Options{TTL: time.Minute})
	h := c.Wrap(next)
	fill := func() {
		for _, target := range []string{"/blog/1", "/blog/1?x=1", "/blog/%31", "/blog/2", "/"} {
			w := ask(h, "GET", target)
			assert.Empty(t, w.Header().Get("Cache-Tag")+w.Header().Get("Surrogate-Key"), "tags go no further")
		}
		assert.EqualValues(t, 5, c.Stats().Entries)
	}
	fill()
	assert.Equal(t, 1, c.Purge("/blog/1?x=1"))
	assert.Equal(t, 2, c.Purge("/bl%6fg/1"))
	assert.Equal(t, 0, c.Purge("/blog"))
	fill()
	assert.Equal(t, 4, c.PurgePrefix("/blog/"))
	fill()
	assert.Equal(t, 0, c.PurgeTag("x", "A"))
	assert.Equal(t, 5, c.PurgeTag("c", "b"))
	fill()
	assert.Equal(t, 5, c.Clear())
	assert.Zero(t, c.Stats().Entries)
	assert.Zero(t, c.Stats().Bytes, "all is accounted for")
	assert.EqualValues(t, 17, calls.Load())
}

func TestWhatIsOnItsWayWhenItIsPurgedIsNotKept(t *testing.T) {
	purges := map[string]func(*httpcache.Cache, http.Handler){
		"path":   func(c *httpcache.Cache, _ http.Handler) { c.Purge("/") },
		"tag":    func(c *httpcache.Cache, _ http.Handler) { c.PurgeTag("x") },
		"all":    func(c *httpcache.Cache, _ http.Handler) { c.Clear() },
		"unsafe": func(_ *httpcache.Cache, h http.Handler) { ask(h, "POST", "/") },
	}
	for name, purge := range purges {
		synctest.Test(t, func(t *testing.T) {
			next, _ := counted()
			c := open(t, httpcache.Options{TTL: time.Minute})
			h := c.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "GET" {
					time.Sleep(time.Second)
				}
				next.ServeHTTP(w, r)
			}))
			go get(h, "/")
			time.Sleep(time.Second / 2)
			purge(c, h)
			time.Sleep(time.Second)
			assert.Zero(t, c.Stats().Entries, name)
		})
	}
}
