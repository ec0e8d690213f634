package server_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
	"rws/server/metrics"
)

func saying(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func TestASideHasAHandlerOfItsOwn(t *testing.T) {
	app := func(text string, addrs ...string) *server.App {
		a := &server.App{Settings: server.Settings{Listen: []string{"127.0.0.1:0"}}, Routes: []server.Route{{Method: "GET", Pattern: "/", Handler: saying("app")}}}
		for _, addr := range addrs {
			a.Sides = append(a.Sides, server.Side{Listen: addr, Handler: saying(text)})
		}
		return a
	}
	s := server.New(server.Options{Logger: slog.New(slog.DiscardHandler)})
	assert.Error(t, s.Start(t.Context(), app("x", "127.0.0.1:0", "256.0.0.1:0")))
	require.NoError(t, s.Start(t.Context(), app("one", "127.0.0.1:0")))
	get := func(addr string) string {
		res, err := http.Get("http://" + addr + "/")
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(body)
	}
	side := s.SideAddrs()[0].String()
	assert.Equal(t, "one", get(side))
	assert.Equal(t, "app", get(s.Addrs()[0].String()))
	require.NoError(t, s.Swap(app("two", "127.0.0.1:0")))
	assert.Equal(t, "two", get(side), "the address is the same, the handler is new")
	assert.ErrorContains(t, s.Swap(app("three")), "Sides")
	assert.Equal(t, "two", get(side))
	http.DefaultClient.CloseIdleConnections()
	require.NoError(t, s.Shutdown(t.Context()))
	_, err := http.Get("http://" + side + "/")
	assert.Error(t, err)
}

func TestRequestsAreCountedByPatternAndNeverByPath(t *testing.T) {
	m, err := metrics.New(metrics.Options{})
	require.NoError(t, err)
	h, err := server.Compile(&server.App{Metrics: m, Routes: []server.Route{
		{Method: "GET", Pattern: "/notes/:id", Handler: saying("x")},
		{Method: "GET", Pattern: "/panic", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") })},
	}})
	require.NoError(t, err)
	ask := func(method, path string) { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil)) }
	for i := range 100 {
		ask("GET", fmt.Sprintf("/notes/%d", i))
		ask("GET", fmt.Sprintf("/missing/%d", i))
		ask(fmt.Sprintf("X%d", i), "/notes/1")
	}
	ask("GET", "/panic")
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`http_requests_total{method="GET",route="/notes/:id",status="2xx"} 100`,
		`http_requests_total{method="GET",route="",status="4xx"} 100`,
		`http_requests_total{method="other",route="",status="4xx"} 100`,
		`http_requests_total{method="GET",route="/panic",status="5xx"} 1`,
		`http_requests_in_flight 0`,
	} {
		assert.Contains(t, w.Body.String(), line+"\n")
	}
	assert.NotContains(t, w.Body.String(), "missing")
}
