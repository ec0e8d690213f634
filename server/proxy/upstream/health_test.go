package upstream_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/breaker"
	"rws/server/proxy/health"
	"rws/server/proxy/upstream"
)

// switchable is a server whose answers can be made 503.
func switchable(t testing.TB, name string) (url string, broken *atomic.Bool) {
	broken = new(atomic.Bool)
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			w.WriteHeader(503)
			return
		}
		io.WriteString(w, name)
	}), broken
}

func TestChecksTakeABackendOutAndBringItBack(t *testing.T) {
	a, broken := switchable(t, "a")
	b := server(t, "b")
	p := pool(t, upstream.Options{Targets: targets(a, b), Health: &health.Check{Every: 10 * time.Millisecond, Timeout: 2 * time.Second, Up: 2, Down: 2}})
	p.Start(t.Context())
	broken.Store(true)
	soon(t, "a is down", func() bool { return state(p) == "down up" })
	for range 4 {
		assert.Equal(t, b, pick(t, p, get()))
	}
	assert.ErrorContains(t, p.Status()[0].Health.Err, "503")
	broken.Store(false)
	soon(t, "a is back", func() bool { return state(p) == "up up" })
}

func TestWhenAllAreDownTheErrorSaysWhatTheChecksSaid(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("http://127.0.0.1:1"), Health: &health.Check{Every: 10 * time.Millisecond, Timeout: 2 * time.Second}})
	p.Start(t.Context())
	soon(t, "it is down", func() bool { return state(p) == "down" })
	e := noBackend(t, p, upstream.Down)
	assert.ErrorContains(t, e, "http://127.0.0.1:1 is down (")
	assert.ErrorContains(t, e, "refused")
}

func TestANewBackendIsCheckedToo(t *testing.T) {
	a := server(t, "a")
	p := pool(t, upstream.Options{Targets: targets(a), Health: &health.Check{Every: 10 * time.Millisecond, Timeout: 2 * time.Second}})
	p.Start(t.Context())
	require.NoError(t, p.Update(targets(a, "http://127.0.0.1:1")))
	soon(t, "it is down", func() bool { return state(p) == "up down" })
	require.NoError(t, p.Update([]upstream.Target{{URL: "http://127.0.0.1:1", Weight: 3}, {URL: a}}))
	assert.Equal(t, "down up", state(p), "what is known stays known")
}

func failure(n int) upstream.Outcome {
	return upstream.Outcome{Kind: upstream.Failure, Status: n, Err: errors.New("broken")}
}

// report makes a request to one backend of the pool end in some way, n times.
func report(t *testing.T, p *upstream.Pool, name string, o upstream.Outcome, n int) {
	t.Helper()
	for done := 0; done < n; {
		l, err := p.Pick(get(), nil)
		require.NoError(t, err)
		if l.Backend.Name() == name {
			l.Done(o)
			done++
		} else {
			l.Done(upstream.Outcome{})
		}
	}
}

func TestFailuresEjectAndTheFaultsOfClientsDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, upstream.Options{Targets: targets("http://a", "http://b", "http://c"), Passive: &health.OutlierOptions{Consecutive: 5, Eject: 30 * time.Second}})
		report(t, p, "http://a:80", upstream.Outcome{Kind: upstream.Neutral, Err: context.Canceled}, 50)
		report(t, p, "http://a:80", upstream.Outcome{Kind: upstream.Success, Status: 404}, 50)
		require.Equal(t, "up up up", state(p))
		require.Zero(t, p.Status()[0].Failures)

		report(t, p, "http://a:80", failure(502), 5)
		require.Equal(t, "ejected up up", state(p))
		s := p.Status()[0]
		assert.Equal(t, uint64(5), s.Failures)
		assert.Equal(t, "broken", s.LastFault)
		assert.True(t, s.Passive.Ejected)
		for range 10 {
			assert.NotEqual(t, "http://a:80", pick(t, p, get()))
		}
		time.Sleep(31 * time.Second)
		assert.Equal(t, "up up up", state(p))
	})
}

func TestACheckThatFindsABackendUpAgainEndsItsEjection(t *testing.T) {
	a, broken := switchable(t, "a")
	p := pool(t, upstream.Options{Targets: targets(a, server(t, "b")), Health: &health.Check{Every: 10 * time.Millisecond, Timeout: 2 * time.Second},
		Passive: &health.OutlierOptions{Consecutive: 1, Eject: time.Hour, MaxEject: time.Hour}})
	report(t, p, a, failure(502), 1)
	p.Start(t.Context())
	soon(t, "the checks succeed", func() bool { return p.Status()[0].Health.Run > 3 })
	require.Equal(t, "ejected up", state(p), "a backend that was never down by the checks stays ejected: they see other things than clients")
	broken.Store(true)
	soon(t, "a is down", func() bool { return state(p) == "down up" })
	broken.Store(false)
	soon(t, "a is up", func() bool { return state(p) == "up up" })
}

func TestTheLastBackendThatChecksLeaveIsNotEjected(t *testing.T) {
	b := server(t, "b")
	p := pool(t, upstream.Options{Targets: targets("http://127.0.0.1:1", b), Health: &health.Check{Every: 10 * time.Millisecond, Timeout: 2 * time.Second},
		Passive: &health.OutlierOptions{Consecutive: 1}})
	p.Start(t.Context())
	soon(t, "the first is down", func() bool { return state(p) == "down up" })
	report(t, p, b, failure(500), 5)
	assert.Equal(t, "down up", state(p))
}

func TestABreakerOpensAndItsProbeCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, upstream.Options{Targets: targets("http://a"), Breaker: &breaker.Options{Failures: 3, Open: 10 * time.Second}})
		p.Start(t.Context())
		report(t, p, "http://a:80", upstream.Outcome{}, 20)
		report(t, p, "http://a:80", failure(500), 3)
		noBackend(t, p, upstream.Open)
		assert.Equal(t, breaker.Open, p.Status()[0].Breaker.State)

		time.Sleep(11 * time.Second)
		probe, err := p.Pick(get(), nil)
		require.NoError(t, err)
		noBackend(t, p, upstream.Open)
		probe.Done(upstream.Outcome{Kind: upstream.Neutral})
		probe, err = p.Pick(get(), nil)
		require.NoError(t, err, "the probe of a client that left makes room for the next")
		probe.Answered(upstream.Outcome{Kind: upstream.Success, Status: 200})
		assert.Equal(t, "up", state(p), "the head of a stream is enough")
		assert.Equal(t, 1, p.Status()[0].Active)
		probe.Done(upstream.Outcome{Kind: upstream.Success, Status: 200})
		assert.Zero(t, p.Status()[0].Active)
	})
}

func TestBreakersSurviveTheirPool(t *testing.T) {
	store := breaker.NewMemory()
	o := func() upstream.Options {
		return upstream.Options{Targets: targets("http://a"), Breaker: &breaker.Options{Failures: 1, Store: store}}
	}
	p := pool(t, o())
	p.Start(t.Context())
	report(t, p, "http://a:80", failure(500), 1)
	require.NoError(t, p.Close())
	p = pool(t, o())
	p.Start(t.Context())
	noBackend(t, p, upstream.Open)
}

func TestAnErrorOfDifferentCauses(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("http://a", "http://b"), Passive: &health.OutlierOptions{Consecutive: 1}})
	report(t, p, "http://a:80", failure(500), 1)
	require.NoError(t, p.Drain("http://b:80", true))
	assert.EqualError(t, noBackend(t, p, upstream.Mixed),
		`upstream "api": no backend can take the request: different causes; http://a:80 is ejected; http://b:80 is drained`)
}

func TestDoneCountsOnce(t *testing.T) {
	p := pool(t, upstream.Options{Targets: targets("http://a")})
	l, err := p.Pick(get(), nil)
	require.NoError(t, err)
	l.Answered(upstream.Outcome{Kind: upstream.Success, Status: 200})
	l.Done(failure(200))
	l.Done(failure(200))
	s := p.Status()[0]
	assert.Equal(t, 0, s.Active)
	assert.Equal(t, uint64(1), s.Requests)
	assert.Equal(t, uint64(1), s.Failures, "a body that breaks off after its head is a failure")
}

func TestSlowStartAfterADrainAndOfANewBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, upstream.Options{Targets: targets("http://a", "http://b"), SlowStart: time.Minute})
		p.Start(t.Context())
		share := func(name string) int {
			n := 0
			for range 1100 {
				if pick(t, p, get()) == name {
					n++
				}
			}
			return n
		}
		assert.Equal(t, 550, share("http://b:80"), "none when the pool begins")
		require.NoError(t, p.Drain("http://b:80", true))
		require.NoError(t, p.Drain("http://b:80", false))
		assert.InDelta(t, 100, share("http://b:80"), 3, "a tenth at first")
		time.Sleep(30 * time.Second)
		assert.InDelta(t, 367, share("http://b:80"), 3, "half of its weight after half of the time")
		time.Sleep(time.Minute)
		assert.Equal(t, 550, share("http://b:80"))
		require.NoError(t, p.Update(targets("http://a", "http://b", "http://c")))
		assert.InDelta(t, 1100*0.1/2.1, share("http://c:80"), 3, "a new one begins slowly too")
	})
}

func TestSlowStartAfterAnEjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool(t, upstream.Options{Targets: targets("http://a", "http://b"), SlowStart: time.Minute, Passive: &health.OutlierOptions{Consecutive: 1, Eject: 10 * time.Second}})
		report(t, p, "http://a:80", failure(500), 1)
		time.Sleep(10*time.Second + time.Millisecond)
		pick(t, p, get())
		pick(t, p, get()) // one of the two was the first to see that the time is over
		var got strings.Builder
		for range 110 {
			got.WriteString(pick(t, p, get())[7:8])
		}
		assert.Equal(t, 10, strings.Count(got.String(), "a"), got.String())
	})
}

func TestTheLastResortIsABackendThatIsHeldForDown(t *testing.T) {
	a, broken := switchable(t, "a")
	b := server(t, "b")
	p := pool(t, upstream.Options{Targets: targets(a, b), Health: &health.Check{Every: 10 * time.Millisecond, Timeout: 2 * time.Second, Up: 1, Down: 1}})
	p.Start(t.Context())
	assert.Nil(t, p.PickLast(get(), nil), "all are up: Pick is for them")
	broken.Store(true)
	soon(t, "a is down", func() bool { return state(p) == "down up" })
	first, err := p.Pick(get(), nil)
	require.NoError(t, err)
	tried := []*upstream.Backend{first.Backend}
	first.Done(upstream.Outcome{Kind: upstream.Failure})
	noBackend(t, p, upstream.Mixed, tried...)
	last := p.PickLast(get(), tried)
	require.NotNil(t, last)
	assert.Equal(t, a, last.Backend.Name())
	last.Done(upstream.Outcome{Kind: upstream.Success})
	assert.Nil(t, p.PickLast(get(), append(tried, last.Backend)), "not twice")
	require.NoError(t, p.Drain(a, true))
	assert.Nil(t, p.PickLast(get(), tried), "not what a person has taken out")
}
