package httpcache_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
)

// seen is a request that reached the origin.
type seen struct {
	number int
	method string
	header http.Header
	sent   map[string]string // of the answer, to be found unchanged
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
