package health_test

import (
	"context"
	"errors"
	"log/slog"
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
	"go.uber.org/goleak"

	"rws/server/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ask(h http.Handler, method string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "/readyz", nil))
	return w
}

func quiet(t *testing.T, checks ...health.Check) *health.Health {
	t.Helper()
	h, err := health.New(health.Options{Logger: slog.New(slog.DiscardHandler)}, checks...)
	require.NoError(t, err)
	return h
}

func TestReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fault error
		var log strings.Builder
		o := health.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
		h, err := health.New(o,
			health.Check{Name: "db", Probe: func(context.Context) error { time.Sleep(3 * time.Millisecond); return fault }},
			health.Check{Name: "self", Live: true, Probe: func(context.Context) error { return nil }})
		require.NoError(t, err)
		w := ask(h.ReadyHandler(), "GET")
		assert.Equal(t, 200, w.Code)
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		assert.JSONEq(t, `{"status":"ok","checks":{"db":{"status":"ok","ms":3},"self":{"status":"ok","ms":0}}}`, w.Body.String())
		fault = errors.New("password=hunter2 refused")
		assert.Equal(t, 200, ask(h.ReadyHandler(), "GET").Code, "a result is good for a second")
		time.Sleep(time.Second)
		w = ask(h.ReadyHandler(), "GET")
		assert.Equal(t, 503, w.Code)
		assert.JSONEq(t, `{"status":"fail","checks":{"db":{"status":"fail","ms":3},"self":{"status":"ok","ms":0}}}`, w.Body.String())
		assert.Contains(t, log.String(), "hunter2", "who operates it may know")
		assert.JSONEq(t, `{"status":"ok","checks":{"self":{"status":"ok","ms":0}}}`, ask(h.LiveHandler(), "GET").Body.String())
		time.Sleep(time.Second)
		ask(h.ReadyHandler(), "GET")
		assert.Equal(t, 1, strings.Count(log.String(), "check fails"), "once")
		fault = nil
		time.Sleep(time.Second)
		assert.Equal(t, 200, ask(h.ReadyHandler(), "GET").Code)
		assert.Contains(t, log.String(), "works again")
		h.Leave()
		assert.Equal(t, 503, ask(h.ReadyHandler(), "GET").Code)
		assert.JSONEq(t, `{"status":"leaving"}`, ask(h.ReadyHandler(), "GET").Body.String())
		assert.Equal(t, 200, ask(h.LiveHandler(), "GET").Code, "or it would be killed while it finishes")
	})
}

func TestManyAskersShareAProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		h := quiet(t, health.Check{Name: "a", Probe: func(context.Context) error { runs.Add(1); time.Sleep(time.Second); return nil }})
		var work sync.WaitGroup
		for range 50 {
			work.Go(func() { assert.Equal(t, 200, ask(h.ReadyHandler(), "GET").Code) })
		}
		work.Wait()
		assert.EqualValues(t, 1, runs.Load())
	})
}

func TestAProbeThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		hang := make(chan struct{})
		h := quiet(t, health.Check{Name: "a", Timeout: time.Second, Probe: func(context.Context) error { runs.Add(1); <-hang; return nil }})
		for range 3 {
			start := time.Now()
			assert.Equal(t, 503, ask(h.ReadyHandler(), "GET").Code)
			assert.LessOrEqual(t, time.Since(start), time.Second)
			time.Sleep(5 * time.Second)
		}
		assert.EqualValues(t, 1, runs.Load(), "it is not started again while it hangs")
		close(hang)
		synctest.Wait()
		assert.Equal(t, 200, ask(h.ReadyHandler(), "GET").Code)
	})
}

func TestAProbeThatPanicsFails(t *testing.T) {
	h := quiet(t, health.Check{Name: "a", Probe: func(context.Context) error { panic("x") }})
	assert.Equal(t, 503, ask(h.ReadyHandler(), "GET").Code)
	assert.ErrorContains(t, h.Ready(t.Context())[0].Err, "panic: x")
	assert.Empty(t, ask(h.ReadyHandler(), "HEAD").Body.String())
	assert.Equal(t, 405, ask(h.ReadyHandler(), "POST").Code)
}

func TestChecksAreChecked(t *testing.T) {
	ok := func(context.Context) error { return nil }
	for part, checks := range map[string][]health.Check{
		"want a name":      {{Name: "a b", Probe: ok}},
		"two of that name": {{Name: "a", Probe: ok}, {Name: "a", Probe: ok}},
		"probes nothing":   {{Name: "a"}},
		"not be negative":  {{Name: "a", Probe: ok, Timeout: -1}},
	} {
		_, err := health.New(health.Options{}, checks...)
		assert.ErrorContains(t, err, part)
	}
}
