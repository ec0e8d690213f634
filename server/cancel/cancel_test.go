package cancel_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/cancel"
)

var errGone = errors.New("gone")

func TestItEndsOnce(t *testing.T) {
	var c cancel.Context
	require.NoError(t, c.Err())
	done := c.Done()
	assert.True(t, c.End(context.Canceled, errGone))
	assert.False(t, c.End(context.DeadlineExceeded, nil))
	<-done
	<-c.Done()
	assert.Equal(t, context.Canceled, c.Err())
	assert.Equal(t, errGone, context.Cause(&c))
}

func TestWithoutACauseItIsTheError(t *testing.T) {
	var c cancel.Context
	c.End(context.DeadlineExceeded, nil)
	assert.Equal(t, context.DeadlineExceeded, context.Cause(&c))
	<-c.Done()
}

func TestContextsBelowEndWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which would see a goroutine that stays
		var c cancel.Context
		before, stop := context.WithCancel(&c)
		defer stop()
		timed, stop := context.WithTimeout(&c, time.Hour)
		defer stop()
		unasked, stop := context.WithCancel(&c)
		stop()
		c.End(context.Canceled, errGone)
		<-before.Done()
		<-timed.Done()
		after, stop := context.WithCancel(&c)
		defer stop()
		for name, below := range map[string]context.Context{"before": before, "timed": timed, "after": after} {
			assert.Equal(t, context.Canceled, below.Err(), name)
			assert.Equal(t, errGone, context.Cause(below), name)
		}
		assert.Equal(t, context.Canceled, context.Cause(unasked))
	})
}

func TestHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c cancel.Context
		var mu sync.Mutex
		called := map[string]int{}
		note := func(name string) func() {
			return func() { mu.Lock(); defer mu.Unlock(); called[name]++ }
		}
		first := c.AfterFunc(note("first"))
		second := c.AfterFunc(note("second"))
		c.AfterFunc(note("third"))
		assert.True(t, second(), "prevented")
		assert.False(t, second(), "once")
		c.End(context.Canceled, nil)
		late := c.AfterFunc(note("late"))
		synctest.Wait()
		assert.Equal(t, map[string]int{"first": 1, "third": 1, "late": 1}, called)
		assert.False(t, first(), "too late")
		assert.False(t, late())
	})
}

func TestAfter(t *testing.T) {
	var own cancel.Context
	standard, end := context.WithCancel(t.Context())
	defer end()
	for _, parent := range []context.Context{&own, standard} {
		called := make(chan struct{})
		cancel.After(parent, func() { close(called) })
		own.End(context.Canceled, nil)
		end()
		<-called
	}
	assert.False(t, cancel.After(context.Background(), func() { t.Error("the background ended") })())
}

func TestEndAndStopAtTheSameTime(t *testing.T) {
	for range 1000 {
		var c cancel.Context
		called := make(chan struct{})
		stop := c.AfterFunc(func() { close(called) })
		go c.End(context.Canceled, nil)
		if !stop() {
			<-called
		}
	}
}

func BenchmarkWait(b *testing.B) {
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		var parent cancel.Context
		for b.Loop() {
			var c cancel.Context
			stop := cancel.After(&parent, func() { c.End(context.Canceled, nil) })
			_ = c.Done()
			stop()
		}
	})
	b.Run("standard", func(b *testing.B) {
		b.ReportAllocs()
		parent, end := context.WithCancel(b.Context())
		defer end()
		for b.Loop() {
			c, stop := context.WithCancel(parent)
			_ = c.Done()
			stop()
		}
	})
}
