package breaker_test

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/proxy/breaker"
	"rws/spec_test/logtext"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logs is a log to look into.
type logs struct{ logtext.Buffer }

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func set(t testing.TB, o breaker.Options) *breaker.Set {
	t.Helper()
	if o.Logger == nil {
		o.Logger = new(logs).logger()
	}
	s, err := breaker.New(o)
	require.NoError(t, err)
	return s
}

// send asks for a permit and returns it at once; it reports whether there was one.
func send(b *breaker.Breaker, r breaker.Result) bool {
	p, ok := b.Allow()
	p.Done(r)
	return ok
}

func trip(t testing.TB, b *breaker.Breaker) {
	t.Helper()
	for range 1000 {
		if !send(b, breaker.Failure) {
			return
		}
	}
	t.Fatal("the breaker does not open")
}

func TestFailuresInARowOpenIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(logs)
		b := set(t, breaker.Options{Name: "api", Logger: log.logger()}).Breaker("a")
		for range 4 {
			assert.True(t, send(b, breaker.Failure))
		}
		assert.True(t, send(b, breaker.Success))
		for range 4 {
			assert.True(t, send(b, breaker.Failure))
			assert.True(t, send(b, breaker.Neutral), "which is neither a failure nor a success")
		}
		assert.Equal(t, breaker.Closed, b.State())
		assert.True(t, send(b, breaker.Failure), "the fifth")
		assert.Equal(t, breaker.Open, b.State())
		assert.False(t, b.Ready())
		assert.False(t, send(b, breaker.Success))
		assert.Contains(t, log.String(), `level=WARN msg="circuit breaker open" pool=api backend=a from=closed why="failures in a row" failures=5 for=30s`)
	})
}

func TestAfterAWhileItIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []string
		b := set(t, breaker.Options{OnChange: func(c breaker.Change) {
			heard = append(heard, fmt.Sprint(c.From, " ", c.To, " ", c.Why))
		}}).Breaker("a")
		trip(t, b)
		time.Sleep(30*time.Second - time.Nanosecond)
		assert.False(t, b.Ready())
		time.Sleep(time.Nanosecond)
		assert.True(t, b.Ready())
		assert.Equal(t, breaker.HalfOpen, b.State())

		first, ok := b.Allow()
		require.True(t, ok)
		assert.False(t, b.Ready(), "one at a time")
		assert.False(t, send(b, breaker.Success))
		first.Done(breaker.Failure)
		assert.Equal(t, breaker.Open, b.State(), "for another 30 s")

		time.Sleep(30 * time.Second)
		assert.True(t, send(b, breaker.Success))
		assert.Equal(t, breaker.Closed, b.State())
		for range 4 {
			assert.True(t, send(b, breaker.Failure), "it is counted anew")
		}
		assert.True(t, b.Ready())
		assert.Equal(t, []string{
			"closed open failures in a row", "open half-open ", "half-open open probe failed",
			"open half-open ", "half-open closed probe succeeded",
		}, heard)
	})
}

func TestSeveralProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := set(t, breaker.Options{Probes: 2, Successes: 3}).Breaker("a")
		trip(t, b)
		time.Sleep(30 * time.Second)
		first, ok := b.Allow()
		require.True(t, ok)
		second, ok := b.Allow()
		require.True(t, ok)
		_, ok = b.Allow()
		require.False(t, ok)
		first.Done(breaker.Success)
		second.Done(breaker.Success)
		assert.Equal(t, breaker.HalfOpen, b.State())
		first.Done(breaker.Success)
		assert.Equal(t, breaker.HalfOpen, b.State(), "a permit is returned once")
		assert.True(t, send(b, breaker.Success))
		assert.Equal(t, breaker.Closed, b.State())
	})
}

// A client that goes away during a probe has not tried the backend.
func TestANeutralProbeIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := set(t, breaker.Options{}).Breaker("a")
		trip(t, b)
		time.Sleep(30 * time.Second)
		assert.True(t, send(b, breaker.Neutral))
		assert.Equal(t, breaker.HalfOpen, b.State())
		assert.True(t, send(b, breaker.Success))
		assert.Equal(t, breaker.Closed, b.State())
	})
}

func TestAProbeWhoseCallerVanishesIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := set(t, breaker.Options{ProbeTimeout: 10 * time.Second}).Breaker("a")
		trip(t, b)
		time.Sleep(30 * time.Second)
		lost, ok := b.Allow()
		require.True(t, ok)
		time.Sleep(10*time.Second - time.Nanosecond)
		assert.False(t, b.Ready())
		time.Sleep(time.Nanosecond)
		next, ok := b.Allow()
		require.True(t, ok)
		lost.Done(breaker.Success)
		assert.Equal(t, breaker.HalfOpen, b.State(), "too slow to be a sign of health")
		lost.Done(breaker.Failure)
		assert.Equal(t, breaker.Open, b.State(), "but not to be one of illness")
		next.Done(breaker.Success)
		assert.Equal(t, breaker.Open, b.State(), "that was of an earlier time")
	})
}

// The answer to a probe matters while the breaker that sent it is half-open.
func TestLateProbesDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := set(t, breaker.Options{Probes: 2}).Breaker("a")
		trip(t, b)
		time.Sleep(30 * time.Second)
		slow, ok := b.Allow()
		require.True(t, ok)
		assert.True(t, send(b, breaker.Success))
		slow.Done(breaker.Failure)
		assert.Equal(t, breaker.Closed, b.State())
	})
}

func TestSuccessesOfProbesAreOfOneTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := set(t, breaker.Options{Successes: 3}).Breaker("a")
		trip(t, b)
		time.Sleep(30 * time.Second)
		send(b, breaker.Success)
		send(b, breaker.Success)
		send(b, breaker.Failure)
		time.Sleep(30 * time.Second)
		send(b, breaker.Success)
		assert.Equal(t, breaker.HalfOpen, b.State())
		send(b, breaker.Success)
		send(b, breaker.Success)
		assert.Equal(t, breaker.Closed, b.State())
	})
}

func TestLateAnswersDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := set(t, breaker.Options{}).Breaker("a")
		var late []breaker.Permit
		for range 20 {
			p, ok := b.Allow()
			require.True(t, ok)
			late = append(late, p)
		}
		trip(t, b)
		time.Sleep(20 * time.Second)
		for _, p := range late[:10] {
			p.Done(breaker.Failure)
		}
		time.Sleep(10 * time.Second)
		assert.True(t, b.Ready(), "failures while it was open do not make it longer")
		assert.True(t, send(b, breaker.Success))
		for _, p := range late[10:] {
			p.Done(breaker.Failure)
		}
		assert.Equal(t, breaker.Closed, b.State(), "nor do they open it again")
		for range 4 {
			send(b, breaker.Failure)
		}
		assert.Equal(t, breaker.Closed, b.State(), "nor are they counted")
	})
}

func TestAShareOfFailuresOpensIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := set(t, breaker.Options{Ratio: 0.5, Minimum: 20, Window: 10 * time.Second})
		b := s.Breaker("a")
		for range 19 {
			send(b, breaker.Failure)
		}
		assert.Equal(t, breaker.Closed, b.State(), "too few to judge by")
		assert.Equal(t, breaker.Status{Name: "a", Failures: 19, Requests: 19}, s.Status()[0])
		time.Sleep(10 * time.Second) // they are forgotten
		for range 30 {
			send(b, breaker.Success)
		}
		for range 29 {
			send(b, breaker.Failure)
		}
		assert.Equal(t, breaker.Closed, b.State(), "29 of 59")
		send(b, breaker.Failure)
		assert.Equal(t, breaker.Open, b.State(), "30 of 60")
		assert.Equal(t, breaker.Status{
			Name: "a", State: breaker.Open, Since: time.Now(), Until: time.Now().Add(30 * time.Second), Failures: 30,
		}, s.Status()[0])
	})
}

func TestReset(t *testing.T) {
	b := set(t, breaker.Options{}).Breaker("a")
	trip(t, b)
	b.Reset()
	assert.Equal(t, breaker.Closed, b.State())
	assert.True(t, send(b, breaker.Success))
}

func TestBreakersOfASet(t *testing.T) {
	s := set(t, breaker.Options{Failures: 1})
	b := s.Breaker("b")
	require.Same(t, b, s.Breaker("b"))
	trip(t, b)
	assert.True(t, s.Breaker("a").Ready(), "each is for itself")
	status := s.Status()
	require.Len(t, status, 2)
	assert.Equal(t, []string{"a", "b"}, []string{status[0].Name, status[1].Name})
	s.Remove("b")
	assert.True(t, s.Breaker("b").Ready())
}

func TestOptionsThatCannotBe(t *testing.T) {
	for want, o := range map[string]breaker.Options{
		"-1 failures cannot open it":       {Failures: -1},
		"the ratio of failures is 50":      {Ratio: 50},
		"both failures (5) and a ratio":    {Failures: 5, Ratio: 0.5},
		"minimum (0), probes (-1)":         {Probes: -1},
		"window (0s), open (-1s)":          {Open: -time.Second},
		"probe timeout (0s) and refresh (": {Refresh: -1},
	} {
		_, err := breaker.New(o)
		assert.ErrorContains(t, err, want)
	}
}

func TestAZeroPermitDoesNothing(*testing.T) { breaker.Permit{}.Done(breaker.Failure) }

// However many ask at the same time, a half-open breaker lets through what it may.
func TestProbesAmongMany(t *testing.T) {
	s := set(t, breaker.Options{Failures: 1, Open: time.Millisecond, Probes: 3, Successes: 100})
	b := s.Breaker("a")
	var now, most atomic.Int32
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for i := range 2000 {
				probing := b.State() == breaker.HalfOpen
				p, ok := b.Allow()
				if ok && probing && b.State() == breaker.HalfOpen {
					most.Store(max(most.Load(), now.Add(1)))
					now.Add(-1)
				}
				if i%500 == 0 {
					p.Done(breaker.Failure)
				} else {
					p.Done(breaker.Success)
				}
			}
		})
	}
	work.Wait()
	assert.LessOrEqual(t, most.Load(), int32(3))
	assert.LessOrEqual(t, s.Status()[0].Probes, 3)
}

func BenchmarkClosed(b *testing.B) {
	for name, o := range map[string]breaker.Options{"row": {}, "ratio": {Ratio: 0.5}} {
		b.Run(name, func(b *testing.B) {
			br := set(b, o).Breaker("a")
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					permit, ok := br.Allow()
					if !ok {
						b.Error("it is open")
					}
					permit.Done(breaker.Success)
				}
			})
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	br := set(b, breaker.Options{}).Breaker("a")
	trip(b, br)
	b.ReportAllocs()
	for b.Loop() {
		if br.Ready() {
			b.Fatal("it is not open")
		}
	}
}
