package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"rws/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what should happen at once; it is only used up by a failure.
const patience = 20 * time.Second

// run starts a server and stops it with the test.
func run(t *testing.T, app *server.App, o server.Options) *server.Server {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if app.Settings.Listen == nil {
		app.Settings.Listen = []string{"127.0.0.1:0"}
	}
	s := server.New(o)
	require.NoError(t, s.Start(t.Context(), app))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = s.Shutdown(ctx) // tests that care stop it themselves
	})
	return s
}

func address(s *server.Server) string { return s.Addrs()[0].String() }

// client makes requests over its own connections.
func client(t *testing.T, edit func(*http.Transport)) *http.Client {
	transport := &http.Transport{}
	if edit != nil {
		edit(transport)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// get is the status and body of a GET.
func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	res, err := c.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

// dial opens a bare connection and sends text.
func dial(t *testing.T, s *server.Server, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address(s))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	return conn
}

// response reads one answer from a bare connection.
func response(t *testing.T, conn net.Conn) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(2 * time.Millisecond) {
		require.Less(t, time.Since(start), patience, what)
	}
}

// compiled makes a handler that needs no sockets.
func compiled(t *testing.T, app *server.App) *server.Handler {
	t.Helper()
	h, err := server.Compile(app)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, h.Close(context.Background())) })
	return h
}

// ask makes one request in process. The target may be "METHOD target".
func ask(h http.Handler, target string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	method, path, ok := strings.Cut(target, " ")
	if !ok {
		method, path = "GET", target
	}
	r := httptest.NewRequest(method, path, nil)
	for _, f := range edit {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// say is a handler that answers with text.
func say(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// app has one route for each pattern, for any method unless it says "METHOD pattern".
func app(routes map[string]http.Handler) *server.App {
	a := &server.App{}
	for pattern, handler := range routes {
		method, path, ok := strings.Cut(pattern, " ")
		if !ok {
			method, path = "", pattern
		}
		a.Routes = append(a.Routes, server.Route{Method: method, Pattern: path, Handler: handler})
	}
	return a
}

func trustAnyone(t *http.Transport) { t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} }
