package client_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rws/server/client"
	"rws/spec_test/peers"
)

// flaky answers with the statuses in turn, the last one for good, and counts the requests.
func flaky(t *testing.T, hits *atomic.Int64, statuses ...int) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := min(int(hits.Add(1)), len(statuses))
		if statuses[n-1] == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(statuses[n-1])
		w.Write(body)
	}).URL
}

func TestRetries(t *testing.T) {
	retry := client.Retry{Tries: 3, Backoff: time.Millisecond}
	anyMethod := retry
	anyMethod.AnyMethod = true
	tests := []struct {
		name     string
		request  client.Request
		statuses []int
		want     int // the status
		hits     int64
	}{
		{"not asked for", client.Request{}, []int{503, 200}, 503, 1},
		{"until it works", client.Request{Retry: retry}, []int{503, 502, 200}, 200, 3},
		{"no longer than told", client.Request{Retry: retry}, []int{504, 429, 503, 200}, 503, 3},
		{"a broken connection", client.Request{Method: "PUT", Body: []byte("x"), Retry: retry}, []int{0, 200}, 200, 2},
		{"not for other failures", client.Request{Retry: retry}, []int{500, 200}, 500, 1},
		{"not of a POST", client.Request{Method: "POST", Retry: retry}, []int{503, 200}, 503, 1},
		{"of a POST when asked", client.Request{Method: "POST", Body: []byte("x"), Retry: anyMethod}, []int{503, 200}, 200, 2},
		{"not of a stream", client.Request{Method: "PUT", BodyReader: strings.NewReader("x"), Retry: retry}, []int{503, 200}, 503, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var hits atomic.Int64
			tt.request.URL = flaky(t, &hits, tt.statuses...)
			res := do(t, tt.request)
			if res.Status != tt.want || hits.Load() != tt.hits || int64(res.Attempts) != tt.hits {
				t.Errorf("status %d after %d requests, Attempts %d; want %d after %d", res.Status, hits.Load(), res.Attempts, tt.want, tt.hits)
			}
			if tt.request.Body != nil && string(res.Body) != "x" {
				t.Errorf("the body was not sent again: %q", res.Body)
			}
		})
	}
}

func TestFailedRetriesAreCounted(t *testing.T) {
	r := client.Request{URL: "http://" + peers.FreeAddress(t), Retry: client.Retry{Tries: 3, Backoff: time.Millisecond}}
	e := fails(t, newClient(t, client.Options{}), t.Context(), r, client.CodeRefused, "(after 3 tries)")
	if e.Attempts != 3 {
		t.Errorf("Attempts %d, want 3", e.Attempts)
	}
}

// answers is a stub that fails until the last try and records when it was asked.
type answers struct {
	tries      int
	retryAfter string
	asked      []time.Time
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked = append(a.asked, time.Now())
	res := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}
	if len(a.asked) < a.tries {
		res.StatusCode = 503
		res.Header.Set("Retry-After", a.retryAfter)
	}
	return res, nil
}

func (a *answers) waits() (waits []time.Duration) {
	for i := range len(a.asked) - 1 {
		waits = append(waits, a.asked[i+1].Sub(a.asked[i]))
	}
	return waits
}

func TestBackoffDoublesWithJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{tries: 5}
		c := client.New(client.Options{RoundTrip: a})
		if _, err := c.Do(t.Context(), client.Request{URL: "http://x", Retry: client.Retry{Tries: 5}}); err != nil {
			t.Fatal(err)
		}
		full := 100 * time.Millisecond
		for _, wait := range a.waits() {
			if wait < full/2 || wait > full {
				t.Errorf("waited %v, want between %v and %v", wait, full/2, full)
			}
			full *= 2
		}
	})
}

func TestRetryAfter(t *testing.T) {
	tests := []struct {
		name, header string
		timeout      time.Duration
		status       int
		wait         time.Duration // 0 when there is no second try
	}{
		{"in seconds", "7", 0, 200, 7 * time.Second},
		{"as a date", "date", 0, 200, 9 * time.Second},
		{"longer than 30 s", "31", -1, 503, 0},
		{"longer than the time left", "7", 5 * time.Second, 503, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{tries: 2, retryAfter: tt.header}
				if tt.header == "date" {
					a.retryAfter = time.Now().Add(9 * time.Second).UTC().Format(http.TimeFormat)
				}
				c := client.New(client.Options{RoundTrip: a})
				res, err := c.Do(t.Context(), client.Request{URL: "http://x", Timeout: tt.timeout, Retry: client.Retry{Tries: 2}})
				if err != nil || res.Status != tt.status {
					t.Fatalf("got %+v, %v", res, err)
				}
				waits := a.waits()
				if tt.wait == 0 && len(waits) > 0 || tt.wait > 0 && (len(waits) != 1 || waits[0] != tt.wait) {
					t.Errorf("waited %v, want %v", waits, tt.wait)
				}
			})
		})
	}
}

func TestTimeLimitCoversTheTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		stub := roundTrip(func(r *http.Request) (*http.Response, error) {
			if tries++; tries == 1 {
				return nil, syscall.ECONNRESET
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		c := client.New(client.Options{RoundTrip: stub})
		fails(t, c, t.Context(), client.Request{URL: "http://x", Retry: client.Retry{Tries: 9}}, client.CodeTimeout, "within 30s")
		if took := time.Since(start); took != client.DefaultTimeout || tries != 2 {
			t.Errorf("took %v and %d tries", took, tries)
		}
	})
}
