package upstream_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/breaker"
	"rws/server/proxy/health"
	"rws/server/proxy/upstream"
)

// start serves at an address, "127.0.0.1:0" for a new one. Stopping it kills its connections.
func start(t *testing.T, address string) *http.Server {
	var l net.Listener
	soon(t, "the port is free", func() (ok bool) {
		var err error
		l, err = net.Listen("tcp", address)
		return err == nil
	})
	s := &http.Server{Addr: l.Addr().String(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })}
	go s.Serve(l)
	return s
}

// again asks as a proxy that tries an idempotent request at up to three backends.
func again(p *upstream.Pool) (tries int, err error) {
	var tried []*upstream.Backend
	for tries = 1; tries <= 3; tries++ {
		var l *upstream.Lease
		if l, err = p.Pick(get(), tried); err != nil {
			return tries, err
		}
		if _, err = send(l, get()); err == nil {
			return tries, nil
		}
		tried = append(tried, l.Backend)
	}
	return tries, err
}

func TestBackendsThatAreKilledInTurnCostNoRequest(t *testing.T) {
	var servers []*http.Server
	var urls []string
	for range 3 {
		s := start(t, "127.0.0.1:0")
		servers = append(servers, s)
		urls = append(urls, "http://"+s.Addr)
	}
	p := pool(t, upstream.Options{
		Targets: targets(urls...), Balance: upstream.Balance{Policy: "p2c"},
		Health:  &health.Check{Every: 20 * time.Millisecond, Timeout: 5 * time.Second, Up: 1, Down: 1},
		Passive: &health.OutlierOptions{Consecutive: 2, Eject: 50 * time.Millisecond},
		Breaker: &breaker.Options{Failures: 3, Open: 50 * time.Millisecond},
	})
	p.Start(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var sent, retried atomic.Int64
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				tries, err := again(p)
				if !assert.NoError(t, err) {
					return
				}
				sent.Add(1)
				retried.Add(int64(tries - 1))
			}
		})
	}
	for i := range servers {
		require.NoError(t, servers[i].Close())
		soon(t, "it gets no more requests", func() bool { return p.Status()[i].State == "down" })
		before := sent.Load()
		soon(t, "the others do", func() bool { return sent.Load() > before+200 })
		servers[i] = start(t, servers[i].Addr)
		soon(t, "it gets requests again", func() bool {
			n := p.Status()[i].Requests
			return p.Status()[i].State == "up" && assert.Eventually(t, func() bool { return p.Status()[i].Requests > n+20 }, 5*time.Second, time.Millisecond)
		})
	}
	cancel()
	wg.Wait()
	for _, s := range p.Status() {
		assert.Zero(t, s.Active)
		assert.Zero(t, s.Conns.InUse)
	}
	for _, s := range servers {
		require.NoError(t, s.Close())
	}
	t.Logf("%d requests, %d tried again", sent.Load(), retried.Load())
	assert.Less(t, retried.Load(), int64(200), "checks, ejections and breakers keep requests away from what is dead")
}
