package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rws/server"
	"rws/server/certs"
	"rws/server/logs"
	"rws/spec_test/logtext"
)

var proto = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })

func selfSigned(t *testing.T) server.TLS {
	pair, err := certs.SelfSigned()
	require.NoError(t, err)
	return server.TLS{Store: certs.Static(pair)}
}

func TestProtocols(t *testing.T) {
	h2 := func(t *http.Transport) { trustAnyone(t); t.ForceAttemptHTTP2 = true }
	h2c := func(t *http.Transport) {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	for name, c := range map[string]struct {
		settings server.Settings
		scheme   string
		client   func(*http.Transport)
		want     string
	}{
		"http/1.1":          {server.Settings{}, "http", nil, "HTTP/1.1"},
		"http/1.1 over tls": {server.Settings{TLS: selfSigned(t)}, "https", trustAnyone, "HTTP/1.1"},
		"h2 over tls":       {server.Settings{TLS: selfSigned(t)}, "https", h2, "HTTP/2.0"},
		"h2c":               {server.Settings{H2C: true}, "http", h2c, "HTTP/2.0"},
		"http/1.1 with h2c": {server.Settings{H2C: true}, "http", nil, "HTTP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			a := app(map[string]http.Handler{"/": proto})
			a.Settings = c.settings
			s := run(t, a, server.Options{})
			status, body := get(t, client(t, c.client), c.scheme+"://"+address(s)+"/")
			assert.Equal(t, 200, status)
			assert.Equal(t, c.want, body)
		})
	}
}

func TestH2CIsOffUnlessAskedFor(t *testing.T) {
	s := run(t, app(map[string]http.Handler{"/": proto}), server.Options{})
	_, err := client(t, func(t *http.Transport) {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetUnencryptedHTTP2(true)
	}).Get("http://" + address(s) + "/")
	assert.Error(t, err)
}

func TestUnixSocketBesideTLS(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sock")
	a := app(map[string]http.Handler{"/": proto})
	a.Settings = server.Settings{Listen: []string{"127.0.0.1:0", "unix:" + path}, TLS: selfSigned(t)}
	s := run(t, a, server.Options{})
	require.Len(t, s.Addrs(), 2)
	_, body := get(t, client(t, func(t *http.Transport) {
		t.DialContext = func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }
	}), "http://unix/")
	assert.Equal(t, "HTTP/1.1", body)
	_, body = get(t, client(t, trustAnyone), "https://"+address(s)+"/")
	assert.Equal(t, "HTTP/1.1", body)
}

func TestAllAddressesOrNone(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	path := filepath.Join(t.TempDir(), "x.sock")
	closed := false
	a := app(map[string]http.Handler{"/": say("")})
	a.Settings.Listen = []string{"unix:" + path, taken.Addr().String(), "nonsense"}
	a.Close = func(context.Context) error { closed = true; return nil }
	s := server.New(server.Options{})
	err = s.Start(t.Context(), a)
	require.Error(t, err)
	assert.Contains(t, err.Error(), taken.Addr().String())
	assert.Contains(t, err.Error(), "nonsense", "all faults at once")
	assert.NoFileExists(t, path)
	assert.True(t, closed, "an app that is refused is closed")
	assert.Nil(t, s.Handler())

	again := app(map[string]http.Handler{"/": say("")})
	again.Settings.Listen = []string{"127.0.0.1:0"}
	require.NoError(t, s.Start(t.Context(), again), "a better app may follow")
	require.Error(t, s.Start(t.Context(), app(nil)), "but a server starts once")
	require.NoError(t, s.Shutdown(t.Context()))
	require.Error(t, s.Start(t.Context(), app(nil)))
}

// What the app does at its start it does when nothing else can fail, and before the first request.
func TestAppStartsWhenAllIsOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	var events []string
	newApp := func(fault error) *server.App {
		a := app(map[string]http.Handler{"/": say("served")})
		a.Start = func(context.Context) error { events = append(events, "start"); return fault }
		a.Close = func(context.Context) error { events = append(events, "close"); return nil }
		return a
	}
	s := server.New(server.Options{})

	a := newApp(nil)
	a.Settings.Listen = []string{taken.Addr().String()}
	require.Error(t, s.Start(t.Context(), a))
	a = newApp(nil)
	a.Settings = server.Settings{Listen: []string{"127.0.0.1:0"}, TLS: server.TLS{Cert: "no-such.pem", Key: "no-such.pem"}}
	require.Error(t, s.Start(t.Context(), a))
	assert.Equal(t, []string{"close", "close"}, events)

	path := filepath.Join(t.TempDir(), "x.sock")
	fault := errors.New("no database")
	a = newApp(fault)
	a.Settings.Listen = []string{"unix:" + path}
	require.ErrorIs(t, s.Start(t.Context(), a), fault)
	assert.NoFileExists(t, path)
	assert.Empty(t, s.Addrs())
	assert.Equal(t, []string{"start", "close"}, events[2:])

	a = newApp(nil)
	a.Settings.Listen = []string{"unix:" + path}
	open := a.Start
	got := make(chan string, 1)
	a.Start = func(ctx context.Context) error {
		conn, err := net.Dial("unix", path) // a client that is there already waits
		require.NoError(t, err)
		_, err = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		require.NoError(t, err)
		go func() {
			defer conn.Close()
			text, _ := io.ReadAll(conn)
			got <- string(text)
		}()
		return open(ctx)
	}
	require.NoError(t, s.Start(t.Context(), a))
	assert.Contains(t, <-got, "served")
	require.NoError(t, s.Shutdown(t.Context()))
	assert.Equal(t, []string{"start", "close"}, events[4:])
}

func TestMissingCertificateIsAnError(t *testing.T) {
	a := app(nil)
	a.Settings = server.Settings{Listen: []string{"127.0.0.1:0"}, TLS: server.TLS{Cert: "no-such.pem", Key: "no-such.pem"}}
	err := server.New(server.Options{}).Start(t.Context(), a)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFilesComeThroughWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big")
	content := strings.Repeat("0123456789abcdef", 100_000) // several pieces
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	file := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })
	for name, settings := range map[string]server.Settings{"plain": {}, "tls": {TLS: selfSigned(t)}, "no watch": {WriteIdle: -1}} {
		t.Run(name, func(t *testing.T) {
			a := app(map[string]http.Handler{"/": file})
			a.Settings = settings
			s := run(t, a, server.Options{})
			scheme := "http://"
			if name == "tls" {
				scheme = "https://"
			}
			_, body := get(t, client(t, func(t *http.Transport) { trustAnyone(t); t.ForceAttemptHTTP2 = true }), scheme+address(s)+"/")
			assert.True(t, body == content, "got %d of %d bytes", len(body), len(content))
			eventually(t, "it is counted", func() bool { return s.Stats().Total == 1 })
		})
	}
}

func TestPartsOfFilesEndWhereTheyShould(t *testing.T) {
	path := filepath.Join(t.TempDir(), "big")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("x", 1_000_000)), 0o600))
	s := run(t, app(map[string]http.Handler{
		"/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) }),
	}), server.Options{})
	conn := dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=1-600000\r\nConnection: close\r\n\r\n")
	all, err := io.ReadAll(conn) // bare, since a client would stop at the length
	require.NoError(t, err)
	_, body, _ := strings.Cut(string(all), "\r\n\r\n")
	assert.Len(t, body, 600_000)
}

func TestHijack(t *testing.T) {
	s := run(t, app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer conn.Close()
		line, _ := rw.ReadString('\n')
		_, _ = io.WriteString(conn, "echo "+line)
	})}), server.Options{})
	conn := dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\n\r\nhi\n")
	text, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Equal(t, "echo hi\n", string(text))
}

func TestAnAnswerThatPanicsMidwayIsSeenAsBroken(t *testing.T) {
	s := run(t, app(map[string]http.Handler{"/": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic("x")
	})}), server.Options{})
	res, err := client(t, nil).Get("http://" + address(s) + "/")
	require.NoError(t, err)
	defer res.Body.Close()
	_, err = io.ReadAll(res.Body)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestAccessLines(t *testing.T) {
	lines := &logtext.Buffer{}
	access := logs.NewAccess(lines, logs.Options{Format: logs.JSON})
	a := app(map[string]http.Handler{"/n/:id": say("four")})
	s := run(t, a, server.Options{Access: access})
	get(t, client(t, nil), "http://"+address(s)+"/n/7?token=secret")
	eventually(t, "the request is counted", func() bool { return s.Stats().Total == 1 })
	require.NoError(t, s.Shutdown(t.Context()))
	require.NoError(t, access.Close())
	for _, part := range []string{`"path":"/n/7"`, `"route":"/n/:id"`, `"status":200`, `"bytes":4`, `"ip":"127.0.0.1"`, `"method":"GET"`} {
		assert.Contains(t, lines.String(), part)
	}
	assert.NotContains(t, lines.String(), "secret")
}

func TestAccessLinesCanBeOff(t *testing.T) {
	lines := &logtext.Buffer{}
	access := logs.NewAccess(lines, logs.Options{Format: logs.JSON})
	a := app(map[string]http.Handler{"/": say("")})
	a.Settings.NoAccessLog = true
	s := run(t, a, server.Options{Access: access})
	get(t, client(t, nil), "http://"+address(s)+"/")
	require.NoError(t, s.Shutdown(t.Context()))
	require.NoError(t, access.Close())
	assert.Empty(t, lines.String())
}

func TestARequestBeforeTheStartIs503(t *testing.T) {
	assert.Equal(t, 503, ask(server.New(server.Options{}), "/").Code)
}

var errBoom = errors.New("boom")
