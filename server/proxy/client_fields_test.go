package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server/exchange"
	"rws/server/proxy"
)

// clientFields are those by which somebody before us tells of the client.
var clientFields = []string{"X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Fastly-Client-Ip", "X-Original-Url", "X-Rewrite-Url", "Front-End-Https"}

// Only proxies that are trusted tell of the client.
func TestFieldsOfTheClientComeFromTrustedProxiesAlone(t *testing.T) {
	h := to(t, proxy.Options{}, echo(t))
	for _, name := range clientFields {
		code, got := ask(t, h, func(r *http.Request, _ *exchange.Exchange) { r.Header[name] = []string{"10.0.0.1"} })
		require.Equal(t, 200, code)
		assert.NotContains(t, got.Header, name)
		_, got = ask(t, h, func(r *http.Request, e *exchange.Exchange) {
			e.Client = netip.MustParseAddr("198.51.100.1")
			r.Header[name] = []string{"10.0.0.1"}
			r.Header["Connection"] = []string{name}
		})
		assert.Equal(t, []string{"10.0.0.1"}, got.Header[name], name)
	}
}

// The shadow of a mirror believes no more than the one that answers.
func TestAShadowIsToldNoMoreOfTheClient(t *testing.T) {
	got := make(chan http.Header, 1)
	shadow := to(t, proxy.Options{}, backend(t, func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	m, err := proxy.NewMirror(proxy.MirrorOptions{Share: 1, Main: to(t, proxy.Options{}, echo(t)), Shadow: shadow, Logger: quiet})
	require.NoError(t, err)
	ask(t, m, func(r *http.Request, _ *exchange.Exchange) {
		r.Header["X-Real-Ip"] = []string{"10.0.0.1"}
		r.Host = "internal.example" // as a rewriting has it
	})
	header := <-got
	assert.NotContains(t, header, "X-Real-Ip")
	assert.Equal(t, []string{"192.0.2.7"}, header["X-Forwarded-For"])
	assert.Equal(t, []string{"client.example"}, header["X-Forwarded-Host"])
}

func TestForwardedHostIsWhatTheClientAskedFor(t *testing.T) {
	h := to(t, proxy.Options{Forwarded: true}, echo(t))
	_, got := ask(t, h, func(r *http.Request, _ *exchange.Exchange) { r.Host = "internal.example" })
	assert.Equal(t, "internal.example", got.Host)
	assert.Equal(t, []string{"client.example"}, got.Header["X-Forwarded-Host"])
	assert.Contains(t, got.Header.Get("Forwarded"), "host=client.example;")
}

// HTTP/1.0 knows requests without a host.
func TestARequestWithoutHostForwardsNone(t *testing.T) {
	at := backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, there := r.Header["X-Forwarded-Host"]
		fmt.Fprint(w, there, r.Header.Get("Forwarded"))
	})
	_, r := raw(t, serve(t, to(t, proxy.Options{Forwarded: true}, at)).addr, "GET / HTTP/1.0\r\n\r\n")
	_, body := answer(t, r)
	assert.Equal(t, "falsefor=127.0.0.1;proto=http", body)
}

func TestEditsThatChangeNothingAreRefused(t *testing.T) {
	p := pool(t, "http://127.0.0.1:1")
	for _, name := range []string{"Host", "content-length", "Transfer-Encoding", "Connection"} {
		_, err := proxy.New(proxy.Options{Pool: p, Request: proxy.Edits{Remove: []string{name}}})
		assert.ErrorContains(t, err, "remove: header", name)
	}
	_, err := proxy.New(proxy.Options{Pool: p, Response: proxy.Edits{Remove: []string{"Transfer-Encoding"}}})
	assert.ErrorContains(t, err, "never passed on")
}

// What is edited of an answer is edited of what comes before it.
func TestEditsOfEarlyHints(t *testing.T) {
	hints := "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Internal: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Internal: 1\r\n\r\n"
	h := to(t, proxy.Options{Response: proxy.Edits{Remove: []string{"X-Internal"}, Set: map[string]string{"X-By": "rws"}}}, scripted(t, hints, false))
	_, r := raw(t, serve(t, h).addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	for _, status := range []int{103, 200} {
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		assert.Equal(t, status, res.StatusCode)
		assert.Empty(t, res.Header["X-Internal"])
		assert.Equal(t, []string{"rws"}, res.Header["X-By"])
	}
}

type forbidden struct{ error }

func (forbidden) HTTPStatus() int { return http.StatusForbidden }

// The hook for answers sees upgrades, and may refuse them: the backend is then let go.
func TestUpgradesMeetTheHookForAnswers(t *testing.T) {
	closed := make(chan error, 1)
	at := "http://" + listen(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n")
		_, err := r.ReadByte()
		closed <- err
	})
	hook := func(*http.Request, *http.Response) error { return nil }
	f := serve(t, to(t, proxy.Options{OnResponse: func(in *http.Request, res *http.Response) error { return hook(in, res) }}, at))
	hook = func(_ *http.Request, res *http.Response) error { res.Header.Set("X-Seen", "1"); return nil }
	c, r := raw(t, f.addr, upgrade)
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	assert.Equal(t, 101, res.StatusCode)
	assert.Equal(t, "1", res.Header.Get("X-Seen"))
	require.NoError(t, c.Close())
	<-closed

	for want, refuse := range map[int]func(*http.Request, *http.Response) error{
		403: func(*http.Request, *http.Response) error { return forbidden{errors.New("no")} },
		500: func(_ *http.Request, res *http.Response) error { res.StatusCode = 200; return nil },
	} {
		hook = refuse
		_, r = raw(t, f.addr, upgrade)
		res, _ = answer(t, r)
		assert.Equal(t, want, res.StatusCode)
		assert.Error(t, <-closed, "the backend was let go")
	}
}

// A WebSocket to a backend over HTTP/2 is nobody's fault but the script's.
func TestUpgradesOverHTTP2AreNoFaultOfTheClient(t *testing.T) {
	l := h2Server(t, http.NotFoundHandler())
	t.Cleanup(l.close)
	at := listen(t, func(c net.Conn) { l.take(c, nil); <-l.done })
	h := to(t, proxy.Options{}, "h2c://"+at)
	f := serve(t, h)
	_, r := raw(t, f.addr, upgrade)
	res, body := answer(t, r)
	assert.Equal(t, http.StatusBadGateway, res.StatusCode)
	assert.NotContains(t, body, "HTTP/2")
	assert.ErrorContains(t, f.fault(t), "HTTP/2 has no way to switch")
	assert.Equal(t, uint64(0), h.Stats().Refused)
	assert.Zero(t, h.Pool().Status()[0].Failures)
}

// What breaks off in the middle of an answer is told as a warning, unless the client has gone.
func TestFaultsWithinAnswersAreWarnings(t *testing.T) {
	at := scripted(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", true)
	f := serve(t, to(t, proxy.Options{}, at))
	_, r := raw(t, f.addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	_, err := io.ReadAll(r)
	require.NoError(t, err)
	var e *proxy.Error
	require.ErrorAs(t, f.fault(t), &e)
	assert.Equal(t, slog.LevelWarn, e.LogLevel())
}
