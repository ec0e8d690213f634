package exchange_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/exchange"
)

func TestLeavingAndStopping(t *testing.T) {
	none := under(t.Context(), nil)
	assert.Nil(t, none.Leaving())
	assert.Nil(t, none.Stopping())
	assert.Zero(t, none.LastWords())
	none.Outlive()
	assert.NoError(t, none.Err())
	leaving, stopping := make(chan struct{}), make(chan struct{})
	e := under(t.Context(), &exchange.Life{Leaving: leaving, Stopping: stopping, LastWords: time.Second})
	assert.Equal(t, time.Second, e.LastWords())
	close(leaving)
	<-e.Leaving()
	select {
	case <-e.Stopping():
		t.Fatal("the server goes on")
	default:
	}
	close(stopping)
	<-e.Stopping()
}

func TestOutlive(t *testing.T) {
	errReplaced, errStopped := errors.New("replaced"), errors.New("stopped")
	for name, watched := range map[string]func(*exchange.Exchange){
		"nobody waits":   func(*exchange.Exchange) {},
		"waits before":   func(e *exchange.Exchange) { e.Done(); e.Outlive() },
		"waits after":    func(e *exchange.Exchange) { e.Outlive(); e.Done() },
		"asks it twice":  func(e *exchange.Exchange) { e.Done(); e.Outlive(); e.Outlive() },
		"has a deadline": func(e *exchange.Exchange) { e.Limit(time.Hour); e.Done() },
	} {
		t.Run(name, func(t *testing.T) {
			force, replace := context.WithCancelCause(context.Background())
			last, stop := context.WithCancelCause(context.Background())
			defer stop(nil)
			life := &exchange.Life{Force: force, Last: last}
			e, other := under(context.Background(), life), under(context.Background(), life)
			watched(e)
			e.Outlive()
			assert.EqualValues(t, 1, life.Outliving())
			replace(errReplaced)
			<-other.Done()
			assert.Equal(t, errReplaced, context.Cause(other))
			require.NoError(t, e.Err())
			other.Outlive()
			assert.EqualValues(t, 1, life.Outliving(), "too late")
			stop(errStopped)
			<-e.Done()
			assert.Equal(t, errStopped, context.Cause(e))
			e.End()
			assert.Zero(t, life.Outliving())
			e.Outlive()
			e.End()
			assert.Zero(t, life.Outliving())
		})
	}
}
