package http3_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	h3 "github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server/certs"
	"rws/server/http3"
	"rws/spec_test/peers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// serve runs a server on a free port until the test ends.
func serve(t *testing.T, o http3.Options) (*http3.Server, string) {
	t.Helper()
	cert, err := certs.SelfSigned()
	require.NoError(t, err)
	if o.TLS == nil {
		o.TLS = certs.Static(cert).Config()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	s := http3.New(o)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(socket) }()
	t.Cleanup(func() {
		_ = s.Close()
		assert.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	return s, socket.LocalAddr().String()
}

// client speaks HTTP/3 over connections of its own.
func client(t *testing.T, edit func(*h3.Transport)) *http.Client {
	transport := &h3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	if edit != nil {
		edit(transport)
	}
	t.Cleanup(func() { transport.Close() })
	return &http.Client{Transport: transport, Timeout: patience}
}

func get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := c.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

// soon tries again until a condition holds. Unlike that of require.Eventually it may end the test.
func soon(t *testing.T, holds func() bool, message string, args ...any) {
	t.Helper()
	for start := time.Now(); !holds(); time.Sleep(time.Millisecond) {
		require.Less(t, time.Since(start), patience, append([]any{message}, args...)...)
	}
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s %s", r.Proto, r.Host, r.RemoteAddr)
})

func TestAnswers(t *testing.T) {
	_, addr := serve(t, http3.Options{Handler: hello})
	res, body := get(t, client(t, nil), "https://"+addr+"/")
	assert.Equal(t, "HTTP/3.0", res.Proto)
	assert.Contains(t, body, "HTTP/3.0 "+addr+" 127.0.0.1:")
}

func TestHeadersAreBounded(t *testing.T) {
	_, addr := serve(t, http3.Options{Handler: hello, MaxHeaderBytes: 4 << 10})
	r, err := http.NewRequest("GET", "https://"+addr+"/", nil)
	require.NoError(t, err)
	r.Header.Set("X", strings.Repeat("x", 5<<10))
	c := client(t, nil)
	res, err := c.Do(r)
	if err == nil {
		defer res.Body.Close()
		assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, res.StatusCode)
	}
	_, body := get(t, c, "https://"+addr+"/") // the connection goes on
	assert.Contains(t, body, "HTTP/3.0")
}

// lines are those of a log, as they are written.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	log := make(lines, 100)
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, addr := serve(t, http3.Options{Handler: hello, MaxConnsPerIP: 2, Logger: logger})
	for range 2 {
		get(t, client(t, nil), "https://"+addr+"/")
	}
	_, err := client(t, nil).Get("https://" + addr + "/")
	require.Error(t, err)
	var refused *quic.TransportError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, quic.ConnectionRefused, refused.ErrorCode)
	assert.Contains(t, <-log, "too many connections")
}

func TestStopAnswersWhatIsUnderWay(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	s, addr := serve(t, http3.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-finish
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
	})})
	c := client(t, nil)
	answer := make(chan string, 1)
	go func() {
		res, err := c.Get("https://" + addr + "/")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answer <- fmt.Sprint(len(body))
	}()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(t.Context()) }()
	select {
	case <-stopped:
		t.Error("it did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	close(finish)
	assert.Equal(t, "100000", <-answer)
	assert.NoError(t, <-stopped)
}

func TestStopBreaksOffAtTheDeadline(t *testing.T) {
	begun := make(chan struct{})
	s, addr := serve(t, http3.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})})
	c := client(t, nil)
	go func() {
		if res, err := c.Get("https://" + addr + "/"); err == nil {
			res.Body.Close()
		}
	}()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	assert.ErrorIs(t, s.Shutdown(ctx), context.DeadlineExceeded)
	assert.Less(t, time.Since(start), 5*time.Second)
}

func TestAnIdleClientDoesNotHoldUpTheStop(t *testing.T) {
	s, addr := serve(t, http3.Options{Handler: hello})
	get(t, client(t, nil), "https://"+addr+"/")
	start := time.Now()
	assert.NoError(t, s.Shutdown(t.Context()))
	assert.Less(t, time.Since(start), 5*time.Second)
}

func TestHandlersCountUntilTheyReturn(t *testing.T) {
	var running, most atomic.Int64
	release := make(chan struct{})
	_, addr := serve(t, http3.Options{MaxStreams: 8, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/first" {
			return
		}
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-release // it does not mind that the client has left
	})})
	defer close(release)
	c := client(t, nil)
	get(t, c, "https://"+addr+"/first")
	var group sync.WaitGroup
	for range 200 { // rapid reset
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			r, _ := http.NewRequestWithContext(ctx, "GET", "https://"+addr+"/", nil)
			if res, err := c.Do(r); err == nil {
				res.Body.Close()
			}
		})
	}
	group.Wait()
	assert.LessOrEqual(t, most.Load(), int64(8))
	assert.Positive(t, most.Load())
}

// comesAgain is a client that resumes, and sends early what it may.
func comesAgain(t *testing.T, cache tls.ClientSessionCache, tokens quic.TokenStore) *http.Client {
	early := &peers.Early{Transport: h3.Transport{QUICConfig: &quic.Config{TokenStore: tokens},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ClientSessionCache: cache, ServerName: "localhost"}}}
	t.Cleanup(func() { early.Close() })
	return &http.Client{Transport: early, Timeout: patience}
}

// early asks a server twice, the second time in the first flight, and says what it took each for.
func early(t *testing.T, on bool) (first, second string) {
	_, addr := serve(t, http3.Options{EarlyData: on, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, http3.IsEarly(r))
	})})
	cache := tls.NewLRUClientSessionCache(10)
	tokens := quic.NewLRUTokenStore(1, 1)
	c := comesAgain(t, cache, tokens)
	_, first = get(t, c, "https://"+addr+"/")
	c.CloseIdleConnections()
	c.Transport.(*peers.Early).Close()
	c = comesAgain(t, cache, tokens)
	r, err := http.NewRequest(h3.MethodGet0RTT, "https://"+addr+"/", nil)
	require.NoError(t, err)
	res, err := c.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return first, string(body)
}

func TestEarlyDataIsOffByDefault(t *testing.T) {
	first, second := early(t, false)
	assert.Equal(t, "false", first)
	assert.Equal(t, "false", second)
}

func TestEarlyDataIsKnown(t *testing.T) {
	// On a busy machine the handshake may be complete before the request is looked at.
	soon(t, func() bool {
		first, second := early(t, true)
		return first == "false" && second == "true"
	}, "the second visit is never early")
}

// TestWhatIsAnsweredInTheFirstFlight: a client that holds back its handshake gets some answers at once, and
// the others when it goes on. None is refused.
func TestWhatIsAnsweredInTheFirstFlight(t *testing.T) {
	_, addr := serve(t, http3.Options{EarlyData: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Early", fmt.Sprint(http3.IsEarly(r)))
	})})
	for _, tt := range []struct {
		method, body, header string
		stranger             bool // without a token
		atOnce               bool
	}{
		{method: "GET", atOnce: true},
		{method: "HEAD", atOnce: true},
		{method: "OPTIONS", atOnce: true},
		{method: "GET", stranger: true},
		{method: "GET", body: "x"},
		{method: "GET", header: "Cookie"},
		{method: "GET", header: "Authorization"},
		{method: "POST"},
		{method: "DELETE"},
	} {
		asked := func() (atOnce bool) {
			sessions, tokens := visited(t, addr)
			if tt.stranger {
				tokens = nil
			}
			res, held := holdBack(t, addr, sessions, tokens, tt.method, tt.body, tt.header)
			assert.Equal(t, 200, res.StatusCode, "%+v", tt)
			if !held {
				assert.Equal(t, "true", res.Header.Get("Early"), "%+v", tt)
			}
			return !held
		}
		if !tt.atOnce {
			assert.False(t, asked(), "%+v", tt)
			continue
		}
		// On a busy machine the server may be heard before the request is sent.
		soon(t, asked, "%+v", tt)
	}
}

// visited is what a client has kept of a visit.
func visited(t *testing.T, addr string) (tls.ClientSessionCache, quic.TokenStore) {
	t.Helper()
	sessions, tokens := tls.NewLRUClientSessionCache(1), quic.NewLRUTokenStore(1, 1)
	get(t, comesAgain(t, sessions, tokens), "https://"+addr+"/")
	require.Eventually(t, func() bool {
		session, _ := sessions.Get("localhost")
		return session != nil
	}, patience, time.Millisecond, "no ticket has come")
	return sessions, tokens
}

// holdBack asks in the first flight and holds back the rest of the handshake until there is an answer, or
// for a while: then held is true.
func holdBack(t *testing.T, addr string, sessions tls.ClientSessionCache, tokens quic.TokenStore, method, body, header string) (res *http.Response, held bool) {
	t.Helper()
	early := comesAgain(t, sessions, tokens).Transport.(*peers.Early)
	release := make(chan struct{})
	early.Hold = release
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "https://"+addr+"/", nil)
	require.NoError(t, err)
	if header != "" {
		r.Header.Set(header, "x")
	}
	answer := make(chan *http.Response, 1)
	go func() {
		res, err := early.First(r, body)
		if !assert.NoError(t, err) {
			res = &http.Response{Body: http.NoBody}
		}
		answer <- res
	}()
	select {
	case res = <-answer:
		close(release)
	case <-time.After(300 * time.Millisecond):
		close(release)
		res, held = <-answer, true
	}
	res.Body.Close()
	return res, held
}

// clientCertificate is one that vouches for itself.
func clientCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// The same policy as over TCP, looked up by the server name for each connection: it was once forgotten
// for HTTP/3 elsewhere (GO-2026-4530).
func TestClientCertificatesAsOverTCP(t *testing.T) {
	cert := clientCertificate(t)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "both.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	require.NoError(t, os.WriteFile(file, append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...), 0o600))
	store, err := certs.Open(certs.Options{}, certs.Site{Pairs: []certs.Pair{{CertFile: file, KeyFile: file}}, Client: certs.ClientAuth{CA: []string{file}}})
	require.NoError(t, err)
	_, addr := serve(t, http3.Options{TLS: store.Config(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, len(r.TLS.PeerCertificates))
	})})
	_, err = client(t, nil).Get("https://" + addr + "/")
	require.Error(t, err)
	other := clientCertificate(t)
	_, err = client(t, func(tr *h3.Transport) { tr.TLSClientConfig.Certificates = []tls.Certificate{other} }).Get("https://" + addr + "/")
	require.Error(t, err)
	_, body := get(t, client(t, func(tr *h3.Transport) { tr.TLSClientConfig.Certificates = []tls.Certificate{cert} }), "https://"+addr+"/")
	assert.Equal(t, "1", body)
}

func TestAClientMayMove(t *testing.T) {
	_, addr := serve(t, http3.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })})
	to, err := net.ResolveUDPAddr("udp", addr)
	require.NoError(t, err)
	socket := func() *quic.Transport {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		require.NoError(t, err)
		tr := &quic.Transport{Conn: conn}
		t.Cleanup(func() { tr.Close(); conn.Close() })
		return tr
	}
	from, next := socket(), socket()
	conn, err := from.Dial(t.Context(), to, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, &quic.Config{})
	require.NoError(t, err)
	transport := &h3.Transport{}
	c := &http.Client{Transport: transport.NewClientConn(conn)}
	_, body := get(t, c, "https://"+addr+"/")
	assert.Equal(t, from.Conn.LocalAddr().String(), body)
	path, err := conn.AddPath(next)
	require.NoError(t, err)
	require.NoError(t, path.Probe(t.Context()))
	require.NoError(t, path.Switch())
	soon(t, func() bool {
		_, body = get(t, c, "https://"+addr+"/")
		return body == next.Conn.LocalAddr().String()
	}, "the address is still the first one")
	_ = conn.CloseWithError(0, "")
}

// BenchmarkGet is a request over an open connection, with the client.
func BenchmarkGet(b *testing.B) {
	cert, err := certs.SelfSigned()
	require.NoError(b, err)
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(b, err)
	s := http3.New(http3.Options{TLS: certs.Static(cert).Config(), Handler: hello})
	go func() { _ = s.Serve(socket) }()
	defer s.Close()
	transport := &h3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.Close()
	c := &http.Client{Transport: transport}
	b.ReportAllocs()
	for b.Loop() {
		res, err := c.Get("https://" + socket.LocalAddr().String() + "/")
		require.NoError(b, err)
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
}
