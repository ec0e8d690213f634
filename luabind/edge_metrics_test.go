package luabind_test

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/luabind"
	"rws/server"
	"rws/server/metrics"
	"rws/spec_test/logtext"
)

// All metrics of the edge come from one look at it, however many there are, and each has a description.
func TestAScrapeReadsTheEdgeOnce(t *testing.T) {
	shared := luabind.NewShared()
	p := script(t, `
		local pool = app:upstream("pool", { to = { "http://127.0.0.1:1", "http://127.0.0.1:2" }, breaker = true, passive = true })
		app:mirror("/m", pool, "http://127.0.0.1:3")
		app:proxy("/a", pool)
		app:canary("/b", pool, "http://127.0.0.1:3", { share = "10%" })
		app:tcp("127.0.0.1:0", { to = "127.0.0.1:4" })
	`, func(o *luabind.Options) { o.Shared = shared })
	require.NoError(t, p.Start(t.Context()))
	edge, log, reads := luabind.EdgeReading(shared), &logtext.Buffer{}, 0
	read := edge.Read
	edge.Read = func(yield func(string, float64, ...string)) { reads++; read(yield) }
	m, err := metrics.New(metrics.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	require.NoError(t, m.Read(edge))
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	assert.Equal(t, 1, reads)
	assert.Empty(t, log.String())
	for _, d := range edge.Metrics {
		switch d.Name {
		case "rws_upstream_connections", "rws_proxy_protocol_refused_total": // there are none
			assert.NotContains(t, w.Body.String(), "\n"+d.Name+"{")
		default:
			assert.Contains(t, w.Body.String(), "\n"+d.Name+"{")
		}
	}
}

// BenchmarkScrape measures an answer of app:metrics with an upstream of so many backends.
func BenchmarkScrape(b *testing.B) {
	for _, backends := range []int{1, 50} {
		b.Run(fmt.Sprint(backends), func(b *testing.B) {
			var to strings.Builder
			for n := range backends {
				fmt.Fprintf(&to, "%q, ", fmt.Sprintf("http://127.0.0.1:%d", 10_000+n))
			}
			p := script(b, fmt.Sprintf(`app:proxy("/*", app:upstream("pool", { to = { %s }, breaker = true })) app:metrics()`, &to))
			require.NoError(b, p.Start(b.Context()))
			h, err := server.Compile(p.App)
			require.NoError(b, err)
			r := httptest.NewRequest("GET", "/metrics", nil)
			r.RemoteAddr = "127.0.0.1:1"
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(b, backends, strings.Count(w.Body.String(), "\nrws_upstream_up{"))
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
