package httpcache_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rws/server/httpcache"
)

// bench runs one test.
type bench struct {
	test suiteTest
	now  func() time.Time

	mu   sync.Mutex
	seen []seen
}

// runSuiteTest runs a test with a cache of its own.
func runSuiteTest(t *testing.T, test suiteTest) error {
	var mu sync.Mutex
	at := time.Now().Truncate(time.Second)
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	b := &bench{test: test, now: now}
	origin := httptest.NewServer(b)
	defer origin.Close()
	to, err := url.Parse(origin.URL)
	require.NoError(t, err)
	quiet := log.New(io.Discard, "", 0)
	origin.Config.ErrorLog = quiet
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorLog = quiet
	cache, err := httpcache.New(httpcache.Options{Now: now, Heuristic: 0.1})
	require.NoError(t, err)
	defer cache.Close()
	front := httptest.NewServer(cache.Wrap(proxy))
	defer front.Close()
	client := front.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	pause := func(d time.Duration) {
		deadline := time.Now().Add(100 * time.Millisecond) // for what goes on in the background
		for n := -1; time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			b.mu.Lock()
			same := n == len(b.seen)
			n = len(b.seen)
			b.mu.Unlock()
			if same {
				break
			}
		}
		mu.Lock()
		at = at.Add(d)
		mu.Unlock()
	}
	return b.run(front.URL, client, pause)
}

// run sends the requests of a test and returns what is wrong.
func (b *bench) run(front string, client *http.Client, pause func(time.Duration)) error {
	var before *got
	answers := make([]*got, len(b.test.Requests))
	for i := range b.test.Requests {
		q := &b.test.Requests[i]
		if q.ResponsePause > 0 {
			// the clock goes on while the origin thinks; in whole, before it begins
			pause(time.Duration(q.ResponsePause * float64(time.Second)))
		}
		g, err := b.send(front, client, i, q, before)
		if err != nil {
			return fmt.Errorf("request %d: %w", i+1, err)
		}
		answers[i], before = g, g
		if err := b.check(i, q, g); err != nil {
			return err
		}
		if q.Pause {
			pause(3 * time.Second)
		}
	}
	return b.checkOrigin(answers)
}

// got is an answer as the client has it.
type got struct {
	*http.Response
	body    string
	interim []got1xx
}

type got1xx struct {
	status int
	header http.Header
}

func (b *bench) send(front string, client *http.Client, i int, q *suiteRequest, before *got) (*got, error) {
	target := front + "/test/" + b.test.ID
	if q.Filename != "" {
		target += "/" + q.Filename
	}
	if q.Query != "" {
		target += "?" + q.Query
	}
	method := q.Method
	if method == "" {
		method = "GET"
	}
	var body io.Reader
	if q.Body != "" {
		body = strings.NewReader(q.Body)
	}
	r, err := http.NewRequest(method, target, body)
	if err != nil {
		return nil, err
	}
	r.Header.Add("Pragma", "foo")
	r.Header.Add("Cache-Control", "nothing-to-see-here")
	for _, f := range q.Headers {
		now := b.now()
		if before != nil {
			if ms, err := strconv.ParseInt(before.Header.Get("Server-Now"), 10, 64); err == nil && q.MagicIMS {
				now = time.UnixMilli(ms)
			}
		}
		r.Header.Add(f[0].(string), fixed(f, now, "", q))
	}
	r.Header.Set("Test-ID", b.test.ID)
	r.Header.Set("Req-Num", strconv.Itoa(i+1))
	g := &got{}
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		g.interim = append(g.interim, got1xx{code, http.Header(h)})
		return nil
	}}
	res, err := client.Do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	g.Response, g.body = res, string(all)
	return g, err
}
