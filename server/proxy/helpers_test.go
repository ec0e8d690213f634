package proxy_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/exchange"
	"rws/server/http1"
	"rws/server/proxy"
	"rws/server/proxy/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what should happen at once; it is only used up by a failure.
const patience = 20 * time.Second

var quiet = slog.New(slog.DiscardHandler)

// pool has the backends of these URLs.
func pool(t testing.TB, urls ...string) *upstream.Pool {
	t.Helper()
	o := upstream.Options{Name: "api", Logger: quiet}
	for _, u := range urls {
		o.Targets = append(o.Targets, upstream.Target{URL: u})
	}
	p, err := upstream.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

// to makes a proxy to the backends of these URLs.
func to(t testing.TB, o proxy.Options, urls ...string) *proxy.Handler {
	t.Helper()
	if o.Pool == nil {
		o.Pool = pool(t, urls...)
	}
	if o.Logger == nil {
		o.Logger = quiet
	}
	h, err := proxy.New(o)
	require.NoError(t, err)
	return h
}

// backend serves over net/http.
func backend(t testing.TB, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(f)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// front serves a handler as the server of the program does: with an exchange, over http1 and h2c.
type front struct {
	addr   string
	leave  func() // the app was replaced, and the grace is over
	stop   func() // the server stops
	mu     sync.Mutex
	faults []error
}

func serve(t testing.TB, h http.Handler) *front { return serveWith(t, h, time.Millisecond) }

// serveWith gives streams a time to end when the server stops.
func serveWith(t testing.TB, h http.Handler, lastWords time.Duration) *front {
	t.Helper()
	leaving, stopping := make(chan struct{}), make(chan struct{})
	force, leave := context.WithCancel(context.Background())
	last, end := context.WithCancel(context.Background())
	f := &front{leave: sync.OnceFunc(func() { close(leaving); leave() }), stop: sync.OnceFunc(func() { close(stopping) })}
	life := &exchange.Life{Leaving: leaving, Stopping: stopping, Force: force, Last: last, LastWords: lastWords}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := &exchange.Exchange{}
		e.Begin(r, life)
		defer func() {
			e.End()
			f.mu.Lock()
			defer f.mu.Unlock()
			f.faults = append(f.faults, e.Fault)
		}()
		h.ServeHTTP(w, r.WithContext(e))
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f.addr = l.Addr().String()
	h2 := h2Server(t, handler)
	s := &http1.Server{Handler: handler, Log: quiet, ReadHeader: patience, H2C: h2.take}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		f.stop()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		leave()
		end()
		_ = s.Close()
		h2.close()
		<-served
	})
	return f
}

func (f *front) url(path string) string { return "http://" + f.addr + path }

// fault is what the exchange of the last request has as its Fault.
func (f *front) fault(t testing.TB) error {
	t.Helper()
	var last error
	require.Eventually(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.faults) == 0 {
			return false
		}
		last = f.faults[len(f.faults)-1]
		return true
	}, patience, time.Millisecond)
	return last
}

// h2 serves connections that speak HTTP/2 without TLS.
type h2 struct {
	conns chan net.Conn
	done  chan struct{}
	s     *http.Server
}

func h2Server(t testing.TB, h http.Handler) *h2 {
	l := &h2{conns: make(chan net.Conn), done: make(chan struct{})}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	l.s = &http.Server{Handler: h, Protocols: protocols, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	go func() { _ = l.s.Serve(l) }()
	return l
}

func (l *h2) take(c net.Conn, _ http.Handler) {
	select {
	case l.conns <- c:
	case <-l.done:
		_ = c.Close()
	}
}

func (l *h2) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *h2) Close() error   { return nil }
func (l *h2) Addr() net.Addr { return &net.TCPAddr{} }
func (l *h2) close()         { close(l.done); _ = l.s.Close() }

// h2Client speaks HTTP/2 without TLS.
func h2Client(t testing.TB) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// client speaks HTTP/1.1.
func client(t testing.TB) *http.Client {
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// raw sends bytes over a connection of its own.
func raw(t testing.TB, addr, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, text)
	require.NoError(t, err)
	return c, bufio.NewReader(c)
}

// answer reads one answer.
func answer(t testing.TB, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

func get(t testing.TB, c *http.Client, url string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	require.NoError(t, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return do(t, c, r)
}

func do(t testing.TB, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := c.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

// listen takes connections and hands each to f.
func listen(t testing.TB, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			all.Go(func() { defer c.Close(); f(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

// scripted answers every request with the same bytes, then closes if it shall.
func scripted(t testing.TB, bytes string, closes bool) string {
	return "http://" + listen(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, q.Body)
			_, _ = io.WriteString(c, bytes)
			if closes {
				return
			}
		}
	})
}

// nobody is an address where nothing listens.
func nobody(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return "http://" + l.Addr().String()
}
