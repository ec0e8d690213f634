package storage_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/storage"
)

var anyKeys = map[string]string{"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}

func TestABucketThatStallsInAFileIsGivenUp(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-done:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(done)
	s := with(t, "s3://bucket?endpoint="+server.URL, anyKeys)
	storage.SetStall(s, 50*time.Millisecond)
	o, err := s.Get(t.Context(), "a", storage.GetOptions{})
	require.NoError(t, err)
	defer o.Close()
	content, err := io.ReadAll(o)
	assert.Equal(t, "half", string(content))
	assert.Equal(t, storage.CodeTimeout, storage.CodeOf(err), "%v", err)
	assert.ErrorContains(t, err, `get "a" (s3://bucket at http://`)
	assert.ErrorContains(t, err, "sent nothing for 50ms")
}
