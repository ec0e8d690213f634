package window_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"rws/server/proxy/window"
)

func sum(t *testing.T, c *window.Counts, all, failed int) {
	t.Helper()
	a, f := c.Sum()
	assert.Equal(t, []int{all, failed}, []int{a, f}, "all and failed")
}

func TestCountsFallOutOfTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := window.New(10 * time.Second)
		sum(t, c, 0, 0)
		c.Add(true)
		c.Add(false)
		sum(t, c, 2, 1)
		time.Sleep(5 * time.Second)
		c.Add(true)
		sum(t, c, 3, 2)
		time.Sleep(4 * time.Second)
		sum(t, c, 3, 2)
		time.Sleep(time.Second)
		sum(t, c, 1, 1)
		time.Sleep(5 * time.Second)
		sum(t, c, 0, 0)
	})
}

func TestALongPauseLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := window.New(10 * time.Second)
		for range 20 {
			c.Add(true)
			time.Sleep(time.Second)
		}
		sum(t, c, 9, 9)
		for _, pause := range []time.Duration{10 * time.Second, 100 * time.Second, time.Hour} {
			c.Add(true)
			time.Sleep(pause)
			sum(t, c, 0, 0)
		}
	})
}

func TestResetForgets(t *testing.T) {
	c := window.New(time.Hour)
	c.Add(true)
	c.Reset()
	sum(t, c, 0, 0)
	c.Add(false)
	sum(t, c, 1, 0)
}

// The count of a slice ends before it could run into that of the failures.
func TestASliceIsFullBeforeItOverflows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := window.New(time.Hour)
		for range 300_000 {
			c.Add(true)
		}
		sum(t, c, 1<<18-1, 1<<18-1)
	})
}

func TestNothingIsLostAmongMany(t *testing.T) {
	c := window.New(time.Hour)
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for range 10_000 {
				c.Add(i%2 == 0)
			}
		})
	}
	work.Wait()
	sum(t, c, 80_000, 40_000)
}

func BenchmarkAdd(b *testing.B) {
	c := window.New(10 * time.Second)
	b.ReportAllocs()
	for b.Loop() {
		c.Add(false)
	}
}
