package proxy_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"rws/server/proxy"
)

// counting answers with a status and counts requests.
func counting(t testing.TB, status int) (string, *atomic.Int64) {
	var n atomic.Int64
	return backend(t, func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(status)
		fmt.Fprintf(w, "%d %d", status, len(body))
	}), &n
}

func send(t testing.TB, f *front, method, body string) (*http.Response, string) {
	t.Helper()
	var from io.Reader
	if body != "" {
		from = io.MultiReader(strings.NewReader(body)) // of unknown length
	}
	r, err := http.NewRequest(method, f.url("/"), from)
	require.NoError(t, err)
	return do(t, client(t), r)
}

// Of two backends one fails; whichever is asked first, the client gets the answer of the other where trying
// again is safe.
func TestRetries(t *testing.T) {
	good, _ := counting(t, 200)
	busy, _ := counting(t, 503)
	reset := scripted(t, "", true)
	small, large := "body", strings.Repeat("x", 200<<10)
	for _, c := range []struct {
		name, bad, method, body string
		retry                   proxy.Retry
		safe                    bool
	}{
		{"refused", nobody(t), "GET", "", proxy.Retry{}, true},
		{"refused POST", nobody(t), "POST", large, proxy.Retry{}, true},
		{"refused small POST", nobody(t), "POST", small, proxy.Retry{}, true},
		{"reset", reset, "GET", "", proxy.Retry{}, true},
		{"reset PUT", reset, "PUT", small, proxy.Retry{}, true},
		{"reset POST", reset, "POST", small, proxy.Retry{}, false},
		{"reset POST, allowed", reset, "POST", small, proxy.Retry{Methods: []string{"POST"}}, true},
		{"reset large PUT", reset, "PUT", large, proxy.Retry{}, false},
		{"status", busy, "GET", "", proxy.Retry{On: []string{"503"}}, true},
		{"5xx", busy, "PUT", small, proxy.Retry{On: []string{"5xx"}}, true},
		{"5xx POST", busy, "POST", small, proxy.Retry{On: []string{"5xx"}}, false},
		{"other status", busy, "GET", "", proxy.Retry{On: []string{"502"}}, false},
		{"once", nobody(t), "GET", "", proxy.Retry{Tries: 1}, false},
		{"no budget", reset, "GET", "", proxy.Retry{Budget: proxy.NewBudget(0, 0)}, false},
		{"no budget, nor work for anybody", nobody(t), "GET", "", proxy.Retry{Budget: proxy.NewBudget(0, 0)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := to(t, proxy.Options{Retry: c.retry}, c.bad, good)
			f := serve(t, h)
			failed := 0
			for range 6 {
				res, body := send(t, f, c.method, c.body)
				if res.StatusCode == 200 {
					assert.Equal(t, fmt.Sprintf("200 %d", len(c.body)), body, "the body arrived whole")
				} else {
					failed++
				}
			}
			if c.safe {
				assert.Zero(t, failed)
				assert.NotZero(t, h.Stats().Retries)
				return
			}
			assert.Equal(t, 3, failed, "half of them")
			assert.Zero(t, h.Stats().Retries)
		})
	}
}

// Small bodies of known length, as those of most forms and APIs, survive a backend that is gone, in one piece
// with the head or behind it.
func TestBodiesOfKnownLengthFindAnotherBackend(t *testing.T) {
	good, _ := counting(t, 200)
	h := to(t, proxy.Options{}, nobody(t), good)
	f := serve(t, h)
	for _, method := range []string{"POST", "PATCH"} {
		for range 4 {
			head := method + " / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"
			_, r := raw(t, f.addr, head+"body")
			res, body := answer(t, r)
			assert.Equal(t, 200, res.StatusCode)
			assert.Equal(t, "200 4", body)
			c, r := raw(t, f.addr, head+"b")
			eventually(t, func() bool { return h.Stats().Active == 1 })
			_, _ = io.WriteString(c, "ody")
			res, body = answer(t, r)
			assert.Equal(t, 200, res.StatusCode)
			assert.Equal(t, "200 4", body)
		}
	}
	assert.NotZero(t, h.Stats().Retries)
}

// A backend that refuses a stream says that it has done nothing with it (RFC 9113 §8.7): any method is repeated.
func TestStreamsThatAreRefusedAreRepeated(t *testing.T) {
	refuses := listen(t, func(c net.Conn) {
		_, _ = io.CopyN(io.Discard, c, int64(len(http2.ClientPreface)))
		framer := http2.NewFramer(c, c)
		_ = framer.WriteSettings()
		for {
			f, err := framer.ReadFrame()
			if err != nil {
				return
			}
			switch f := f.(type) {
			case *http2.SettingsFrame:
				if !f.IsAck() {
					_ = framer.WriteSettingsAck()
				}
			case *http2.DataFrame:
				if f.StreamEnded() {
					_ = framer.WriteRSTStream(f.StreamID, http2.ErrCodeRefusedStream)
				}
			}
		}
	})
	good, _ := counting(t, 200)
	h := to(t, proxy.Options{}, "h2c://"+refuses, good)
	f := serve(t, h)
	for range 4 {
		res, body := send(t, f, "POST", "body")
		assert.Equal(t, 200, res.StatusCode)
		assert.Equal(t, "200 4", body)
	}
	assert.NotZero(t, h.Stats().Retries)
}

// When all fail the last answer is passed on, from each backend once.
func TestRetriesEnd(t *testing.T) {
	a, na := counting(t, 503)
	b, nb := counting(t, 503)
	f := serve(t, to(t, proxy.Options{Retry: proxy.Retry{Tries: 5, On: []string{"5xx"}, Backoff: time.Millisecond}}, a, b))
	res, body := send(t, f, "GET", "")
	assert.Equal(t, 503, res.StatusCode)
	assert.Equal(t, "503 0", body)
	assert.Equal(t, []int64{1, 1}, []int64{na.Load(), nb.Load()})
}

// Repetitions are at most a share of the requests, or a few.
func TestRetriesAreBounded(t *testing.T) {
	for _, c := range []struct {
		share             float64
		least             int
		requests, repeats int
	}{{0.2, 3, 40, 8}, {0.2, 10, 40, 10}, {0, 0, 10, 0}, {1, 0, 20, 20}} {
		busy, _ := counting(t, 503)
		other, _ := counting(t, 503)
		h := to(t, proxy.Options{Retry: proxy.Retry{On: []string{"503"}, Budget: proxy.NewBudget(c.share, c.least), Backoff: time.Nanosecond}}, busy, other)
		f := serve(t, h)
		for range c.requests {
			res, _ := send(t, f, "GET", "")
			assert.Equal(t, 503, res.StatusCode)
		}
		assert.EqualValues(t, c.repeats, h.Stats().Retries, "%+v", c)
	}
}

// What a backend had under way when it died is all repeated, though it is much at once.
func TestTheBudgetIsEnoughForABackendThatDies(t *testing.T) {
	const at = 64
	var dying sync.WaitGroup
	dying.Add(at / 2)
	dies := backend(t, func(http.ResponseWriter, *http.Request) {
		dying.Done()
		dying.Wait()
		panic(http.ErrAbortHandler)
	})
	lives := backend(t, func(http.ResponseWriter, *http.Request) {})
	calm := backend(t, func(http.ResponseWriter, *http.Request) {})
	budget := proxy.NewBudget(proxy.DefaultBudget, proxy.DefaultBudgetLeast)
	before := serve(t, to(t, proxy.Options{Retry: proxy.Retry{Budget: budget}}, calm))
	for range 4 * at { // what it did before
		send(t, before, "GET", "")
	}
	f := serve(t, to(t, proxy.Options{Retry: proxy.Retry{Budget: budget, Backoff: time.Nanosecond}}, dies, lives))
	var all sync.WaitGroup
	c := client(t)
	for range at {
		all.Go(func() {
			res, err := c.Get(f.url("/"))
			if assert.NoError(t, err) {
				assert.Equal(t, 200, res.StatusCode)
				assert.NoError(t, res.Body.Close())
			}
		})
	}
	all.Wait()
}

func TestHedging(t *testing.T) {
	var cancelled atomic.Int64
	slow := backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		cancelled.Add(1)
	})
	fast, _ := counting(t, 200)
	p := pool(t, slow, fast)
	h := to(t, proxy.Options{Pool: p, Hedge: proxy.Hedge{After: 10 * time.Millisecond}})
	f := serve(t, h)
	for range 4 {
		res, _ := send(t, f, "GET", "")
		assert.Equal(t, 200, res.StatusCode)
	}
	eventually(t, func() bool { return cancelled.Load() == int64(h.Stats().Hedges) && cancelled.Load() > 0 })
	for _, s := range p.Status() {
		eventually(t, func() bool { return p.Status()[0].Active == 0 && p.Status()[1].Active == 0 })
		assert.Zero(t, s.Failures, "who loses a race is not at fault")
	}
	dead := serve(t, to(t, proxy.Options{Hedge: proxy.Hedge{After: time.Hour}}, nobody(t), nobody(t)))
	res, _ := send(t, dead, "GET", "")
	assert.Equal(t, 502, res.StatusCode)
}
