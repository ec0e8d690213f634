package httpcache_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
