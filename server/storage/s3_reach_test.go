package storage_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/storage"
	"rws/spec_test/peers"
)

func TestAServerThatIsDownIsUnavailableSoon(t *testing.T) {
	s := with(t, "s3://bucket?endpoint=http://"+peers.FreeAddress(t), anyKeys)
	for name, err := range all(t.Context(), s) {
		assert.Equal(t, storage.CodeUnavailable, storage.CodeOf(err), "%s: %v", name, err)
		assert.ErrorContains(t, err, "connection refused", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := s.Stat(ctx, "a")
	assert.Equal(t, storage.CodeUnavailable, storage.CodeOf(err), "the deadline passes between two tries: %v", err)
	assert.ErrorContains(t, err, "refused")
	assert.ErrorContains(t, err, `stat "a" (s3://bucket`)
}

// TestConnectionsAreTriedTwice counts what a server sees that ends each connection in its handshake.
func TestConnectionsAreTriedTwice(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	taken := make(chan struct{}, 10)
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			taken <- struct{}{}
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}()
	s := with(t, "s3://bucket?endpoint=https://"+l.Addr().String(), anyKeys)
	_, err = s.Stat(t.Context(), "a")
	assert.Equal(t, storage.CodeUnavailable, storage.CodeOf(err), "%v", err)
	assert.LessOrEqual(t, len(taken), 2)
}

func TestHTTPSToAServerOfHTTPIsTriedOnce(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	var connections atomic.Int32
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	s := with(t, "s3://bucket?endpoint="+strings.Replace(server.URL, "http:", "https:", 1), anyKeys)
	_, err := s.Stat(t.Context(), "a")
	assert.Equal(t, storage.CodeUnavailable, storage.CodeOf(err), "%v", err)
	assert.ErrorContains(t, err, "server gave HTTP response to HTTPS client")
	assert.Equal(t, int32(1), connections.Load())
}
