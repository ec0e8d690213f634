package httpcache_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rws/server/httpcache"
)

// The tests of cache-tests.fyi by Mark Nottingham (testdata/LICENSE.cache-tests), as its program
// exports them, run by a client and an origin that do as those of the project, with a clock that
// needs no waiting. The cache stands before a reverse proxy.

type suite struct {
	ID    string      `json:"id"`
	Tests []suiteTest `json:"tests"`
}

type suiteTest struct {
	ID          string         `json:"id"`
	Kind        string         `json:"kind"` // "" is required
	BrowserOnly bool           `json:"browser_only"`
	DependsOn   []string       `json:"depends_on"`
	Requests    []suiteRequest `json:"requests"`
}

// field is [name, value, whether to check it], where the value of a date may be an offset.
type field []any

type suiteRequest struct {
	Method            string   `json:"request_method"`
	Headers           []field  `json:"request_headers"`
	Body              string   `json:"request_body"`
	Query             string   `json:"query_arg"`
	Filename          string   `json:"filename"`
	Redirect          string   `json:"redirect"`
	MagicIMS          bool     `json:"magic_ims"`
	MagicLocations    bool     `json:"magic_locations"`
	RFC850            []string `json:"rfc850date"`
	Disconnect        bool     `json:"disconnect"`
	Pause             bool     `json:"pause_after"`
	ResponsePause     float64  `json:"response_pause"`
	Status            []any    `json:"response_status"`
	ResponseHeaders   []field  `json:"response_headers"`
	ResponseBody      *string  `json:"response_body"`
	Interim           [][]any  `json:"interim_responses"`
	ExpectInterim     [][]any  `json:"expected_interim_responses"`
	ExpectType        string   `json:"expected_type"`
	ExpectStatus      *int     `json:"expected_status"`
	ExpectMethod      string   `json:"expected_method"`
	ExpectHeaders     []any    `json:"expected_response_headers"`
	ExpectMissing     []any    `json:"expected_response_headers_missing"`
	ExpectRequest     []any    `json:"expected_request_headers"`
	ExpectRequestMiss []any    `json:"expected_request_headers_missing"`
	ExpectText        *string  `json:"expected_response_text"`
	CheckBody         *bool    `json:"check_body"`

	expectsStatus bool
}

// UnmarshalJSON notes whether a status is expected at all: null is none.
func (q *suiteRequest) UnmarshalJSON(b []byte) error {
	type plain suiteRequest
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, (*plain)(q)); err != nil {
		return err
	}
	err := json.Unmarshal(b, &keys)
	_, q.expectsStatus = keys["expected_status"]
	return err
}

func readSuites(t *testing.T) []suite {
	f, err := os.Open("testdata/cache-tests.json.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var all []suite
	require.NoError(t, json.NewDecoder(z).Decode(&all))
	return all
}

// seen is a request that reached the origin.
type seen struct {
	number int
	method string
	header http.Header
	sent   map[string]string // of the answer, to be found unchanged
}

// bench runs one test.
type bench struct {
	test suiteTest
	now  func() time.Time

	mu   sync.Mutex
	seen []seen
}

var dateFields = []string{"date", "expires", "last-modified", "if-modified-since", "if-unmodified-since"}

// fixed is the value of a header: offsets become dates and locations absolute.
func fixed(f field, now time.Time, base string, q *suiteRequest) string {
	name := strings.ToLower(f[0].(string))
	if offset, ok := f[1].(float64); ok && slices.Contains(dateFields, name) {
		at := now.Add(time.Duration(offset) * time.Second).UTC()
		if slices.Contains(q.RFC850, name) {
			return at.Format("Monday, 02-Jan-06 15:04:05 GMT")
		}
		return at.Format(http.TimeFormat)
	}
	value := text(f[1])
	if q.MagicLocations && (name == "location" || name == "content-location") {
		if value == "" {
			return base
		}
		return base + "/" + value
	}
	return value
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// ServeHTTP is the origin.
func (b *bench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	number, _ := strconv.Atoi(r.Header.Get("Req-Num"))
	q := &b.test.Requests[number-1]
	for _, interim := range q.Interim {
		if len(interim) > 1 {
			for _, h := range interim[1].([]any) {
				w.Header().Add(text(h.([]any)[0]), text(h.([]any)[1]))
			}
		}
		w.WriteHeader(int(interim[0].(float64)))
		clear(w.Header())
	}
	status := 200
	if len(q.Status) > 0 {
		status = int(q.Status[0].(float64))
	}
	if strings.HasSuffix(q.ExpectType, "validated") {
		status = b.validated(r, &b.test.Requests[number-2], status)
	}
	now := b.now()
	h := w.Header()
	h.Set("Server-Base-Url", r.URL.RequestURI())
	h.Set("Server-Request-Count", strconv.Itoa(len(b.seen)+1))
	h.Set("Client-Request-Count", strconv.Itoa(number))
	h.Set("Server-Now", strconv.FormatInt(now.UnixMilli(), 10))
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Set("Content-Type", "text/plain")
	given := map[string]bool{}
	sent := map[string]string{}
	for _, f := range q.ResponseHeaders {
		name := http.CanonicalHeaderKey(f[0].(string))
		if !given[name] {
			h.Del(name)
		}
		given[name] = true
		h.Add(name, fixed(f, now, r.URL.RequestURI(), q))
		if len(f) < 3 || f[2] == true {
			sent[name] = strings.Join(h[name], ", ")
		}
	}
	b.seen = append(b.seen, seen{number, r.Method, r.Header.Clone(), sent})
	numbers := make([]string, len(b.seen))
	for i, s := range b.seen {
		numbers[i] = strconv.Itoa(s.number)
	}
	h.Set("Request-Numbers", strings.Join(numbers, " "))
	if q.Disconnect {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	if status == 204 || status == 304 || r.Method == "HEAD" {
		return
	}
	body := b.test.ID
	if q.ResponseBody != nil && *q.ResponseBody != "" {
		body = *q.ResponseBody
	}
	_, _ = io.WriteString(w, body)
}

// validated is 304 when the request has the validator of the one before.
func (b *bench) validated(r *http.Request, before *suiteRequest, status int) int {
	for _, pair := range [][2]string{{"Last-Modified", "If-Modified-Since"}, {"ETag", "If-None-Match"}} {
		for _, f := range before.ResponseHeaders {
			if !strings.EqualFold(f[0].(string), pair[0]) {
				continue
			}
			want := text(f[1])
			for _, s := range b.seen {
				if v := s.sent[http.CanonicalHeaderKey(pair[0])]; v != "" {
					want = v
				}
			}
			if r.Header.Get(pair[1]) == want {
				return 304
			}
		}
	}
	return 999
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

func (b *bench) check(i int, q *suiteRequest, g *got) error {
	count, err := strconv.Atoi(g.Header.Get("Server-Request-Count"))
	none := err != nil
	switch {
	case q.ExpectType == "cached" && (g.StatusCode != 304 || !none) && (none || count >= i+1):
		return fmt.Errorf("answer %d does not come from the cache", i+1)
	case q.ExpectType == "not_cached" && count != i+1:
		return fmt.Errorf("answer %d comes from the cache", i+1)
	}
	want := 200
	if len(q.Status) > 0 {
		want = int(q.Status[0].(float64))
	}
	if q.ExpectStatus != nil {
		want = *q.ExpectStatus
	}
	if (!q.expectsStatus || q.ExpectStatus != nil) && g.StatusCode != want {
		return fmt.Errorf("answer %d has status %d, not %d", i+1, g.StatusCode, want)
	}
	if err := b.checkHeaders(i, q, g); err != nil {
		return err
	}
	if err := checkInterim(q, g); err != nil {
		return err
	}
	return b.checkBody(i, q, g)
}

func (b *bench) checkHeaders(i int, q *suiteRequest, g *got) error {
	ms, _ := strconv.ParseInt(g.Header.Get("Server-Now"), 10, 64)
	for _, want := range q.ExpectHeaders {
		if name, ok := want.(string); ok {
			if len(g.Header.Values(name)) == 0 {
				return fmt.Errorf("answer %d has no %s", i+1, name)
			}
			continue
		}
		f := want.([]any)
		have := strings.Join(g.Header.Values(f[0].(string)), ", ")
		switch {
		case len(f) > 2 && f[1] == "=":
			if have != g.Header.Get(f[2].(string)) {
				return fmt.Errorf("answer %d: %s is %q, not that of %s", i+1, f[0], have, f[2])
			}
		case len(f) > 2 && f[1] == ">":
			if n, err := strconv.Atoi(have); err != nil || float64(n) <= f[2].(float64) {
				return fmt.Errorf("answer %d: %s is %q, not above %v", i+1, f[0], have, f[2])
			}
		default:
			if value := fixed(f, time.UnixMilli(ms), g.Header.Get("Server-Base-Url"), q); have != value {
				return fmt.Errorf("answer %d: %s is %q, not %q", i+1, f[0], have, value)
			}
		}
	}
	for _, want := range q.ExpectMissing {
		if name, ok := want.(string); ok && len(g.Header.Values(name)) > 0 {
			return fmt.Errorf("answer %d has %s: %s", i+1, name, g.Header.Get(name))
		}
	}
	return nil
}

func checkInterim(q *suiteRequest, g *got) error {
	if q.ExpectInterim == nil {
		return nil
	}
	if len(g.interim) != len(q.ExpectInterim) {
		return fmt.Errorf("%d interim answers, not %d", len(g.interim), len(q.ExpectInterim))
	}
	for i, want := range q.ExpectInterim {
		if g.interim[i].status != int(want[0].(float64)) {
			return fmt.Errorf("interim answer %d", g.interim[i].status)
		}
		if len(want) > 1 {
			for _, h := range want[1].([]any) {
				if name := text(h.([]any)[0]); g.interim[i].header.Get(name) != text(h.([]any)[1]) {
					return fmt.Errorf("interim answer without %s", name)
				}
			}
		}
	}
	return nil
}

func (b *bench) checkBody(i int, q *suiteRequest, g *got) error {
	want := b.test.ID
	switch {
	case q.CheckBody != nil && !*q.CheckBody, q.Method == "HEAD":
		return nil
	case q.ExpectText != nil:
		want = *q.ExpectText
	case q.ResponseBody != nil:
		want = *q.ResponseBody
	case g.StatusCode == 204 || g.StatusCode == 304:
		return nil
	}
	if g.body != want {
		return fmt.Errorf("answer %d has the body %q, not %q", i+1, g.body, want)
	}
	return nil
}

func (b *bench) checkOrigin(answers []*got) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := 0
	for i := range b.test.Requests {
		q := &b.test.Requests[i]
		if q.ExpectType == "cached" {
			continue
		}
		var s seen
		if at < len(b.seen) {
			s = b.seen[at]
		}
		if q.ExpectType == "not_cached" && s.number != i+1 {
			return fmt.Errorf("answer %d comes from the cache", i+1)
		}
		at++
		want := slices.Clone(q.ExpectRequest)
		switch q.ExpectType {
		case "etag_validated":
			want = append(want, "If-None-Match")
		case "lm_validated":
			want = append(want, "If-Modified-Since")
		}
		for _, w := range want {
			if name, ok := w.(string); ok {
				if len(s.header.Values(name)) == 0 {
					return fmt.Errorf("request %d came without %s", i+1, name)
				}
			} else if f := w.([]any); strings.Join(s.header.Values(f[0].(string)), ", ") != text(f[1]) {
				return fmt.Errorf("request %d came with %s: %q", i+1, f[0], s.header.Values(f[0].(string)))
			}
		}
		for _, w := range q.ExpectRequestMiss {
			if name, ok := w.(string); ok && len(s.header.Values(name)) > 0 {
				return fmt.Errorf("request %d came with %s", i+1, name)
			}
		}
		for name, value := range s.sent {
			if have := strings.Join(answers[i].Header.Values(name), ", "); name != "Date" && have != value {
				return fmt.Errorf("answer %d: %s is %q, not %q", i+1, name, have, value)
			}
		}
		if q.ExpectMethod != "" && s.method != q.ExpectMethod {
			return fmt.Errorf("request %d came as %s", i+1, s.method)
		}
	}
	return nil
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
