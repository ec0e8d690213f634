package middleware_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"rws/server/middleware"
)

// A handler may write the body for HEAD too; whoever counts those bytes must not find other ones than
// GET sends.
func TestHeadHasNoLengthOfWhatIsCompressed(t *testing.T) {
	for _, length := range []string{"", "5000"} {
		h := must(middleware.Compress(middleware.CompressOptions{MinSize: 100}))(t)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			w.WriteHeader(200)
			_, _ = io.WriteString(w, page[:min(len(page), 5000)])
		}))
		w := ask(h, "HEAD /", with("Accept-Encoding: gzip"))
		assert.Equal(t, "gzip", w.Header().Get("Content-Encoding"))
		assert.Empty(t, w.Header().Get("Content-Length"))
		assert.Zero(t, w.Body.Len(), "nothing to count")
	}
}

func TestWhatHasASumOfItsBytesIsNotCompressed(t *testing.T) {
	for _, name := range []string{"Content-Digest", "Repr-Digest", "Digest", "Content-MD5"} {
		h := must(middleware.Compress(middleware.CompressOptions{}))(t)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set(name, "sha-256=:x:")
			_, _ = io.WriteString(w, page)
		}))
		w := ask(h, "GET /", with("Accept-Encoding: gzip"))
		assert.Empty(t, w.Header().Get("Content-Encoding"), name)
		assert.Equal(t, page, w.Body.String(), name)
	}
}
