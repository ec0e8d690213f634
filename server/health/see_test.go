package health_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/health"
)

func TestWhoSeesTheChecks(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	h, err := health.New(health.Options{Detail: true, Logger: quiet, See: func(r *http.Request) bool { return r.Header.Get("X-Me") != "" }},
		health.Check{Name: "db", Probe: func(context.Context) error { return errors.New("10.0.0.7 is gone") }})
	require.NoError(t, err)
	ask := func(h *health.Health, me string) string {
		r := httptest.NewRequest("GET", "/readyz", nil)
		r.Header.Set("X-Me", me)
		w := httptest.NewRecorder()
		h.ReadyHandler().ServeHTTP(w, r)
		assert.Equal(t, 503, w.Code)
		return w.Body.String()
	}
	assert.JSONEq(t, `{"status":"fail"}`, ask(h, ""))
	assert.Contains(t, ask(h, "yes"), "10.0.0.7 is gone")
	inside := h.With(health.Options{Logger: quiet})
	assert.Contains(t, ask(inside, ""), `"db":{"status":"fail"`)
	assert.NotContains(t, ask(inside, ""), "10.0.0.7")
	h.Leave()
	assert.JSONEq(t, `{"status":"leaving"}`, ask(inside, ""))
}
