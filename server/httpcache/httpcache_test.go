package httpcache_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []httpcache.Options{
		{TTL: -1}, {Size: -1}, {MaxEntry: 2, Size: 1}, {Heuristic: 2}, {Name: "a b"}, {Vary: []string{"a b"}}, {Wait: -1},
	} {
		_, err := httpcache.New(o)
		assert.ErrorContains(t, err, "http cache: ")
	}
}
