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

	"rws/server/httpcache"
)

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
