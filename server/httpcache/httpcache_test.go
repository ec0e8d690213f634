package httpcache_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/exchange"
	"rws/server/httpcache"
)

func open(t testing.TB, o httpcache.Options) *httpcache.Cache {
	t.Helper()
	c, err := httpcache.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// counted answers with the number of its calls, and the headers.
func counted(headers ...string) (http.Handler, *atomic.Int64) {
	var calls atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}
		fmt.Fprintf(w, "answer %d", n)
	}), &calls
}

// ask sends a request with headers, "" for the method GET.
func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(exchange.New(r)))
	return w
}

func get(h http.Handler, target string, headers ...string) string {
	return ask(h, "GET", target, headers...).Body.String()
}

func TestTTLIsForAnswersThatDoNotSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next, _ := counted()
		h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(next)
		assert.Equal(t, "answer 1", get(h, "/"))
		w := ask(h, "GET", "/")
		assert.Equal(t, "answer 1", w.Body.String())
		assert.Equal(t, "0", w.Header().Get("Age"))
		assert.Equal(t, "rws; hit; ttl=60", w.Header().Get("Cache-Status"))
		time.Sleep(59 * time.Second)
		w = ask(h, "GET", "/")
		assert.Equal(t, "59", w.Header().Get("Age"))
		assert.Equal(t, "rws; hit; ttl=1", w.Header().Get("Cache-Status"))
		time.Sleep(time.Second)
		assert.Equal(t, "answer 2", get(h, "/"))
	})
}

func TestWithoutTTLNothingIsKeptThatDoesNotSay(t *testing.T) {
	next, _ := counted()
	h := open(t, httpcache.Options{}).Wrap(next)
	assert.Equal(t, "answer 1", get(h, "/"))
	assert.Equal(t, "answer 2", get(h, "/"))
}

func TestWhatIsNotForEverybodyIsNotKept(t *testing.T) {
	for name, c := range map[string]struct{ answer, request []string }{
		"private":                     {answer: []string{"Cache-Control", "private"}},
		"no-store":                    {answer: []string{"Cache-Control", "max-age=60", "Cache-Control", "No-Store"}},
		"cookie":                      {answer: []string{"Set-Cookie", "a=b"}},
		"cookie of a public answer":   {answer: []string{"Set-Cookie", "a=b", "Cache-Control", "public, max-age=60"}},
		"vary everything":             {answer: []string{"Vary", "Accept, *"}},
		"events":                      {answer: []string{"Content-Type", "text/event-stream"}},
		"authorization":               {request: []string{"Authorization", "Bearer x"}, answer: []string{"Cache-Control", "max-age=60"}},
		"cookies of the client":       {request: []string{"Cookie", "session=1"}, answer: []string{"Cache-Control", "max-age=60"}},
		"cookies and revalidation":    {request: []string{"Cookie", "session=1"}, answer: []string{"Cache-Control", "max-age=60, must-revalidate"}},
		"a broken field":              {answer: []string{"Cache-Control", `max-age=60, x="no-store`}},
		"no-cache without validators": {answer: []string{"Cache-Control", "no-cache"}},
		"trailers":                    {answer: []string{"Trailer", "X-Sum"}},
	} {
		t.Run(name, func(t *testing.T) {
			next, calls := counted(c.answer...)
			h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(next)
			get(h, "/", c.request...)
			get(h, "/", c.request...)
			get(h, "/")
			assert.EqualValues(t, 3, calls.Load())
		})
	}
}

func TestWhatIsForEverybodyIsKeptWhoeverAsks(t *testing.T) {
	for name, c := range map[string]struct{ answer, request []string }{
		"public":          {[]string{"Cache-Control", "public"}, []string{"Authorization", "Bearer x", "Cookie", "a=b"}},
		"s-maxage":        {[]string{"Cache-Control", "s-maxage=9"}, []string{"Cookie", "a=b"}},
		"must-revalidate": {[]string{"Cache-Control", "max-age=9, must-revalidate"}, []string{"Authorization", "Bearer x"}},
	} {
		t.Run(name, func(t *testing.T) {
			next, calls := counted(c.answer...)
			h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(next)
			get(h, "/", c.request...)
			get(h, "/")
			get(h, "/", c.request...)
			assert.EqualValues(t, 1, calls.Load())
		})
	}
}

func TestAnswersForNobodyInParticularAreNotForUsers(t *testing.T) {
	next, calls := counted("Cache-Control", "max-age=60")
	h := open(t, httpcache.Options{}).Wrap(next)
	asUser := func() string {
		r := httptest.NewRequest("GET", "/", nil)
		e := exchange.New(r)
		e.User = map[string]any{"name": "ann"}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(e))
		return w.Body.String()
	}
	assert.Equal(t, "answer 1", asUser())
	assert.Equal(t, "answer 2", get(h, "/"))
	assert.Equal(t, "answer 3", asUser())
	assert.Equal(t, "answer 2", get(h, "/"))
	assert.Equal(t, "answer 4", get(h, "/", "Cookie", "session=1"))
	assert.Equal(t, "answer 5", get(h, "/", "Authorization", "Basic x"))
	assert.EqualValues(t, 5, calls.Load())

	guarded := open(t, httpcache.Options{TTL: time.Minute}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r.Context()).User = "ann" // a guard behind the cache
		next.ServeHTTP(w, r)
	}))
	assert.Equal(t, "answer 6", get(guarded, "/"))
	assert.Equal(t, "answer 7", get(guarded, "/"))
}

func TestCookiesThatCountForNothingCanBeNamed(t *testing.T) {
	next, _ := counted()
	h := open(t, httpcache.Options{TTL: time.Minute, IgnoreCookies: []string{"_ga*", "theme"}}).Wrap(next)
	assert.Equal(t, "answer 1", get(h, "/", "Cookie", "_ga=1; _ga_X=2; theme=dark"))
	assert.Equal(t, "answer 1", get(h, "/"))
	assert.Equal(t, "answer 2", get(h, "/", "Cookie", "_ga=1; session=2"))
	assert.Equal(t, "answer 3", get(h, "/", "Cookie", "themes=2"))
}

// Each of these requests could have an answer of its own, so none may get that of "/a?q=1".
func TestNobodyPlantsAnAnswerForOthers(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s %q %v", r.Method, r.Host, r.URL.RequestURI(), r.Header, exchange.From(r.Context()).Secure)
	})
	h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(echo)
	plain := get(h, "/a?q=1")
	attacks := map[string][]string{
		"path encoded":    {"/%61?q=1"},
		"upper hex":       {"/%2fa?q=1"},
		"double slash":    {"//a?q=1"},
		"dot segment":     {"/./a?q=1"},
		"encoded dot":     {"/%2e/a?q=1"},
		"suffix":          {"/a/?q=1"},
		"other query":     {"/a?q=2"},
		"query encoded":   {"/a?%71=1"},
		"query order":     {"/a?q=1&"},
		"empty query":     {"/a?"},
		"semicolon":       {"/a;x?q=1"},
		"case of host":    {"/a?q=1", "Host", "EXAMPLE.com"},
		"port":            {"/a?q=1", "Host", "example.com:1337"},
		"default port":    {"/a?q=1", "Host", "example.com:80"},
		"other host":      {"/a?q=1", "Host", "evil.example"},
		"slash in host":   {"/?q=1", "Host", "example.com/a"},
		"forwarded":       {"/a?q=1", "Forwarded", "for=1.2.3.4;host=evil.example"},
		"method override": {"/a?q=1", "X-HTTP-Method-Override", "DELETE"},
	}
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Host", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method", "X-Method-Override", "X-Original-Host", "X-Forwarded-Uri"} {
		attacks[name] = []string{"/a?q=1", name, "evil"}
	}
	for name, request := range attacks {
		w := ask(h, "GET", request[0], request[1:]...)
		assert.NotContains(t, w.Header().Get("Cache-Status"), "; hit", name)
		assert.NotEqual(t, plain, w.Body.String(), name)
	}
	assert.Equal(t, plain, get(h, "/a?q=1"), "and the answer of others is what it was")
	w := ask(h, "GET", "/a?q=1", "X-Forwarded-For", "1.2.3.4", "Forwarded", "for=1.2.3.4")
	assert.Equal(t, plain, w.Body.String(), "who is in front of us is no reason to ask again")
}

func TestABodyOfGetIsNoPartOfTheKey(t *testing.T) {
	h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "hello %s", body)
	}))
	for _, body := range []io.Reader{strings.NewReader("evil"), io.MultiReader(strings.NewReader("evil"))} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", body))
		assert.Equal(t, "hello evil", w.Body.String())
		assert.Equal(t, "rws; fwd=bypass", w.Header().Get("Cache-Status"))
	}
	assert.Equal(t, "hello ", get(h, "/"))
}

func TestHeadIsAnsweredFromGetAndFillsNothing(t *testing.T) {
	next, calls := counted("X-A", "b")
	h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(next)
	ask(h, "HEAD", "/")
	assert.Equal(t, "answer 2", get(h, "/"), "an answer to HEAD has no body to give")
	w := ask(h, "HEAD", "/")
	assert.EqualValues(t, 2, calls.Load())
	assert.Empty(t, w.Body.String())
	assert.Equal(t, "8", w.Header().Get("Content-Length"))
	assert.Equal(t, "b", w.Header().Get("X-A"))
}

func TestVaryKeepsAnswersApart(t *testing.T) {
	next, _ := counted("Vary", "Accept-Language, Accept-Encoding")
	h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(next)
	assert.Equal(t, "answer 1", get(h, "/", "Accept-Language", "de"))
	assert.Equal(t, "answer 2", get(h, "/", "Accept-Language", "en"))
	assert.Equal(t, "answer 3", get(h, "/"))
	assert.Equal(t, "answer 4", get(h, "/", "Accept-Language", ""), "an empty field is one")
	assert.Equal(t, "answer 1", get(h, "/", "Accept-Language", "de"))
	assert.Equal(t, "answer 5", get(h, "/", "Accept-Language", "de", "Accept-Encoding", "gzip, BR"))
	assert.Equal(t, "answer 5", get(h, "/", "Accept-Language", "de", "Accept-Encoding", "gzip,br"))

	next, _ = counted()
	h = open(t, httpcache.Options{TTL: time.Minute, Vary: []string{"x-tenant"}}).Wrap(next)
	assert.Equal(t, "answer 1", get(h, "/", "X-Tenant", "a"))
	w := ask(h, "GET", "/", "X-Tenant", "b")
	assert.Equal(t, "answer 2", w.Body.String())
	assert.Equal(t, "X-Tenant", w.Header().Get("Vary"), "other caches have to know")
	assert.Equal(t, "X-Tenant", ask(h, "GET", "/", "X-Tenant", "b").Header().Get("Vary"))
}

func TestVariantsOfOneKeyAreBounded(t *testing.T) {
	next, _ := counted("Vary", "User-Agent")
	c := open(t, httpcache.Options{TTL: time.Minute})
	h := c.Wrap(next)
	for i := range 500 {
		get(h, "/", "User-Agent", fmt.Sprint(i))
	}
	assert.EqualValues(t, 64, c.Stats().Entries)
}

func TestHeadersOfWhatStandsBeforeAreItsOwn(t *testing.T) {
	next, _ := counted("Vary", "Accept", "X-Page", "1")
	inner := open(t, httpcache.Options{TTL: time.Minute}).Wrap(next)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Vary", "Origin")
		w.Header().Set("X-Request-Id", r.Header.Get("Id"))
		inner.ServeHTTP(w, r)
	})
	ask(h, "GET", "/", "Origin", "https://a.example", "Id", "1")
	w := ask(h, "GET", "/", "Origin", "https://b.example", "Id", "2")
	assert.Equal(t, "answer 1", w.Body.String())
	assert.Equal(t, "https://b.example", w.Header().Get("Access-Control-Allow-Origin"))
	assert.Equal(t, []string{"Origin", "Accept"}, w.Header()["Vary"])
	assert.Equal(t, "2", w.Header().Get("X-Request-Id"))
}

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

func TestOneAsksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next, calls := counted()
		c := open(t, httpcache.Options{TTL: time.Minute})
		h := c.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			next.ServeHTTP(w, r)
		}))
		start := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { assert.Equal(t, "answer 1", get(h, "/")) })
		}
		all.Wait()
		assert.EqualValues(t, 1, calls.Load())
		assert.Equal(t, time.Second, time.Since(start))
		assert.EqualValues(t, 49, c.Stats().Collapsed)
	})
}

func TestOneThatLeavesDoesNotFailTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next, calls := counted()
		h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			case <-time.After(time.Second):
			}
			next.ServeHTTP(w, r)
		}))
		ctx, leave := context.WithCancel(context.Background())
		go func() {
			defer func() { _ = recover() }()
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
		}()
		synctest.Wait()
		var others sync.WaitGroup
		for range 5 {
			others.Go(func() { assert.Equal(t, "answer 1", get(h, "/")) })
		}
		synctest.Wait()
		leave()
		others.Wait()
		assert.EqualValues(t, 1, calls.Load(), "one of the others has asked, and the rest have waited for it")
	})
}

func TestNobodyWaitsForWhatWillNotBeKept(t *testing.T) {
	for name, header := range map[string][]string{
		"private": {"Cache-Control", "private"}, "large": {"Content-Length", "10000000"}, "cookie": {"Set-Cookie", "a=b"},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, httpcache.Options{TTL: time.Minute}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(header[0], header[1])
				time.Sleep(time.Second)
				w.WriteHeader(200)
				time.Sleep(2 * time.Second)
			}))
			start := time.Now()
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() { get(h, "/") })
			}
			all.Wait()
			assert.Equal(t, 4*time.Second, time.Since(start), "%s: all together, once the header was there", name)
			start = time.Now()
			all.Go(func() { get(h, "/") })
			all.Go(func() { get(h, "/") })
			all.Wait()
			assert.Equal(t, 3*time.Second, time.Since(start), "%s: it is known by now", name)
		})
	}
}

func TestStreamsPassWithoutDelay(t *testing.T) {
	more := make(chan struct{})
	c := open(t, httpcache.Options{TTL: time.Minute})
	s := httptest.NewServer(c.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		<-more
		_, _ = io.WriteString(w, "second")
	})))
	defer s.Close()
	res, err := http.Get(s.URL)
	require.NoError(t, err)
	defer res.Body.Close()
	first := make([]byte, 5)
	_, err = io.ReadFull(res.Body, first)
	require.NoError(t, err)
	assert.Equal(t, "first", string(first))
	close(more)
	rest, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, "second", string(rest))
}

func TestHalfAnAnswerIsNotKept(t *testing.T) {
	var calls atomic.Int64
	c := open(t, httpcache.Options{TTL: time.Minute})
	h := c.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "half")
		if calls.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
	}))
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { get(h, "/") })
	get(h, "/") // shorter than it says
	assert.Zero(t, c.Stats().Entries)
}

func TestBytesAreBounded(t *testing.T) {
	body := strings.Repeat("x", 10<<10)
	c := open(t, httpcache.Options{TTL: time.Minute, Size: 1 << 20, MaxEntry: 100 << 10})
	h := c.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Key", r.URL.RawQuery)
		_, _ = io.WriteString(w, body)
		if r.URL.Path == "/large" {
			for range 10 {
				_, _ = io.WriteString(w, body)
			}
		}
	}))
	get(h, "/hot")
	get(h, "/hot")
	for i := range 1000 {
		get(h, fmt.Sprintf("/cold?%0100d", i))
		assert.LessOrEqual(t, c.Stats().Bytes, int64(1<<20))
	}
	s := c.Stats()
	assert.Greater(t, s.Entries, int64(60))
	assert.Greater(t, s.Evictions, int64(800))
	hits := s.Hits
	get(h, "/hot")
	assert.Equal(t, hits+1, c.Stats().Hits, "what is read again outlives what is read once")
	assert.Len(t, get(h, "/large"), 11*10<<10)
	stored := c.Stats().Stored
	get(h, "/large")
	assert.Equal(t, stored, c.Stats().Stored)
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []httpcache.Options{
		{TTL: -1}, {Size: -1}, {MaxEntry: 2, Size: 1}, {Heuristic: 2}, {Name: "a b"}, {Vary: []string{"a b"}}, {Wait: -1},
	} {
		_, err := httpcache.New(o)
		assert.ErrorContains(t, err, "http cache: ")
	}
}
