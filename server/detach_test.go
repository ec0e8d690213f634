package server_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
	"rws/server/exchange"
)

// detached answers at once and does f in the background.
func detached(f http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r.Context()).User = "ann"
		exchange.From(r.Context()).Detach(r, time.Minute, f)
	})
}

func TestWhatGoesOnBehindAnAnswerKeepsTheAppOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed, done time.Duration
		start := time.Now()
		app := &server.App{
			Routes: []server.Route{{Method: "GET", Pattern: "/:id", Handler: detached(func(w http.ResponseWriter, r *http.Request) {
				e := exchange.From(r.Context())
				assert.Nil(t, e.User, "it is for nobody")
				id, _ := e.Params.Get("id")
				assert.Equal(t, "/:id 7", e.Route+" "+id)
				time.Sleep(5 * time.Second)
				assert.NoError(t, r.Context().Err(), "the answer is over, this is not")
				done = time.Since(start)
				panic("and it may fail")
			})}},
			Close: func(context.Context) error { closed = time.Since(start); return nil },
		}
		h, err := server.Compile(app)
		require.NoError(t, err)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/7", nil))
		assert.Zero(t, time.Since(start))
		assert.EqualValues(t, 1, h.Stats().Total, "it is no answer of its own")
		require.NoError(t, h.Close(t.Context()))
		assert.Equal(t, 5*time.Second, done)
		assert.Equal(t, 5*time.Second, closed)
	})
}

func TestWhatGoesOnBehindAnAnswerEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := make(chan error, 1)
		h, err := server.Compile(&server.App{Routes: []server.Route{{Method: "GET", Pattern: "/", Handler: detached(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			cause <- context.Cause(r.Context())
		})}}})
		require.NoError(t, err)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		assert.True(t, errors.Is(<-cause, context.DeadlineExceeded))
		require.NoError(t, h.Close(t.Context()))
	})
}

func TestWhatGoesOnBehindAnswersCanBeWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := server.Compile(&server.App{Routes: []server.Route{{Method: "GET", Pattern: "/", Handler: detached(func(http.ResponseWriter, *http.Request) {
			time.Sleep(5 * time.Second)
		})}}})
		require.NoError(t, err)
		defer h.Close(t.Context())
		require.NoError(t, h.Settle(t.Context()), "nothing goes on")
		start := time.Now()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.ErrorIs(t, h.Settle(short), context.DeadlineExceeded)
		time.Sleep(time.Second)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		require.NoError(t, h.Settle(t.Context()))
		assert.Equal(t, 7*time.Second, time.Since(start), "the last of both")
		require.NoError(t, h.Settle(t.Context()))
	})
}
