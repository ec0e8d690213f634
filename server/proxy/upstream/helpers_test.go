package upstream_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/proxy/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// server answers with its name.
func server(t testing.TB, name string) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) })
}

func serve(t testing.TB, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func targets(urls ...string) []upstream.Target {
	var all []upstream.Target
	for _, u := range urls {
		all = append(all, upstream.Target{URL: u})
	}
	return all
}

// pool makes a pool that is closed in the end, before the servers are.
func pool(t testing.TB, o upstream.Options) *upstream.Pool {
	t.Helper()
	o.Name = "api"
	if o.Logger == nil {
		o.Logger = quiet()
	}
	p, err := upstream.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func get(header ...string) *http.Request {
	r := httptest.NewRequest("GET", "http://front.test/x", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// pick leases a backend and lets it go at once.
func pick(t testing.TB, p *upstream.Pool, r *http.Request, tried ...*upstream.Backend) string {
	t.Helper()
	l, err := p.Pick(r, tried)
	if !assert.NoError(t, err) {
		return ""
	}
	l.Done(upstream.Outcome{})
	return l.Backend.Name()
}

// ask sends a request through the pool, as a proxy does.
func ask(p *upstream.Pool, r *http.Request) (string, error) {
	l, err := p.Pick(r, nil)
	if err != nil {
		return "", err
	}
	return send(l, r)
}

func send(l *upstream.Lease, r *http.Request) (string, error) {
	res, err := l.Backend.RoundTrip(r)
	if err != nil {
		l.Done(outcome(nil, err))
		return "", err
	}
	text, err := io.ReadAll(res.Body)
	res.Body.Close()
	l.Done(outcome(res, err))
	return string(text), err
}

// outcome is what a proxy says of a request that no client has spoiled.
func outcome(res *http.Response, err error) upstream.Outcome {
	switch {
	case err != nil:
		return upstream.Outcome{Kind: upstream.Failure, Err: err}
	case res.StatusCode >= 500:
		return upstream.Outcome{Kind: upstream.Failure, Status: res.StatusCode}
	}
	return upstream.Outcome{Kind: upstream.Success, Status: res.StatusCode}
}

func noBackend(t testing.TB, p *upstream.Pool, why upstream.Why, tried ...*upstream.Backend) *upstream.NoBackend {
	t.Helper()
	l, err := p.Pick(get(), tried)
	if l != nil {
		l.Done(upstream.Outcome{})
	}
	require.ErrorIs(t, err, upstream.ErrNoBackend)
	var e *upstream.NoBackend
	require.ErrorAs(t, err, &e)
	assert.Equal(t, why, e.Why, err)
	return e
}

// state is the states of all backends, as "up down".
func state(p *upstream.Pool) string {
	var all []string
	for _, s := range p.Status() {
		all = append(all, s.State)
	}
	return strings.Join(all, " ")
}

func soon(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(2 * time.Millisecond) {
		require.Less(t, time.Since(start), 10*time.Second, what)
	}
}
