package middleware_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/exchange"
	"rws/server/logs"
	"rws/server/metrics"
	"rws/server/middleware"
)

// wrappers are all middleware that wrap the writer.
func wrappers(t *testing.T) map[string]middleware.Func {
	log := logs.NewAccess(io.Discard, logs.Options{})
	t.Cleanup(func() { assert.NoError(t, log.Close()) })
	return map[string]middleware.Func{
		"access log": middleware.AccessLog(log),
		"compress":   must(middleware.Compress(middleware.CompressOptions{}))(t),
		"headers":    must(middleware.Headers(middleware.HeadersOptions{Response: middleware.HeaderRules{Set: map[string]string{"X-A": "1"}}}))(t),
		"timeout":    must(middleware.Timeout(time.Hour))(t),
	}
}

func TestWrappersKeepWhatTheConnectionCanDo(t *testing.T) {
	for name, wrap := range wrappers(t) {
		server := httptest.NewServer(wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			switch r.URL.Path {
			case "/hijack":
				conn, rw, err := control.Hijack()
				if assert.NoError(t, err, name) {
					_, _ = rw.WriteString("HTTP/1.1 299 Mine\r\nConnection: close\r\n\r\n")
					_ = rw.Flush()
					conn.Close()
				}
			case "/flush":
				_, _ = io.WriteString(w, "x")
				assert.NoError(t, control.Flush(), name)
				w.(http.Flusher).Flush()
			case "/read":
				_, ok := w.(io.ReaderFrom)
				assert.True(t, ok, name)
				n, err := io.Copy(w, strings.NewReader(strings.Repeat("x", 5000)))
				assert.NoError(t, err, name)
				assert.EqualValues(t, 5000, n, name)
			case "/hints":
				w.Header().Set("Link", "</a.css>; rel=preload")
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(201)
			}
			if r.URL.Path != "/hijack" {
				assert.NoError(t, control.SetReadDeadline(time.Time{}), name)
				assert.NoError(t, control.SetWriteDeadline(time.Time{}), name)
				assert.NoError(t, control.EnableFullDuplex(), name)
			}
		})))
		for path, want := range map[string]string{"/hijack": "299", "/flush": "200", "/read": "200", "/hints": "103"} {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			require.NoError(t, err)
			require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
			_, err = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			require.NoError(t, err)
			lines := bufio.NewReader(conn)
			first, err := lines.ReadString('\n')
			require.NoError(t, err)
			assert.Equal(t, want, first[9:12], "%s %s", name, path)
			rest, err := io.ReadAll(lines)
			require.NoError(t, err)
			if path == "/hints" {
				assert.Contains(t, string(rest), "HTTP/1.1 201", name)
			}
			conn.Close()
		}
		server.Close()
	}
}

func TestAccessLogSeesWhatWasAnswered(t *testing.T) {
	out := &record{}
	log := logs.NewAccess(out, logs.Options{})
	h := middleware.AccessLog(log)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/teapot":
			w.WriteHeader(418)
			_, _ = io.WriteString(w, "short")
		case "/panic":
			panic("x")
		}
	}))
	ask(h, "/teapot?secret=1", from("192.0.2.1:1"))
	ask(h, "/")
	assert.Panics(t, func() { ask(h, "/panic") })
	require.NoError(t, log.Close())
	lines := strings.Split(out.String(), "\n")
	require.Len(t, lines, 4)
	assert.Contains(t, lines[0], `"path":"/teapot","status":418,"bytes":5,`)
	assert.Contains(t, lines[0], `"ip":"192.0.2.1"`)
	assert.NotContains(t, out.String(), "secret")
	assert.Contains(t, lines[1], `"status":200`)
	assert.Contains(t, lines[2], `"status":500`)
}

func TestMetricsSeeWhatWasAnswered(t *testing.T) {
	m := must(metrics.New(metrics.Options{}))(t)
	h := middleware.Metrics(m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		exchange.From(r.Context()).Route = "/x/:id"
		if r.URL.Path == "/x/panic" {
			panic("x")
		}
		w.WriteHeader(404)
	}))
	ask(h, "/x/secret-1")
	ask(h, "BREW /x/secret-2")
	assert.Panics(t, func() { ask(h, "/x/panic") })
	text := ask(m.Handler(), "/metrics").Body.String()
	for _, line := range []string{
		`http_requests_total{method="GET",route="/x/:id",status="4xx"} 1`, `http_requests_total{method="other",route="/x/:id",status="4xx"} 1`,
		`http_requests_total{method="GET",route="/x/:id",status="5xx"} 1`, "http_requests_in_flight 0",
	} {
		assert.Contains(t, text, line+"\n")
	}
	assert.NotContains(t, text, "secret")
}
