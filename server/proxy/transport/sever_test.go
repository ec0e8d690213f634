package transport_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/transport"
)

// hasty answers whatever way the connection ends, and tells how that was.
func hasty(t testing.TB) (o transport.Options, ends <-chan error) {
	s := httptest.NewTLSServer(nil)
	config := &tls.Config{Certificates: s.TLS.Certificates}
	client := s.Client().Transport.(*http.Transport).TLSClientConfig
	s.Close()
	told := make(chan error, 1)
	address := scripted(t, func(p *peer) {
		c := tls.Server(p, config)
		_, err := http.ReadRequest(bufio.NewReader(c))
		for err == nil {
			_, err = c.Read(make([]byte, 1<<10))
		}
		_, _ = io.WriteString(c, ok)
		told <- err
	})
	return transport.Options{Scheme: "https", Address: address, TLS: &tls.Config{RootCAs: client.RootCAs, ServerName: "example.com"}}, told
}

// Over TLS a request that broke off looks broken to the backend: it gets no goodbye that it could take for the
// end, and what it answers is no answer.
func TestBrokenRequestsOverTLSHaveNoGoodbye(t *testing.T) {
	o, ends := hasty(t)
	tr := open(t, o)
	gone := errors.New("gone")
	for range 10 {
		e := fails(t, tr, request(t, "POST", "http://x/", io.MultiReader(strings.NewReader("hello"), iotest.ErrReader(gone))))
		assert.True(t, e.Client)
		assert.ErrorIs(t, e, gone)
		err := <-ends
		require.Error(t, err)
		assert.NotEqual(t, io.EOF, err, "a goodbye")
	}
	for _, body := range []io.Reader{nil, endless{}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(20*time.Millisecond, func() { cancel(gone) })
		e := fails(t, tr, request(t, "POST", "http://x/", body).WithContext(ctx))
		assert.ErrorIs(t, e, gone)
		if err := <-ends; body != nil { // else it had all of the request
			assert.NotEqual(t, io.EOF, err, "a goodbye")
		}
	}
	assert.Zero(t, unused(t, tr).Open)
}

// Half a request ends by a reset, so that nobody who reads until the end takes it for a whole one.
func TestBrokenRequestsAreReset(t *testing.T) {
	ends := make(chan error, 1)
	tr := open(t, transport.Options{Address: scripted(t, func(p *peer) {
		_, err := io.Copy(io.Discard, p.r)
		ends <- err
	})})
	fails(t, tr, request(t, "POST", "http://x/", io.MultiReader(strings.NewReader("hello"), iotest.ErrReader(errors.New("gone")))))
	assert.ErrorContains(t, <-ends, "reset")
}
