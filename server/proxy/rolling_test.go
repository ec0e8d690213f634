package proxy_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy"
)

// restartable is a backend that can stop and come back at the same address.
type restartable struct {
	addr string
	s    *http.Server
	done chan struct{}
}

func (b *restartable) start(t testing.TB) {
	if b.addr == "" {
		b.addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", b.addr)
	require.NoError(t, err)
	b.addr = l.Addr().String()
	b.s = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") })}
	b.done = make(chan struct{})
	go func(s *http.Server, done chan struct{}) {
		defer close(done)
		_ = s.Serve(l)
	}(b.s, b.done)
}

func (b *restartable) stop(graceful bool) {
	if graceful {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = b.s.Shutdown(ctx)
	}
	_ = b.s.Close()
	<-b.done
}

// While three backends are restarted one after the other, gracefully and by force, no request that may be
// repeated fails.
func TestRollingRestartsLoseNoIdempotentRequest(t *testing.T) {
	var all [3]restartable
	var urls []string
	for i := range all {
		all[i].start(t)
		urls = append(urls, "http://"+all[i].addr)
	}
	h := to(t, proxy.Options{Retry: proxy.Retry{Tries: 3, Backoff: time.Millisecond, Budget: proxy.NewBudget(1, 100)}}, urls...)
	var asked, failed atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				asked.Add(1)
				if w.Code != 200 || w.Body.String() != "ok" {
					failed.Add(1)
				}
			}
		})
	}
	for round := range 4 {
		for i := range all {
			before := asked.Load()
			eventually(t, func() bool { return asked.Load() > before+50 })
			all[i].stop(round%2 == 0)
			before = asked.Load()
			eventually(t, func() bool { return asked.Load() > before+50 })
			all[i].start(t)
		}
	}
	close(stop)
	load.Wait()
	for i := range all {
		all[i].stop(true)
	}
	assert.Zero(t, failed.Load(), "of %d requests", asked.Load())
	assert.NotZero(t, h.Stats().Retries)
}
