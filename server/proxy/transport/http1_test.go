package transport_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/transport"
)

func TestAnswers(t *testing.T) {
	tr := open(t, transport.Options{Address: server(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
		fmt.Fprintf(w, "%s %s %s %q %d", r.Method, r.RequestURI, r.Host, r.Header.Get("X-A"), len(b))
	})})
	r := get(t)
	r.Header.Set("X-A", "b")
	res, body := do(t, tr, r)
	assert.Equal(t, `GET /a?b=c example.org "b" 0`, body)
	assert.Equal(t, "200 OK", res.Status)
	assert.Equal(t, int64(len(body)), res.ContentLength)
	assert.Same(t, r, res.Request)
	for _, size := range []int{1, 16 << 10, 16<<10 + 1, 1 << 20} {
		_, body = do(t, tr, request(t, "POST", "http://example.org/", strings.NewReader(strings.Repeat("x", size))))
		assert.Equal(t, fmt.Sprintf(`POST / example.org "" %d`, size), body)
		unused(t, tr) // who sends a body may be a moment behind its answer
		res, body = do(t, tr, request(t, "PUT", "http://example.org/", opaque(strings.Repeat("x", size))))
		assert.Equal(t, fmt.Sprintf(`PUT / example.org "" %d`, size), body)
		assert.Equal(t, "-1", res.Header.Get("X-Length"))
		unused(t, tr)
	}
	s := unused(t, tr)
	assert.Equal(t, uint64(1), s.Dials)
	assert.Equal(t, uint64(8), s.Reused)
	assert.Equal(t, 1, s.Idle)
}

func TestNoBodies(t *testing.T) {
	tr := open(t, transport.Options{Address: server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/304":
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "hello")
		}
	})})
	for range 2 {
		res, body := do(t, tr, request(t, "HEAD", "http://x/", nil))
		assert.Equal(t, int64(5), res.ContentLength)
		assert.Empty(t, body)
		for _, path := range []string{"/204", "/304"} {
			res, body = do(t, tr, request(t, "GET", "http://x"+path, nil))
			assert.Equal(t, path[1:], fmt.Sprint(res.StatusCode))
			assert.Empty(t, body)
		}
	}
	require.Equal(t, uint64(1), tr.Stats().Dials)
}
