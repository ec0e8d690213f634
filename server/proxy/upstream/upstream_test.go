package upstream_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/upstream"
)

func server(t testing.TB, name string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) }))
	t.Cleanup(s.Close)
	return s.URL
}

func TestRequestsGoRoundTheBackends(t *testing.T) {
	p, err := upstream.New(upstream.Options{Name: "api", Targets: []upstream.Target{{URL: server(t, "a")}, {URL: server(t, "b")}}})
	require.NoError(t, err)
	defer p.Close()
	var got string
	for range 4 {
		r := httptest.NewRequest("GET", "/x", nil)
		r.RequestURI = ""
		l, err := p.Pick(r, nil)
		require.NoError(t, err)
		res, err := l.Backend.RoundTrip(r)
		require.NoError(t, err)
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		res.Body.Close()
		l.Done(upstream.Outcome{Kind: upstream.Success, Status: res.StatusCode})
		got += string(text)
	}
	assert.Equal(t, "abab", got)
}
