package health_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/health"
)

func outlier(t testing.TB, o health.OutlierOptions, ids ...string) (*health.Outlier, *logs) {
	t.Helper()
	log := new(logs)
	o.Logger = log.logger()
	outlier, err := health.NewOutlier(o)
	require.NoError(t, err)
	outlier.Update(ids)
	return outlier, log
}

func report(o *health.Outlier, id string, failures int) {
	for range failures {
		o.Report(id, true)
	}
}

func ejected(o *health.Outlier) (list []string) {
	for _, s := range o.Status() {
		if s.Ejected {
			list = append(list, s.ID)
		}
	}
	return list
}

func TestFailuresInARowEject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, log := outlier(t, health.OutlierOptions{Name: "api"}, "a", "b", "c")
		report(o, "a", 4)
		o.Report("a", false)
		report(o, "a", 4)
		assert.False(t, o.Ejected("a"), "a success between them")
		report(o, "a", 1)
		assert.True(t, o.Ejected("a"))
		assert.Equal(t, []string{"a"}, ejected(o))
		assert.Contains(t, log.String(), `level=WARN msg="backend is ejected" pool=api backend=a why="failures in a row" failures=5 for=30s ejections=1`)

		time.Sleep(30*time.Second - time.Nanosecond)
		assert.True(t, o.Ejected("a"))
		time.Sleep(time.Nanosecond)
		assert.False(t, o.Ejected("a"))
		assert.Contains(t, log.String(), `msg="backend is no longer ejected" pool=api backend=a why="the time is over"`)
		report(o, "a", 4)
		assert.False(t, o.Ejected("a"), "it is counted anew")
	})
}

func TestFailuresInAWindowEject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := outlier(t, health.OutlierOptions{Failures: 5, Window: 10 * time.Second}, "a", "b")
		for range 20 { // 3 failures in 10 s at most
			report(o, "a", 1)
			o.Report("a", false)
			time.Sleep(4 * time.Second)
		}
		assert.False(t, o.Ejected("a"))
		for range 5 {
			report(o, "a", 1)
			o.Report("a", false)
		}
		assert.True(t, o.Ejected("a"), "although there are successes between them")
	})
}

func TestAShareOfFailuresEjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, log := outlier(t, health.OutlierOptions{Share: 0.5, Minimum: 20}, "a", "b", "c", "d", "e", "f")
		report(o, "a", 19)
		assert.False(t, o.Ejected("a"), "too few to judge by")
		report(o, "a", 1)
		assert.True(t, o.Ejected("a"))
		for range 1000 {
			o.Report("b", false)
			o.Report("b", false)
			o.Report("b", true)
		}
		assert.False(t, o.Ejected("b"), "a third is not half")
		assert.Contains(t, log.String(), `why="share of failures"`)

		both, _ := outlier(t, health.OutlierOptions{Failures: 30, Share: 0.5, Minimum: 1}, "a", "b")
		report(both, "a", 29)
		assert.False(t, both.Ejected("a"), "with both, both are needed")
		report(both, "a", 1)
		assert.True(t, both.Ejected("a"))
	})
}

func TestEachEjectionIsLongerUpToALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := outlier(t, health.OutlierOptions{Eject: 10 * time.Second, MaxEject: 35 * time.Second}, "a", "b")
		for _, want := range []time.Duration{10, 20, 30, 35, 35} {
			begin := time.Now()
			report(o, "a", 5)
			for o.Ejected("a") {
				time.Sleep(time.Second)
			}
			assert.Equal(t, want*time.Second, time.Since(begin))
		}
		assert.Equal(t, 5, o.Status()[0].Ejections)
		time.Sleep(30 * time.Second) // three times Eject without another: three are forgiven
		report(o, "a", 5)
		assert.Equal(t, 3, o.Status()[0].Ejections)
	})
}

func TestNeverTooManyAreEjected(t *testing.T) {
	for _, c := range []struct {
		backends int
		share    float64
		want     int
	}{
		{1, 1, 0}, // the only one
		{2, 0.5, 1}, {2, 1, 1}, {2, 0.1, 1},
		{3, 0.5, 1}, {3, 1, 2},
		{10, 0, 5}, {10, 0.3, 3}, {10, 0.01, 1}, {10, 1, 9},
	} {
		ids := make([]string, c.backends)
		for i := range ids {
			ids[i] = fmt.Sprint("b", i)
		}
		o, _ := outlier(t, health.OutlierOptions{MaxEjected: c.share}, ids...)
		for _, id := range ids {
			report(o, id, 50)
		}
		assert.Len(t, ejected(o), c.want, "%d backends, %v", c.backends, c.share)
	}
}

func TestThereIsRoomAgainWhenOneIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := outlier(t, health.OutlierOptions{}, "a", "b")
		report(o, "a", 5)
		report(o, "b", 50)
		assert.False(t, o.Ejected("b"))
		time.Sleep(30 * time.Second) // nobody has asked for a meanwhile
		report(o, "b", 1)
		assert.Equal(t, []string{"b"}, ejected(o))
		assert.False(t, o.Ejected("a"))
	})
}

// What active checks have found down is not left to send requests to.
func TestOneThatIsUpIsLeft(t *testing.T) {
	o, _ := outlier(t, health.OutlierOptions{MaxEjected: 1}, "a", "b", "c")
	o.Mark("b", true)
	o.Mark("c", true)
	report(o, "a", 5)
	assert.False(t, o.Ejected("a"))
	o.Mark("c", false)
	report(o, "a", 1)
	assert.True(t, o.Ejected("a"))
}

func TestTheOnlyBackendIsEjectedIfAsked(t *testing.T) {
	o, _ := outlier(t, health.OutlierOptions{Alone: true}, "a")
	report(o, "a", 5)
	assert.True(t, o.Ejected("a"))
}

func TestASuccessfulCheckTakesItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []string
		o, _ := outlier(t, health.OutlierOptions{OnEject: func(id string, ejected bool) { heard = append(heard, fmt.Sprint(id, " ", ejected)) }}, "a", "b")
		o.Revive("a")
		report(o, "a", 5)
		o.Revive("b")
		o.Revive("other")
		assert.True(t, o.Ejected("a"))
		o.Revive("a")
		assert.False(t, o.Ejected("a"))
		assert.Equal(t, []string{"a true", "a false"}, heard)
		report(o, "a", 5)
		time.Sleep(59 * time.Second)
		assert.True(t, o.Ejected("a"), "but it is remembered: 60 s")
		time.Sleep(time.Second)
		assert.False(t, o.Ejected("a"))
	})
}

func TestAnswersFromBeforeAnEjectionDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := outlier(t, health.OutlierOptions{}, "a", "b", "c")
		report(o, "a", 50)
		time.Sleep(30 * time.Second)
		assert.False(t, o.Ejected("a"))
		assert.Zero(t, o.Status()[0].Consecutive)
	})
}

func TestOutliersComeAndGo(t *testing.T) {
	o, _ := outlier(t, health.OutlierOptions{}, "a", "b", "c")
	report(o, "a", 5)
	host := o.Host("b")
	o.Update([]string{"a", "d", "c"})
	assert.True(t, o.Ejected("a"), "what is known is kept")
	for range 50 {
		host.Report(true)
	}
	assert.False(t, host.Ejected(), "who is gone is not ejected")
	assert.Nil(t, o.Host("b"))
	o.Report("b", true)
	assert.False(t, o.Ejected("b"))
}

func TestOutlierOptions(t *testing.T) {
	for want, o := range map[string]health.OutlierOptions{
		"the share of failures is 2":                    {Share: 2},
		"the share of backends that may be ejected is ": {MaxEjected: 50},
		"consecutive (-1)":                              {Consecutive: -1},
		"window (-1ns)":                                 {Window: -1},
	} {
		_, err := health.NewOutlier(o)
		assert.ErrorContains(t, err, want)
	}
}

// However many report at the same time, the limit holds.
func TestTheLimitHoldsAmongMany(t *testing.T) {
	ids := []string{"a", "b", "c", "d"}
	o, _ := outlier(t, health.OutlierOptions{Consecutive: 3, Failures: 10, Share: 0.9, Minimum: 10}, ids...)
	var work sync.WaitGroup
	for _, id := range slices.Repeat(ids, 4) {
		work.Go(func() {
			for range 1000 {
				o.Report(id, true)
				assert.LessOrEqual(t, len(ejected(o)), 2)
			}
		})
	}
	work.Wait()
	assert.Len(t, ejected(o), 2)
}

func BenchmarkReportSuccess(b *testing.B) {
	for name, o := range map[string]health.OutlierOptions{
		"row": {}, "window": {Share: 0.5},
	} {
		b.Run(name, func(b *testing.B) {
			o, _ := outlier(b, o, "a", "b")
			h := o.Host("a")
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if !h.Ejected() {
						h.Report(false)
					}
				}
			})
		})
	}
	b.Run("by name", func(b *testing.B) {
		o, _ := outlier(b, health.OutlierOptions{}, "a", "b")
		b.ReportAllocs()
		for b.Loop() {
			if !o.Ejected("a") {
				o.Report("a", false)
			}
		}
	})
}
