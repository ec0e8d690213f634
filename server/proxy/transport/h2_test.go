package transport_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/proxy/transport"
)

// unencrypted starts a server that speaks HTTP/2 without TLS, and lets change change it.
func unencrypted(t testing.TB, h http.HandlerFunc, change func(*http.Server)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &http.Server{Handler: h, Protocols: new(http.Protocols), HTTP2: &http.HTTP2Config{}}
	s.Protocols.SetUnencryptedHTTP2(true)
	if change != nil {
		change(s)
	}
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	return l.Addr().String()
}

func h2cServer(t testing.TB, h http.HandlerFunc) string { return unencrypted(t, h, nil) }

// secure starts a server with TLS, and returns the authority that signed its certificate.
func secure(t testing.TB, h http.HandlerFunc, change func(*httptest.Server)) (string, *x509.CertPool) {
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{}
	if change != nil {
		change(s)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.Listener.Addr().String(), roots
}

func TestHTTP2(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		fmt.Fprintf(w, "%s %s %s %s %s", r.Proto, r.Method, r.RequestURI, r.Host, b)
	}
	address, roots := secure(t, h, nil)
	for _, o := range []transport.Options{
		{Scheme: "h2c", Address: h2cServer(t, h)},
		{Scheme: "grpc", Address: h2cServer(t, h)},
		{Scheme: "h2", Address: address, TLS: &tls.Config{RootCAs: roots}},
		{Scheme: "grpcs", Address: address, TLS: &tls.Config{RootCAs: roots}},
	} {
		t.Run(o.Scheme, func(t *testing.T) {
			tr := open(t, o)
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					res, body := do(t, tr, request(t, "POST", "http://example.org/a?b=c", opaque("abc")))
					assert.Equal(t, "HTTP/2.0 POST /a?b=c example.org abc", body)
					assert.Equal(t, "example.org", res.Request.URL.Host)
				})
			}
			all.Wait()
			s := unused(t, tr)
			assert.Equal(t, transport.Stats{Open: 1, Idle: 1, Dials: 1, Reused: 19}, s)
			tr.CloseIdle()
			assert.Zero(t, tr.Stats().Open)
		})
	}
}

// Calls of gRPC: messages both ways, one after the other, the status in trailers.
func TestStreaming(t *testing.T) {
	tr := open(t, transport.Options{Scheme: "grpc", Address: h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "trailers", r.Header.Get("Te"))
		w.Header().Set("Content-Type", "application/grpc")
		c := http.NewResponseController(w)
		_ = c.Flush()
		b := make([]byte, 5)
		for {
			if _, err := io.ReadFull(r.Body, b); err != nil {
				break
			}
			_, _ = w.Write(b)
			_ = c.Flush()
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	})})
	in, out := io.Pipe()
	r := request(t, "POST", "http://x/pkg.Service/Method", in)
	r.Header.Set("Te", "trailers")
	r.Header.Set("Content-Type", "application/grpc")
	res, err := tr.RoundTrip(r)
	require.NoError(t, err)
	for i := range 5 {
		_, err := fmt.Fprintf(out, "msg %d", i)
		require.NoError(t, err)
		b := make([]byte, 5)
		_, err = io.ReadFull(res.Body, b)
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("msg %d", i), string(b))
	}
	out.Close()
	rest, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Empty(t, rest)
	assert.Equal(t, "0", res.Trailer.Get("Grpc-Status"))
	require.NoError(t, res.Body.Close())
	unused(t, tr)
}

// An answer of trailers only, as gRPC gives for errors.
func TestTrailersOnly(t *testing.T) {
	tr := open(t, transport.Options{Scheme: "grpc", Address: h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Grpc-Status", "12")
	})})
	res, body := do(t, tr, request(t, "POST", "http://x/", opaque("abc")))
	assert.Equal(t, "12", res.Header.Get("Grpc-Status"))
	assert.Empty(t, body)
}

// When the streams of a connection run out, another is opened, up to MaxConns.
func TestStreamsRunOut(t *testing.T) {
	release := make(chan struct{})
	var now atomic.Int32
	address := unencrypted(t, func(w http.ResponseWriter, r *http.Request) {
		now.Add(1)
		<-release
	}, func(s *http.Server) { s.HTTP2.MaxConcurrentStreams = 2 })
	tr := open(t, transport.Options{Scheme: "h2c", Address: address, MaxConns: 2, Queue: patience})
	var all sync.WaitGroup
	for range 7 { // of which none knows how many streams there may be
		all.Go(func() { do(t, tr, request(t, "POST", "http://x/", opaque("abc"))) })
	}
	require.Eventually(t, func() bool { return now.Load() == 4 }, patience, time.Millisecond)
	assert.Equal(t, 2, tr.Stats().InUse)
	close(release)
	all.Wait()
	assert.Equal(t, uint64(2), unused(t, tr).Dials)
	assert.Equal(t, int32(7), now.Load())
}

// The end of the context resets the stream, and nothing else.
func TestStreamCancel(t *testing.T) {
	why := errors.New("why")
	reset := make(chan struct{}, 1)
	tr := open(t, transport.Options{Scheme: "h2c", Address: h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ok" {
			return
		}
		_, _ = io.WriteString(w, "abc")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		reset <- struct{}{}
	})})
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(why) })
	e := fails(t, tr, get(t).WithContext(ctx))
	assert.ErrorIs(t, e, why)
	assert.False(t, e.Client)
	<-reset
	res, err := tr.RoundTrip(get(t))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close()) // as does giving up the body
	<-reset
	do(t, tr, request(t, "GET", "http://x/ok", nil))
	assert.Equal(t, uint64(1), unused(t, tr).Dials)
}

func TestStreamDeadlines(t *testing.T) {
	const short = 50 * time.Millisecond
	address := h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/begin" {
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	})
	tr := open(t, transport.Options{Scheme: "h2c", Address: address, Response: short, ReadIdle: short})
	for path, phase := range map[string]transport.Phase{"/": transport.PhaseHeader, "/begin": transport.PhaseBody} {
		for _, body := range []io.Reader{nil, opaque("abc")} {
			e := fails(t, tr, request(t, "POST", "http://x"+path, body))
			assert.Equal(t, phase, e.Phase)
			assert.True(t, e.Timeout())
		}
	}
	grpc := open(t, transport.Options{Scheme: "grpc", Address: address, Response: short})
	res, err := grpc.RoundTrip(request(t, "POST", "http://x/begin", nil))
	require.NoError(t, err)
	time.AfterFunc(4*short, func() { res.Body.Close() })
	start := time.Now()
	_, err = res.Body.Read(make([]byte, 1))
	require.Error(t, err)
	assert.GreaterOrEqual(t, time.Since(start), 3*short, "a silent stream of gRPC was cut")
}

// Backends that go and come again.
func TestStreamsOfRestartedBackend(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	start := func(l net.Listener) (stop func()) {
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}), Protocols: new(http.Protocols)}
		s.Protocols.SetUnencryptedHTTP2(true)
		done := make(chan error)
		go func() { done <- s.Serve(l) }()
		return func() { s.Close(); <-done }
	}
	stop := start(l)
	tr := open(t, transport.Options{Scheme: "h2c", Address: address})
	do(t, tr, get(t))
	stop()
	assert.Equal(t, transport.PhaseDial, fails(t, tr, get(t)).Phase)
	l, err = net.Listen("tcp", address)
	require.NoError(t, err)
	defer start(l)()
	do(t, tr, get(t))
	assert.Equal(t, 1, tr.Stats().Open)
}

func TestStreamAgeAndIdle(t *testing.T) {
	address := h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(w, r.Body)
	})
	t.Run("idle", func(t *testing.T) {
		tr := open(t, transport.Options{Scheme: "h2c", Address: address, Idle: 30 * time.Millisecond})
		do(t, tr, get(t))
		require.Eventually(t, func() bool { return tr.Stats().Open == 0 }, patience, time.Millisecond)
		do(t, tr, get(t))
	})
	t.Run("age", func(t *testing.T) {
		tr := open(t, transport.Options{Scheme: "h2c", Address: address, MaxAge: 30 * time.Millisecond})
		in, out := io.Pipe()
		res, err := tr.RoundTrip(request(t, "POST", "http://x/", in)) // outlives the age
		require.NoError(t, err)
		require.Eventually(t, func() bool { do(t, tr, get(t)); return tr.Stats().Dials > 2 }, patience, time.Millisecond)
		_, err = io.WriteString(out, "abc")
		require.NoError(t, err)
		out.Close()
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Equal(t, "abc", string(b))
		res.Body.Close()
	})
	t.Run("closed", func(t *testing.T) {
		tr := open(t, transport.Options{Scheme: "h2c", Address: address})
		do(t, tr, get(t))
		tr.Close()
		assert.Zero(t, tr.Stats().Open)
		assert.ErrorIs(t, fails(t, tr, get(t)), transport.ErrClosed)
	})
}

// What cannot be said over HTTP/2 is refused in words.
func TestUpgradeOverHTTP2(t *testing.T) {
	e := fails(t, open(t, transport.Options{Scheme: "h2c", Address: "127.0.0.1:1"}), upgrade(t))
	assert.False(t, e.Client)
	assert.False(t, e.Sent)
	assert.ErrorIs(t, e, transport.ErrUpgrade)
	assert.Contains(t, e.Error(), "speak http or https")
}

// Requests that wait for a connection fail with it, and not one after the other.
func TestOpeningFails(t *testing.T) {
	why := errors.New("why")
	tr := open(t, transport.Options{Scheme: "h2c", Address: "x:1", Dial: func(context.Context, string, string) (net.Conn, error) {
		time.Sleep(100 * time.Millisecond)
		return nil, why
	}})
	start := time.Now()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			e := fails(t, tr, get(t))
			assert.ErrorIs(t, e, why)
			assert.Equal(t, transport.PhaseDial, e.Phase)
		})
	}
	all.Wait()
	assert.Less(t, time.Since(start), time.Second)
	assert.Zero(t, tr.Stats().Open)
}
